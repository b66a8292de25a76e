//! The figure: tiny tasks, single tasks, large arguments, tasks that take their time, and the first result.

use super::contestant::{ALL, Contestant, Kind, OURS, Way};
use super::report::usual;
use super::results::Results;
use crate::figure::{Bar, Figure, Panel, Tone};
use crate::placement::Placement;
use crate::units::{duration, number};

/// Draws the results.
pub(crate) fn figure(results: &Results) -> Figure {
    let tiny = |way: fn(&Contestant) -> Option<Way>| {
        move |who: &Contestant| results.millions(who.id, way(who)?).map(|millions| 1e3 / millions)
    };
    let single = |placement| move |who: &Contestant| results.single(who.id, placement, false);
    let mut skewed =
        panel("Skewed mix, ÷ the ideal schedule", |who| results.skewed.over_ideal(who.id, usual(who.work)?));
    skewed.unit = number;
    skewed.base = 2.0;
    skewed.reference = Some(1.0);
    let large = |who: &Contestant| results.single(who.id, Placement::Free, true);
    Figure {
        title: "Pools of two workers".into(),
        notes: results.facts.lines().into_iter().take(2).collect(),
        rows: vec![
            [
                panel("Tiny tasks by map as it comes, time for one", tiny(|who| usual(who.tiny))),
                panel("Tiny tasks one by one, time for one", tiny(ones)),
            ],
            [
                panel("One task there and back, placed freely", single(Placement::Free)),
                panel("One task there and back, on one CPU", single(Placement::Pinned)),
            ],
            [panel("One task with 1 MiB, there and back", large), skewed],
            [
                panel("First pool of a program, to its first result", |who| results.first_result(who.id)),
                panel("Tiny tasks 64 at a time, time for one", tiny(batches)),
            ],
        ],
        shared_scale: vec![true, true, false, false],
    }
}

fn ones(who: &Contestant) -> Option<Way> {
    who.tiny.contains(&Way::Ones).then_some(Way::Ones)
}

fn batches(who: &Contestant) -> Option<Way> {
    who.tiny.contains(&Way::Batches).then_some(Way::Batches)
}

fn panel(title: &str, of: impl Fn(&Contestant) -> Option<f64>) -> Panel {
    let bars = ALL.iter().map(|who| Bar { label: who.label.into(), value: of(who), tone: tone(who) });
    let reference = None;
    Panel { title: title.into(), unit: duration, base: 10.0, bars: bars.collect(), reference }
}

fn tone(who: &Contestant) -> Tone {
    match who.kind {
        _ if who.id == OURS => Tone::Ours,
        Kind::Crossbeam | Kind::Rayon | Kind::Ring { .. } => Tone::Yardstick,
        Kind::Offspring | Kind::Procspawn => Tone::Rust,
        Kind::Python(_) => Tone::Other,
    }
}
