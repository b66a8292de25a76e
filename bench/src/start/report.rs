//! The tables.

use super::contestant::{ALL, Contestant, Parent, SPARES, YARDSTICK};
use super::results::{Results, Started, p50, p99};
use crate::summary::{Summary, median};
use crate::tables::{self, list, ratio, section};
use crate::units::{duration, number, whole};

/// All tables, as Markdown.
pub(crate) fn markdown(results: &Results) -> String {
    let parts = [
        Some(head(results)),
        start_and_join(results),
        calls(results),
        paced(results),
        idle(results),
        parked(results),
        guards(results),
        tables::failures(&results.failures),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n") + "\n"
}

fn head(results: &Results) -> String {
    format!(
        "# Start and join\n\n\
         Each figure is the median over {} rounds of the rounds' medians; the contestants take turns within each round. \
         Ratios count; absolute values are this machine's. `bench/README.md` says how to read this.\n\n\
         {}\n\n![bars](start.svg)\n",
        results.rounds,
        list(&results.facts.lines())
    )
}

/// Microseconds.
fn micros(ns: Option<f64>) -> String {
    ns.map_or_else(|| "–".into(), |ns| number(ns / 1e3))
}

/// The lowest and the highest of the rounds' medians.
fn range(rounds: &[Summary]) -> String {
    let medians = || rounds.iter().map(|round| round.p50);
    let bounds = medians().min().zip(medians().max());
    bounds.map_or_else(
        || "–".into(),
        |(min, max)| format!("{}–{}", micros(median([min])), micros(median([max]))),
    )
}

/// The name of a contestant; ours stand out.
fn name(who: &Contestant) -> String {
    if who.is_ours() { format!("**{}**", who.label) } else { who.label.to_owned() }
}

/// The contestants of which `of` has something.
fn rows<T>(
    of: impl Fn(&Contestant) -> Option<T>,
    row: impl Fn(&Contestant, T) -> Vec<String>,
) -> Vec<Vec<String>> {
    ALL.iter().filter_map(|who| Some(row(who, of(who)?))).collect()
}

fn start_and_join(results: &Results) -> Option<String> {
    let of = |id: &str, parent| results.started(id, parent).map(|started| &started.whole_ns[..]);
    let middle = |id: &str, parent| of(id, parent).and_then(p50);
    let rows = rows(
        |who| of(who.id, Parent::Small),
        |who, small| {
            vec![
                name(who),
                micros(p50(small)),
                ratio(p50(small), middle(YARDSTICK, Parent::Small)),
                range(small),
                micros(p99(small)),
                micros(middle(who.id, Parent::Large)),
                ratio(middle(who.id, Parent::Large), middle(YARDSTICK, Parent::Large)),
                of(who.id, Parent::Large).map_or_else(|| "–".into(), range),
            ]
        },
    );
    section(
        "Start + join of a child that does nothing (µs)",
        "Back to back. offspring and procspawn send a `u64` there and get one back; the others send nothing.",
        &["", "small parent", "÷ bare fork", "rounds", "p99", "1 GiB touched", "÷ bare fork", "rounds"],
        &rows,
    )
}

fn calls(results: &Results) -> Option<String> {
    let call = |id: &str, parent| results.started(id, parent).and_then(|started| p50(&started.call_ns));
    let rows = rows(
        |who| call(who.id, Parent::Small),
        |who, small| {
            let large = call(who.id, Parent::Large);
            vec![
                name(who),
                micros(Some(small)),
                ratio(Some(small), call(YARDSTICK, Parent::Small)),
                micros(large),
                ratio(large, call(YARDSTICK, Parent::Large)),
            ]
        },
    );
    section(
        "The start call alone (µs)",
        "How long the caller is held up, back to back as above. Libraries differ in what is done when the call returns.",
        &["", "small parent", "÷ bare fork", "1 GiB touched", "÷ bare fork"],
        &rows,
    )
}

fn paced(results: &Results) -> Option<String> {
    let of = |id: &str| results.paced.iter().find(|started: &&Started| started.who.id == id);
    let whole = |started: &Started| p50(&started.whole_ns);
    let call = |started: &Started| p50(&started.call_ns);
    let yardstick = of(YARDSTICK);
    let rows = rows(
        |who| of(who.id),
        |who, started| {
            vec![
                name(who),
                micros(call(started)),
                ratio(call(started), yardstick.and_then(call)),
                micros(whole(started)),
                ratio(whole(started), yardstick.and_then(whole)),
            ]
        },
    );
    section(
        "One start every 2 ms (µs)",
        "A small parent that pauses after each join, so that spares are made in the pauses and caches have cooled.",
        &["", "start call", "÷ bare fork", "start + join", "÷ bare fork"],
        &rows,
    )
}

fn idle(results: &Results) -> Option<String> {
    let ready = |id: &str| results.idle(id).and_then(|idle| median(idle.ready_ns.iter().copied()));
    let rows = rows(
        |who| results.idle(who.id).zip(ready(who.id)),
        |who, (idle, ns)| {
            vec![
                name(who),
                number(ns / 1e6),
                ratio(Some(ns), ready(YARDSTICK)),
                whole(idle.private_kib.p50),
                idle.ready_ns.len().to_string(),
            ]
        },
    );
    section(
        &format!("{} idle children at once", whole(results.idle_count as u64)),
        "From a small parent, until the last has said that it is ready; then the private memory of one \
         (`Private_Clean + Private_Dirty`, median; what the kernel keeps for a process is not in it).",
        &["", "all ready (ms)", "÷ bare fork", "private memory (KiB)", "rounds"],
        &rows,
    )
}

fn parked(results: &Results) -> Option<String> {
    let parked = results.parked.as_ref()?;
    let row = vec![
        format!("{} of {SPARES}", parked.count),
        whole(parked.private_kib.p50),
        format!("{} ms in {} ms", parked.ticks * 10, parked.millis),
    ];
    section(
        "Spares that wait",
        "Children that the forkserver made ahead of demand. The processor time is that of the server and all spares.",
        &["spares", "private memory of one (KiB)", "processor time"],
        &[row],
    )
}

fn guards(results: &Results) -> Option<String> {
    let rows = results.guards.iter().map(|guard| {
        let spread =
            [guard.call_ns.p10, guard.call_ns.p90].map(|ns| median([ns]).map(duration).unwrap_or_default());
        vec![
            format!("`{}::init()`", guard.library),
            whole(guard.call_ns.p50),
            spread.join(" – "),
            guard.threads.to_string(),
            guard.children.to_string(),
        ]
    });
    section(
        "The guard, in a program that starts nothing",
        "The first call in a fresh process, and what the process has afterwards.",
        &["", "p50 (ns)", "p10 – p90", "threads", "children"],
        &rows.collect::<Vec<_>>(),
    )
}
