//! What was to be reached, and whether it was.

use serde::Serialize;

use crate::tables::section;

/// One sentence of what was to be reached.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) sentence: String,
    /// What came out, in words.
    pub(crate) measured: String,
    /// Unless something that it takes was not measured.
    pub(crate) reached: Option<bool>,
}

/// Which side of the limit is the good one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    /// Compares a value with a limit; the value is told with what it comes from.
    pub(crate) fn new(
        sentence: &str,
        value: Option<f64>,
        limit: Limit,
        told: impl FnOnce(f64) -> String,
    ) -> Self {
        Self {
            sentence: sentence.into(),
            measured: value.map_or_else(|| "–".into(), told),
            reached: value.map(|value| match limit {
                Limit::AtMost(most) => value <= most,
                Limit::AtLeast(least) => value >= least,
            }),
        }
    }
}

/// All of them, as Markdown.
pub(crate) fn table(targets: &[Target]) -> Option<String> {
    let rows = targets.iter().map(|target| {
        let reached = match target.reached {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "not measured",
        };
        vec![target.sentence.clone(), target.measured.clone(), reached.to_owned()]
    });
    section(
        "Targets",
        "What offspring is to reach, by the figures of the tables below.",
        &["to reach", "measured", "reached"],
        &rows.collect::<Vec<_>>(),
    )
}

/// How many times the other a value is.
pub(crate) fn quotient(value: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(value? / other?)
}

/// Both values, ours first.
pub(crate) fn both(ours: Option<f64>, other: Option<f64>, unit: fn(f64) -> String) -> String {
    let told = |value: Option<f64>| value.map_or_else(|| "–".into(), unit);
    format!("{} beside {}", told(ours), told(other))
}
