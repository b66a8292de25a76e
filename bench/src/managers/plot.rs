//! The figure: one caller, and many.

use super::contestant::{ALL, Contestant, Crowd, Kind};
use super::results::Results;
use crate::figure::{Bar, Figure, Panel, Tone};
use crate::placement::Placement;
use crate::units::duration;

/// Draws the results.
pub(crate) fn figure(results: &Results) -> Figure {
    let call = |placement| move |id: &str| results.call(id, placement);
    let crowd = |processes, threads, ahead| {
        move |id: &str| results.crowd(id, Crowd { processes, threads, ahead }).map(|rate| 1e9 / rate)
    };
    Figure {
        title: "Calls of objects in another process".into(),
        notes: results.facts.lines().into_iter().take(2).collect(),
        rows: vec![
            [
                panel("One caller, placed freely", call(Placement::Free)),
                panel("One caller, on one CPU", call(Placement::Pinned)),
            ],
            [
                panel("32 threads call, time for a call", crowd(1, 32, 1)),
                panel("64 calls of a thread on their way, time for a call", crowd(1, 1, 64)),
            ],
        ],
        shared_scale: vec![true, true],
    }
}

fn panel(title: &str, of: impl Fn(&str) -> Option<f64>) -> Panel {
    let bars = ALL.iter().map(|who| Bar { label: who.label.into(), value: of(who.id), tone: tone(who) });
    Panel { title: title.into(), unit: duration, base: 10.0, bars: bars.collect(), reference: None }
}

fn tone(who: &Contestant) -> Tone {
    match who.kind {
        Kind::Offspring => Tone::Ours,
        Kind::Bare => Tone::Yardstick,
        Kind::Python => Tone::Other,
    }
}
