//! The tables.

use super::contestant::{ALL, Contestant, SIZES};
use super::results::Results;
use super::targets::{best_ring, gib_per_second, targets, told_idle};
use crate::placement::Placement;
use crate::tables::{self, list, ratio, section};
use crate::targets;
use crate::units::number;

/// All tables, as Markdown.
pub(crate) fn markdown(results: &Results) -> String {
    let mut parts = vec![Some(head(results)), targets::table(&targets(results))];
    for placement in Placement::MAIN {
        parts.push(round_trips(results, placement));
        parts.push(messages(results, placement));
        parts.push(bytes(results, placement));
    }
    parts.extend([placements(results), crowds(results), idle(results), tables::failures(&results.failures)]);
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n") + "\n"
}

fn head(results: &Results) -> String {
    format!(
        "# Channels\n\n\
         From one process to another. Each figure is the median over {} rounds; the contestants take turns within each \
         round. Ratios count; absolute values are this machine's. `bench/README.md` says how to read this.\n\n\
         {}\n\n![bars](channels.svg)\n",
        results.rounds,
        list(&results.facts.lines()),
    )
}

/// The name of a contestant; ours stand out.
fn name(who: &Contestant) -> String {
    if who.is_ours() { format!("**{}**", who.label) } else { who.label.to_owned() }
}

fn cell(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), number)
}

/// A row for each contestant that has a figure at all: one for each size, and ratios behind some.
fn rows(
    results: &Results,
    sizes: &[usize],
    figure: impl Fn(&str, usize) -> Option<f64>,
    yardstick: impl Fn(usize) -> Option<Option<f64>>,
) -> Vec<Vec<String>> {
    let took_part = |who: &&Contestant| results.cells.iter().any(|cell| cell.who.id == who.id);
    let contestants = ALL.iter().filter(took_part);
    let with_figures = contestants.filter(|who| sizes.iter().any(|size| figure(who.id, *size).is_some()));
    let row = |who: &Contestant| {
        let mut row = vec![name(who)];
        for size in sizes {
            let value = figure(who.id, *size);
            row.push(cell(value));
            row.extend(yardstick(*size).map(|yardstick| ratio(value, yardstick)));
        }
        row
    };
    with_figures.map(row).collect()
}

fn round_trips(results: &Results, placement: Placement) -> Option<String> {
    // In ns, µs or ms: a column has one unit.
    let unit = |size: usize| match size {
        0..=1024 => 1.0,
        1025..=0x10_0000 => 1e3,
        _ => 1e6,
    };
    let rows = rows(
        results,
        &SIZES,
        |id, size| Some(results.round_trip(id, placement, size)? / unit(size)),
        |size| match size {
            8 => Some(best_ring(results, placement)),
            0x10_0000 => Some(results.round_trip("slots", placement, size).map(|ns| ns / unit(size))),
            _ => None,
        },
    );
    section(
        &format!("Round trip, {}", placement.label()),
        "The median time until the answer to a message, of the same size, is there. A sender has its message in a buffer of \
         its own; a receiver looks at every page of what it gets.",
        &[
            "",
            "8 B (ns)",
            "÷ best ring",
            "1 KiB (ns)",
            "64 KiB (µs)",
            "1 MiB (µs)",
            "÷ reused buffers",
            "64 MiB (ms)",
        ],
        &rows,
    )
}

fn messages(results: &Results, placement: Placement) -> Option<String> {
    let millions = |id: &str, size| results.one_way(id, placement, size).map(|ns| 1e3 / ns);
    let rows =
        rows(results, &SIZES[..3], millions, |size| (size == 8).then(|| millions("ipc-channel", size)));
    section(
        &format!("One way, {}: million messages a second", placement.label()),
        "One sends as fast as it can, one receives, until it has received the last.",
        &["", "8 B", "÷ ipc-channel", "1 KiB", "64 KiB"],
        &rows,
    )
}

fn bytes(results: &Results, placement: Placement) -> Option<String> {
    let flow = |id: &str, size| Some(gib_per_second(size, results.one_way(id, placement, size)?));
    let rows = rows(results, &SIZES[1..], flow, |size| (size >= 0x10_0000).then(|| flow("memcpy", size)));
    section(
        &format!("One way, {}: GiB/s", placement.label()),
        "The same run. crossbeam moves a pointer, so that its rate says nothing about bytes.",
        &["", "1 KiB", "64 KiB", "1 MiB", "÷ memcpy", "64 MiB", "÷ memcpy"],
        &rows,
    )
}

fn crowds(results: &Results) -> Option<String> {
    let millions = |id: &str, placement| results.crowd(id, placement).map(|ns| 1e3 / ns);
    let row = |who: &Contestant| {
        let mut row = vec![name(who)];
        for placement in Placement::MAIN {
            let value = millions(who.id, placement);
            row.extend([cell(value), ratio(value, millions("python-queue", placement))]);
        }
        row
    };
    let took_part = |who: &&Contestant| results.crowd(who.id, Placement::Free).is_some();
    let rows: Vec<_> = ALL.iter().filter(took_part).map(row).collect();
    section(
        "Two to two: million items of 16 bytes a second",
        "Two producers and two consumers at one queue, until all that was sent has been received. Each producer sends as \
         fast as it can.",
        &["", "free", "÷ Python", "on one CPU", "÷ Python"],
        &rows,
    )
}

fn idle(results: &Results) -> Option<String> {
    let row = |who: &Contestant| {
        let idle = results.idle(who.id)?;
        Some(vec![name(who), told_idle(idle.cpu_ns, idle.millis)])
    };
    let rows: Vec<_> = ALL.iter().filter_map(row).collect();
    section(
        "Waiting",
        "Processor time of a blocked receiver and the process at the other end, which sleeps, from a millisecond after the \
         last message.",
        &["", "processor time"],
        &rows,
    )
}

/// What waking costs, and where round trips are uncertain.
fn placements(results: &Results) -> Option<String> {
    let row = |who: &Contestant| {
        let told = |placement, bytes| {
            let round_trip = results.round_trip(who.id, placement, bytes)?;
            let [low, high] = results.round_trips(who.id, placement, bytes)?.map(|ns| number(ns / 1e3));
            Some(format!("{} ({low}–{high})", number(round_trip / 1e3)))
        };
        let cells = [8, 1 << 20].map(|bytes| Placement::ALL.map(|placement| told(placement, bytes)));
        let cells = cells.as_flattened();
        cells.iter().any(Option::is_some).then(|| {
            let cells = cells.iter().map(|cell| cell.clone().unwrap_or_else(|| "–".into()));
            std::iter::once(name(who)).chain(cells).collect()
        })
    };
    let rows: Vec<Vec<String>> = ALL.iter().filter_map(row).collect();
    section(
        "Round trips by placement (µs)",
        "The median, and the lowest and the highest of the rounds' medians. On two CPUs, each process is confined to one \
         of its own: whoever sleeps is woken across CPUs. Placed freely, the kernel may put both on one CPU, and then the range is wide.",
        &[
            "",
            "8 B, freely",
            "8 B, two CPUs",
            "8 B, one CPU",
            "1 MiB, freely",
            "1 MiB, two CPUs",
            "1 MiB, one CPU",
        ],
        &rows,
    )
}
