//! What managers are to reach.

use super::contestant::{Contestant, Crowd, Kind, Socket};
use super::results::Results;
use crate::placement::Placement::Free;
use crate::targets::Limit::{AtLeast, AtMost};
use crate::targets::{Target, both, quotient};
use crate::units::{duration, number};

/// All of them.
pub(crate) fn targets(results: &Results) -> Vec<Target> {
    let mut targets = Vec::new();
    for (socket, name) in [(Socket::Local, "a Unix socket"), (Socket::Tcp, "TCP")] {
        let [bare, ours, python] = [Kind::Bare, Kind::Offspring, Kind::Python]
            .map(|kind| results.call(Contestant::of(kind, socket), Free));
        targets.push(Target::new(
            &format!("a call over {name} at least 10× as fast as Python's manager"),
            quotient(python, ours),
            AtLeast(10.0),
            |ratio| format!("{}×: {}", number(ratio), both(ours, python, duration)),
        ));
        targets.push(Target::new(
            &format!("one caller over {name} within 1.5× of the bare socket"),
            quotient(ours, bare),
            AtMost(1.5),
            |ratio| format!("{}×: {}", number(ratio), both(ours, bare, duration)),
        ));
        let ours = Contestant::of(Kind::Offspring, socket);
        let best = Crowd::ALL
            .iter()
            .filter_map(|crowd| Some((results.crowd(ours, *crowd)?, crowd.label())))
            .max_by(|one, other| one.0.total_cmp(&other.0));
        targets.push(Target::new(
            &format!("pipelined callers over {name} above 500,000 calls a second"),
            best.as_ref().map(|(rate, _)| *rate),
            AtLeast(500_000.0),
            |rate| {
                format!(
                    "{} thousand: {}",
                    number(rate / 1e3),
                    best.map_or_else(String::new, |(_, crowd)| crowd)
                )
            },
        ));
    }
    targets
}
