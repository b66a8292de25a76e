//! The figure: round trips in both placements, and what lies between two messages in one direction.

use super::contestant::{ALL, Contestant, Kind};
use super::results::Results;
use crate::figure::{Bar, Figure, Panel, Tone};
use crate::placement::Placement;
use crate::units::duration;

/// Draws the results.
pub(crate) fn figure(results: &Results) -> Figure {
    let round_trip = |placement, size| move |id: &str| results.round_trip(id, placement, size);
    let one_way = |size| move |id: &str| results.one_way(id, Placement::Free, size);
    Figure {
        title: "Messages from one process to another".into(),
        notes: results.facts.lines().into_iter().take(2).collect(),
        rows: vec![
            [
                panel("Round trip of 8 B, placed freely", round_trip(Placement::Free, 8)),
                panel("Round trip of 8 B, on one CPU", round_trip(Placement::Pinned, 8)),
            ],
            [
                panel("Round trip of 1 MiB, placed freely", round_trip(Placement::Free, 1 << 20)),
                panel("Round trip of 1 MiB, on one CPU", round_trip(Placement::Pinned, 1 << 20)),
            ],
            [
                panel("One way, time for a message of 8 B", one_way(8)),
                panel("One way, time for a message of 64 MiB", one_way(64 << 20)),
            ],
        ],
        shared_scale: vec![true, true, false],
    }
}

fn panel(title: &str, of: impl Fn(&str) -> Option<f64>) -> Panel {
    let bars = ALL.iter().map(|who| Bar { label: who.label.into(), value: of(who.id), tone: tone(who) });
    Panel { title: title.into(), unit: duration, base: 10.0, bars: bars.collect(), reference: None }
}

fn tone(who: &Contestant) -> Tone {
    match who.kind {
        Kind::Offspring(_) => Tone::Ours,
        Kind::Memcpy | Kind::Crossbeam | Kind::Ring { .. } | Kind::Slots => Tone::Yardstick,
        Kind::IpcChannel { .. } | Kind::Iceoryx { .. } => Tone::Rust,
        Kind::Socket { .. } | Kind::Python(_) => Tone::Other,
    }
}
