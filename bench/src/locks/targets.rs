//! What the locks are to reach.

use super::contestant::{Work, YARDSTICK};
use super::results::Results;
use crate::targets::Limit::{AtLeast, AtMost};
use crate::targets::{Target, both, quotient};
use crate::units::{duration, number};

const OURS: &str = "offspring";

/// All of them.
pub(crate) fn targets(results: &Results) -> Vec<Target> {
    let alone = [OURS, YARDSTICK].map(|id| results.alone(id, Work::Pair));
    let contended = [OURS, YARDSTICK].map(|id| results.both(id, Work::Pair));
    let [ours, python] = [OURS, "python-value"].map(|id| results.both(id, Work::Increment));
    vec![
        Target::new(
            "uncontended lock + unlock within 1.5× of a bare robust pthread mutex",
            quotient(alone[0], alone[1]),
            AtMost(1.5),
            |ratio| format!("{}×: {}", number(ratio), both(alone[0], alone[1], duration)),
        ),
        Target::new(
            "two processes contending within 1.5× of the bare robust mutex",
            quotient(contended[0], contended[1]),
            AtMost(1.5),
            |ratio| format!("{}×: {}", number(ratio), both(contended[0], contended[1], duration)),
        ),
        Target::new(
            "locked increment by two processes at least 5× Python's `Value`",
            quotient(python, ours),
            AtLeast(5.0),
            |ratio| format!("{}×: {}", number(ratio), both(ours, python, duration)),
        ),
    ]
}
