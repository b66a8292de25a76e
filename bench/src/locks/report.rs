//! The tables.

use super::contestant::{ALL, Contestant, Work, YARDSTICK};
use super::results::Results;
use super::targets::targets;
use crate::tables::{self, list, ratio, section};
use crate::targets;
use crate::units::number;

/// All tables, as Markdown.
pub(crate) fn markdown(results: &Results) -> String {
    let parts = [
        Some(head(results)),
        targets::table(&targets(results)),
        pairs(results),
        increments(results),
        tables::failures(&results.failures),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n") + "\n"
}

fn head(results: &Results) -> String {
    format!(
        "# Locks\n\n\
         Each figure is the median over {} rounds; the contestants take turns within each round. Ratios count; absolute \
         values are this machine's. `bench/README.md` says how to read this.\n\n\
         {}\n\n![bars](locks.svg)\n",
        results.rounds,
        list(&results.facts.lines()),
    )
}

/// The name of a contestant; ours stand out.
fn name(who: &Contestant) -> String {
    if who.is_ours() { format!("**{}**", who.label) } else { who.label.to_owned() }
}

fn range(results: &Results, who: &Contestant, work: Work) -> String {
    let range = results.both_range(who.id, work);
    range.map_or_else(|| "–".into(), |range| range.map(number).join("–"))
}

fn pairs(results: &Results) -> Option<String> {
    let rows = ALL.iter().filter_map(|who| {
        let alone = results.alone(who.id, Work::Pair)?;
        let both = results.both(who.id, Work::Pair);
        Some(vec![
            name(who),
            number(alone),
            ratio(Some(alone), results.alone(YARDSTICK, Work::Pair)),
            both.map_or_else(|| "–".into(), number),
            ratio(both, results.both(YARDSTICK, Work::Pair)),
            range(results, who, Work::Pair),
        ])
    });
    section(
        "Lock + unlock (ns)",
        "By one process alone; then by two that both want the lock all the time, each on a CPU of its own: the time in \
         which the two together do it once.",
        &["", "uncontended", "÷ robust", "two processes", "÷ robust", "rounds"],
        &rows.collect::<Vec<_>>(),
    )
}

fn increments(results: &Results) -> Option<String> {
    let python = results.both("python-value", Work::Increment);
    let rows = ALL.iter().filter_map(|who| {
        let both = results.both(who.id, Work::Increment)?;
        let alone = results.alone(who.id, Work::Increment);
        Some(vec![
            name(who),
            alone.map_or_else(|| "–".into(), |ns| number(1e3 / ns)),
            number(1e3 / both),
            ratio(python, Some(both)),
        ])
    });
    section(
        "Locked increments (millions a second)",
        "A number that the lock guards is counted up, by one process alone and by two at once. The end value is checked.",
        &["", "one process", "two processes", "÷ Python's Value"],
        &rows.collect::<Vec<_>>(),
    )
}
