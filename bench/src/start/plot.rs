//! The figure: start and join from both parents, and a thousand idle children.

use super::contestant::{ALL, Contestant, Kind, Parent, YARDSTICK};
use super::results::{Results, p50};
use crate::figure::{Bar, Figure, Panel, Tone};
use crate::summary::median;
use crate::units::{duration, memory, whole};

/// Draws the results.
pub(crate) fn figure(results: &Results) -> Figure {
    let start =
        |parent| move |id: &str| results.started(id, parent).and_then(|started| p50(&started.whole_ns));
    let ready = |id: &str| results.idle(id).and_then(|idle| median(idle.ready_ns.iter().copied()));
    let private = |id: &str| results.idle(id).and_then(|idle| median([idle.private_kib.p50]));
    let count = whole(results.idle_count as u64);
    Figure {
        title: "Start and join of a process that does nothing".into(),
        notes: results.facts.lines().into_iter().take(2).collect(),
        rows: vec![
            [
                panel("Small parent", (duration, 10.0), start(Parent::Small)),
                panel("Parent with 1 GiB touched", (duration, 10.0), start(Parent::Large)),
            ],
            [
                panel(&format!("{count} idle children: all ready"), (duration, 10.0), ready),
                panel("Private memory of an idle child", (memory, 4.0), private),
            ],
        ],
        shared_scale: vec![true, false],
    }
}

fn panel(title: &str, (unit, base): (fn(f64) -> String, f64), of: impl Fn(&str) -> Option<f64>) -> Panel {
    let bars = ALL.iter().map(|who| Bar { label: who.label.into(), value: of(who.id), tone: tone(who) });
    Panel { title: title.into(), unit, base, bars: bars.collect(), reference: of(YARDSTICK) }
}

fn tone(who: &Contestant) -> Tone {
    match who.kind {
        Kind::Offspring { .. } => Tone::Ours,
        Kind::Fork => Tone::Yardstick,
        Kind::Command | Kind::Procspawn => Tone::Rust,
        Kind::Python(_) => Tone::Other,
    }
}
