//! What the pool is to reach.

use super::contestant::{OURS, Pass, Way};
use super::results::{Idle, Results, Watched};
use crate::placement::Placement::{Apart, Free, Pinned};
use crate::targets::Limit::{AtLeast, AtMost};
use crate::targets::{Target, both, quotient};
use crate::units::{duration, memory, number};

/// All of them.
pub(crate) fn targets(results: &Results) -> Vec<Target> {
    let mut targets = rates(results);
    targets.extend(latency(results));
    let idle = results.idle(OURS);
    targets.push(Target::new(
        "an idle pool burns no CPU after a millisecond (less than 1 ms in 2 s)",
        idle.map(share),
        AtMost(0.0005),
        |_| idle.map(told_idle).unwrap_or_default(),
    ));
    let slices = [OURS, "rayon"].map(|id| results.elements(id, Pass::New));
    targets.push(Target::new(
        "`map_slice` above 100 million elements a second",
        slices[0],
        AtLeast(100.0),
        |_| format!("{}, rayon's, in millions", both(slices[0], slices[1], number)),
    ));
    let even = results.even.over_ideal(OURS, Way::Map);
    targets.push(Target::new(
        "tasks of 1 ms at 98 % of the ideal",
        even.map(|over| 100.0 / over),
        AtLeast(98.0),
        |percent| format!("{percent:.1} %"),
    ));
    targets.push(Target::new(
        "the skewed mix within 5 % of the ideal schedule",
        results.skewed.over_ideal(OURS, Way::Map),
        AtMost(1.05),
        |over| format!("{:.1} % over it", (over - 1.0) * 100.0),
    ));
    let watched = results.watched(OURS);
    targets.push(Target::new(
        &watched.map_or_else(
            || "memory constant over the inputs of an `imap`".into(),
            |watched| {
                format!(
                    "memory constant over {} million inputs of an `imap` (at most 1 MiB more at the end than after 1 %)",
                    watched.looks.last().copied().unwrap_or_default() / 1_000_000
                )
            },
        ),
        watched.and_then(growth),
        AtMost(1024.0),
        |_| watched.map(told_growth).unwrap_or_default(),
    ));
    targets
}

fn rates(results: &Results) -> Vec<Target> {
    let rate = |id, way| results.millions(id, way);
    let beside = |ours, other| format!("{}, in millions a second", both(ours, other, number));
    let times = |sentence: &str, ours: Option<f64>, other: Option<f64>, least: f64| {
        Target::new(sentence, quotient(ours, other), AtLeast(least), |ratio| {
            format!("{}×: {}", number(ratio), beside(ours, other))
        })
    };
    let [map, ones] = [Way::Map, Way::Ones].map(|way| rate(OURS, way));
    vec![
        times(
            "`map` of tiny tasks at least 3× Python's default `map`",
            map,
            rate("python-pool", Way::Map),
            3.0,
        ),
        times(
            "`map` of tiny tasks at a quarter of the threads' batched rate (crossbeam, 64 at a time)",
            map,
            rate("crossbeam", Way::Batches),
            0.25,
        ),
        Target::new("one task per message at 3 million a second", ones, AtLeast(3.0), |ours| {
            format!("{}, in millions a second", number(ours))
        }),
        times("one task per message at 40× Python's chunks of 1", ones, rate("python-pool", Way::Ones), 40.0),
        times("one task per message at 100× procspawn's pool", ones, rate("procspawn", Way::Ones), 100.0),
    ]
}

fn latency(results: &Results) -> Vec<Target> {
    let single = |id, placement| results.single(id, placement, false);
    let mut targets: Vec<Target> = [Free, Apart]
        .map(|placement| {
            let sentence =
                format!("from submit to result at most 2 µs with free cores, {}", placement.label());
            Target::new(&sentence, single(OURS, placement), AtMost(2e3), duration)
        })
        .into();
    let (ours, ring) = (single(OURS, Pinned), single("ring-sleep", Pinned));
    targets.push(Target::new(
        "from submit to result at most 2× the sleeping ring's round trip when all share one core",
        quotient(ours, ring),
        AtMost(2.0),
        |ratio| format!("{}×: {}", number(ratio), both(ours, ring, duration)),
    ));
    targets
}

/// The share of one processor.
#[expect(clippy::cast_precision_loss, reason = "times stay far below 2^52")]
fn share(idle: &Idle) -> f64 {
    idle.cpu_ns as f64 / (idle.millis as f64 * 1e6)
}

/// Processor time within a time.
#[expect(clippy::cast_precision_loss, reason = "times stay far below 2^52")]
pub(crate) fn told_idle(idle: &Idle) -> String {
    format!("{} in {}", duration(idle.cpu_ns as f64), duration(idle.millis as f64 * 1e6))
}

/// How much more memory there is at the last look than at the first, in KiB.
#[expect(clippy::cast_precision_loss, reason = "memory stays far below 2^52 KiB")]
fn growth(watched: &Watched) -> Option<f64> {
    Some(*watched.resident_kib.last()? as f64 - *watched.resident_kib.first()? as f64)
}

#[expect(clippy::cast_precision_loss, reason = "memory stays far below 2^52 KiB")]
fn told_growth(watched: &Watched) -> String {
    let looks: Vec<String> = watched.resident_kib.iter().map(|kib| memory(*kib as f64)).collect();
    looks.join(", ")
}
