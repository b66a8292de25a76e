//! The figure: alone and contended.

use super::contestant::{ALL, Contestant, Kind, Work, YARDSTICK};
use super::results::Results;
use crate::figure::{Bar, Figure, Panel, Tone};
use crate::units::duration;

/// Draws the results.
pub(crate) fn figure(results: &Results) -> Figure {
    let panel = |title: &str, work, of: fn(&Results, &str, Work) -> Option<f64>| {
        let value = |who: &Contestant| of(results, who.id, work);
        let bars = ALL.iter().filter(|who| who.does(work));
        let bars = bars.map(|who| Bar { label: who.label.into(), value: value(who), tone: tone(who) });
        Panel {
            title: title.into(),
            unit: duration,
            base: 10.0,
            bars: bars.collect(),
            reference: of(results, YARDSTICK, work),
        }
    };
    Figure {
        title: "Locks between processes".into(),
        notes: results.facts.lines().into_iter().take(2).collect(),
        rows: vec![
            [
                panel("Lock + unlock, uncontended", Work::Pair, Results::alone),
                panel("Lock + unlock, two processes", Work::Pair, Results::both),
            ],
            [
                panel("Locked increment, one process", Work::Increment, Results::alone),
                panel("Locked increment, two processes", Work::Increment, Results::both),
            ],
        ],
        shared_scale: vec![true, true],
    }
}

fn tone(who: &Contestant) -> Tone {
    match who.kind {
        Kind::Offspring => Tone::Ours,
        Kind::Pthread { .. } => Tone::Yardstick,
        Kind::Std => Tone::Rust,
        Kind::Python(_) => Tone::Other,
    }
}
