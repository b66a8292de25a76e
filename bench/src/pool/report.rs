//! The tables.

use super::contestant::{ALL, Contestant, Kind, Pass, Way};
use super::protocol::Life;
use super::results::{Lives, Results, Works};
use super::rounds::LOOKS;
use super::targets::{targets, told_idle};
use crate::placement::Placement;
use crate::summary::median;
use crate::tables::{self, list, ratio, section};
use crate::targets;
use crate::units::{duration, memory, number, whole};

/// All tables, as Markdown.
pub(crate) fn markdown(results: &Results) -> String {
    let parts = [
        Some(head(results)),
        targets::table(&targets(results)),
        glance(results),
        tiny(results),
        singles(results, false),
        singles(results, true),
        large(results),
        even(results),
        skewed(results),
        slices(results),
        idle(results),
        lives(results),
        watched(results),
        absent(results),
        tables::failures(&results.failures),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n") + "\n"
}

fn head(results: &Results) -> String {
    format!(
        "# Pools\n\n\
         Pools of two workers. Each figure is the median over {} rounds; the contestants take turns within each round. \
         Ratios count; absolute values are this machine's. `bench/README.md` says how to read this.\n\n\
         {}\n\n![bars](pool.svg)\n",
        results.rounds,
        list(&facts(results)),
    )
}

/// Facts about the machine, and the packages of Python that took part.
fn facts(results: &Results) -> Vec<String> {
    let mut facts = results.facts.lines();
    let installed = ALL.iter().filter_map(|who| match who.kind {
        Kind::Python(kind) => kind.requirement(),
        _ => None,
    });
    let installed: Vec<String> = installed.map(|(package, version)| format!("{package} {version}")).collect();
    facts.push(installed.join(", "));
    facts
}

/// The name of a contestant; ours stand out.
fn name(who: &Contestant) -> String {
    if who.is_ours() { format!("**{}**", who.label) } else { who.label.to_owned() }
}

fn thousands(millions: f64) -> String {
    number(millions * 1e3)
}

/// How tasks are given to somebody who says nothing else.
pub(crate) fn usual(ways: &[Way]) -> Option<Way> {
    ways.first().copied()
}

/// A row for each contestant that has a figure at all.
fn rows(figures: impl Fn(&Contestant) -> Vec<Option<String>>) -> Vec<Vec<String>> {
    let row = |who: &Contestant| {
        let figures = figures(who);
        figures.iter().any(Option::is_some).then(|| {
            let cells = figures.into_iter().map(|figure| figure.unwrap_or_else(|| "–".into()));
            std::iter::once(name(who)).chain(cells).collect()
        })
    };
    ALL.iter().filter_map(row).collect()
}

fn glance(results: &Results) -> Option<String> {
    let rows = rows(|who| {
        let tiny = |way: Option<Way>| Some(thousands(results.millions(who.id, way?)?));
        let micros = |placement, large| Some(number(results.single(who.id, placement, large)? / 1e3));
        let work = usual(who.work);
        vec![
            tiny(usual(who.tiny)),
            tiny(Some(Way::Ones)),
            micros(Placement::Free, false),
            micros(Placement::Pinned, false),
            micros(Placement::Free, true),
            work.and_then(|way| Some(format!("{:.1} %", 100.0 / results.even.over_ideal(who.id, way)?))),
            work.and_then(|way| Some(format!("{:.2}", results.skewed.over_ideal(who.id, way)?))),
            results.first_result(who.id).map(duration),
        ]
    });
    section(
        "At a glance",
        "In the way of each pool's own choice where none is named. Each column is from a table below.",
        &[
            "",
            "tiny tasks (k/s)",
            "one by one (k/s)",
            "a task and its result (µs)",
            "on one CPU (µs)",
            "with 1 MiB (µs)",
            "1 ms tasks, of the ideal",
            "skewed mix, ÷ ideal",
            "first result of a program",
        ],
        &rows,
    )
}

fn tiny(results: &Results) -> Option<String> {
    let rows = rows(|who| {
        let mut cells: Vec<Option<String>> =
            Way::ALL.map(|way| results.millions(who.id, way).map(thousands)).into();
        let ours = usual(who.tiny).and_then(|way| results.millions(who.id, way));
        let python = results.millions("python-pool", Way::Map);
        cells.insert(1, ours.map(|_| ratio(results.millions(who.id, Way::Map), python)));
        cells
    });
    let mut columns = vec![""];
    columns.extend(Way::ALL.map(Way::label));
    columns.insert(2, "÷ Python's `map`");
    section(
        "Tiny tasks (thousands a second)",
        "`u64 -> u64` that adds one: up to a million inputs at once, fewer where that takes longer than 100 ms, until all results are \
         there. `map`, `imap` and `imap_unordered` as they come, in chunks that the pool chooses (Python's and loky's executors and Python's \
         `imap`s choose 1); one by one; and 64 at a time. Threads' tasks are nothing but a number in a channel, or a place in memory.",
        &columns,
        &rows,
    )
}

fn singles(results: &Results, is_large: bool) -> Option<String> {
    let single = |id, placement| results.single(id, placement, is_large);
    let ring = single("ring-sleep", Placement::Pinned);
    let rows = rows(|who| {
        let told = |placement| {
            let [low, high] = results.single_range(who.id, placement, is_large)?.map(|ns| number(ns / 1e3));
            Some(format!("{} ({low}–{high})", number(single(who.id, placement)? / 1e3)))
        };
        let pinned = single(who.id, Placement::Pinned);
        vec![
            told(Placement::Free),
            results.slow_single(who.id, Placement::Free, is_large).map(|ns| number(ns / 1e3)),
            told(Placement::Apart),
            told(Placement::Pinned),
            pinned.map(|ns| ratio(Some(ns), ring)),
        ]
    });
    let (title, text) = if is_large {
        (
            "A task with 1 MiB, and its result (µs)",
            "The same with an argument of 1 MiB, of which the worker reads a byte of each page. Threads get a pointer.",
        )
    } else {
        (
            "A task and its result (µs)",
            "From before the call that submits a task until its result is there, while nothing else is asked for: the median, and the \
             lowest and the highest of the rounds' medians. On two CPUs, the program is confined to one and its workers to the other; on one \
             CPU, all share it. The rings are no pools: a message there, and one back.",
        )
    };
    let columns = ["", "placed freely", "p99", "on two CPUs", "on one CPU", "÷ sleeping ring"];
    section(title, text, &columns, &rows)
}

fn large(results: &Results) -> Option<String> {
    let rows = rows(|who| {
        let flow = who.large.and_then(|way| results.gib_per_second(who.id, way));
        vec![flow.map(|flow| number(flow * 1024.0)), flow.map(number)]
    });
    section(
        "Arguments of 1 MiB",
        "64 at once, until all results are there. The pool has the argument in a buffer of its own, and each task gets it anew: `map` \
         of ours in chunks that it chooses, the others' one by one. Threads get a pointer.",
        &["", "tasks/s", "GiB/s"],
        &rows,
    )
}

/// A row for each contestant and way.
fn work_rows(works: &Works, told: impl Fn(f64) -> Vec<String>) -> Vec<Vec<String>> {
    let rows = ALL.iter().flat_map(|who| who.work.iter().map(move |way| (who, *way)));
    let rows = rows.filter_map(|(who, way)| {
        let took = works.took(who.id, way)?;
        let mut row = vec![format!("{}, {}", name(who), way.label()), number(took / 1e6)];
        row.extend(told(works.over_ideal(who.id, way)?));
        Some(row)
    });
    rows.collect()
}

fn even(results: &Results) -> Option<String> {
    let works = &results.even;
    section(
        "Tasks of 1 ms",
        &format!(
            "{} tasks, each of which takes a millisecond of its thread's processor time. The ideal is half their sum: {}.",
            works.count,
            milliseconds(works.ideal_ns)
        ),
        &["", "took (ms)", "of the ideal"],
        &work_rows(works, |over| vec![format!("{:.1} %", 100.0 / over)]),
    )
}

fn skewed(results: &Results) -> Option<String> {
    let works = &results.skewed;
    section(
        "Skewed mix",
        &format!(
            "{} tasks of 50 µs to 20 ms of processor time, always the same: half of them take less than 100 µs, and the longest hundredth \
             comes late, between 85 and 95 percent of the order. No schedule takes less than half of their sum, or than the longest: {}, \
             which is the ideal. To give the next to whoever is free, at no cost, would take {}.",
            whole(works.count as u64),
            milliseconds(works.ideal_ns),
            milliseconds(works.in_order_ns)
        ),
        &["", "took (ms)", "÷ ideal"],
        &work_rows(works, |over| vec![format!("{over:.3}")]),
    )
}

#[expect(clippy::cast_precision_loss, reason = "times stay far below 2^52")]
fn milliseconds(ns: u64) -> String {
    format!("{:.1} ms", ns as f64 / 1e6)
}

fn slices(results: &Results) -> Option<String> {
    let rows = rows(|who| {
        let told = |pass| {
            let elements = results.elements(who.id, pass);
            [elements.map(number), elements.map(|value| ratio(Some(value), results.elements("rayon", pass)))]
        };
        Pass::ALL.map(told).concat()
    });
    let mut columns = vec![""];
    columns.extend(Pass::ALL.iter().flat_map(|pass| [pass.label(), "÷ rayon"]));
    section(
        "Shared memory (millions of elements a second)",
        "4 Mi numbers of 8 bytes in memory that the workers share: one is added to each where it lies (`for_each_mut`), or the sum goes to its \
         place in another slice, which is there (`map_slice_into`) or new (`map_slice`).",
        &columns,
        &rows,
    )
}

fn idle(results: &Results) -> Option<String> {
    let rows = rows(|who| vec![results.idle(who.id).map(told_idle)]);
    section(
        "Waiting",
        "Processor time of the program and its children while they have nothing to do, from a millisecond after the last task.",
        &["", "processor time"],
        &rows,
    )
}

fn lives(results: &Results) -> Option<String> {
    let told = |lives: &[Life], when: fn(&Life) -> u64| median(lives.iter().map(when)).map(duration);
    let rows = rows(|who| {
        let lives = results.lives.iter().find(|lives: &&Lives| lives.who.id == who.id);
        let [first, next] = [lives.map(|lives| &*lives.first), lives.map(|lives| &*lives.next)]
            .map(Option::unwrap_or_default);
        vec![
            told(first, |life| life.made),
            told(first, |life| life.first_result),
            told(first, |life| life.ended),
            told(next, |life| life.first_result),
            told(next, |life| life.ended),
        ]
    });
    section(
        "Beginning and end",
        "Since before a pool is made: until the call returns, until its first task has its result, and until it has ended in good order. The \
         first pool of a program that has imported what it needs; then the pools that it makes later.",
        &["", "made", "first result", "ended", "a later one: first result", "ended"],
        &rows,
    )
}

#[expect(clippy::cast_precision_loss, reason = "memory and times stay far below 2^52")]
fn watched(results: &Results) -> Option<String> {
    let rows = rows(|who| {
        let Some(watched) = results.watched(who.id) else { return vec![None; LOOKS.len() + 2] };
        let mut cells = vec![watched.looks.last().map(|count| number(*count as f64 / 1e6))];
        let look = |number| watched.resident_kib.get(number).map(|kib: &u64| memory(*kib as f64));
        cells.extend((0..LOOKS.len()).map(look));
        cells.push(Some(duration(watched.ns as f64)));
        cells
    });
    let heads = LOOKS.map(|percent| format!("at {percent} %"));
    let mut columns = vec!["", "inputs (millions)"];
    columns.extend(heads.iter().map(String::as_str));
    columns.push("took");
    section(
        "Memory of the program over many inputs",
        "What the program that has the pool has in memory when so many results of tiny tasks have come, in order: ours by `imap` as it comes; \
         Python's and mpire's by `imap`, and the executors' by `map`, 64 at a time.",
        &columns,
        &rows,
    )
}

fn absent(results: &Results) -> Option<String> {
    if results.absent.is_empty() {
        return None;
    }
    let lines: Vec<String> =
        results.absent.iter().map(|absent| format!("{}: {}", absent.who.label, absent.why)).collect();
    Some(format!("## Absent\n\n{}\n", list(&lines)))
}
