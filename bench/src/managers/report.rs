//! The tables.

use super::contestant::{ALL, Contestant, Crowd, Kind};
use super::results::Results;
use super::targets::targets;
use crate::placement::Placement;
use crate::tables::{self, list, ratio, section};
use crate::targets;
use crate::units::number;

/// All tables, as Markdown.
pub(crate) fn markdown(results: &Results) -> String {
    let mut parts = vec![Some(head(results)), targets::table(&targets(results))];
    parts.extend(Placement::ALL.map(|placement| calls(results, placement)));
    parts.extend([
        crowds(results, true),
        crowds(results, false),
        tasks(results),
        tables::failures(&results.failures),
    ]);
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n") + "\n"
}

fn head(results: &Results) -> String {
    format!(
        "# Managers\n\n\
         Each figure is the median over {} rounds; the contestants take turns within each round. Ratios count; absolute \
         values are this machine's. `bench/README.md` says how to read this.\n\n\
         {}\n\n![bars](managers.svg)\n",
        results.rounds,
        list(&results.facts.lines()),
    )
}

/// The name of a contestant; ours stand out.
fn name(who: &Contestant) -> String {
    if who.is_ours() { format!("**{}**", who.label) } else { who.label.to_owned() }
}

fn told(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), number)
}

/// The others over the same socket.
fn peer(who: &Contestant, kind: Kind) -> &'static str {
    Contestant::of(kind, who.socket)
}

fn calls(results: &Results, placement: Placement) -> Option<String> {
    let of = |id: &str| results.call(id, placement);
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds stay far below 2^52")]
    let range = |id: &str| {
        let range = results.call_range(id, placement);
        range.map_or_else(|| "–".into(), |range| range.map(|ns| number(ns as f64 / 1e3)).join("–"))
    };
    let rows = ALL.iter().filter_map(|who| {
        let ns = of(who.id)?;
        Some(vec![
            name(who),
            number(ns / 1e3),
            ratio(Some(ns), of(peer(who, Kind::Bare))),
            ratio(of(peer(who, Kind::Python)), Some(ns)),
            number(1e6 / ns),
            range(who.id),
        ])
    });
    section(
        &format!("One caller, {}", placement.label()),
        "A call of a method without arguments that returns a number, one after the other: microseconds, and calls a second in thousands.",
        &["", "µs", "÷ bare", "Python ÷", "thousand/s", "rounds"],
        &rows.collect::<Vec<_>>(),
    )
}

fn crowds(results: &Results, waits: bool) -> Option<String> {
    let heads: Vec<String> = Crowd::all(waits).map(Crowd::label).collect();
    let columns: Vec<&str> = [""].into_iter().chain(heads.iter().map(String::as_str)).collect();
    let rows = ALL.iter().filter(|who| Crowd::all(waits).any(|crowd| results.crowd(who.id, crowd).is_some()));
    let rows = rows.map(|who| {
        let cells = Crowd::all(waits).map(|crowd| told(results.crowd(who.id, crowd).map(|rate| rate / 1e3)));
        [name(who)].into_iter().chain(cells).collect()
    });
    let (title, text) = if waits {
        (
            "Many callers (thousands of calls a second)",
            "All call as often as they can, and each waits for the answer before it calls again: threads of one process, processes, and \
             processes of several threads. With a bare socket, and in Python, each has a connection of its own and a thread at the \
             server; ours have one connection per process.",
        )
    } else {
        (
            "Callers that run ahead (thousands of calls a second)",
            "So many calls of a thread are on their way at once: ours by the methods that begin with `start_`, each of which sends its call; \
             with a bare socket all requests in one write.",
        )
    };
    section(title, text, &columns, &rows.collect::<Vec<_>>())
}

fn tasks(results: &Results) -> Option<String> {
    let rows = ALL.iter().filter_map(|who| {
        let rate = results.tasks(who.id)?;
        Some(vec![name(who), number(rate / 1e3), ratio(Some(rate), results.tasks(peer(who, Kind::Python)))])
    });
    section(
        "Tasks (thousands a second)",
        "A number is squared by one of two workers that get tasks from a server and hand results in: from the first that is put until the \
         last result is there. Ours are leased and acknowledged; Python's are two queues at a manager.",
        &["", "thousand/s", "÷ Python"],
        &rows.collect::<Vec<_>>(),
    )
}
