//! What came out, as it is written to `start.json`.

use serde::Serialize;

use super::contestant::{Contestant, Parent};
use super::guard::Guard;
use super::protocol::Batch;
use crate::facts::Facts;
use crate::summary::{Summary, median};

/// Everything that came out.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) facts: Facts,
    pub(crate) rounds: usize,
    /// Start and join, back to back.
    pub(crate) started: Vec<Started>,
    /// The same with a pause after each.
    pub(crate) paced: Vec<Started>,
    pub(crate) idle_count: usize,
    pub(crate) idle: Vec<Idle>,
    pub(crate) parked: Option<Parked>,
    pub(crate) guards: Vec<Guard>,
    pub(crate) failures: Vec<String>,
}

/// Start and join of one contestant from one parent.
#[derive(Debug, Serialize)]
pub(crate) struct Started {
    #[serde(rename = "contestant", serialize_with = "id")]
    pub(crate) who: &'static Contestant,
    pub(crate) parent: Parent,
    /// What the parent has in memory.
    pub(crate) parent_resident_kib: u64,
    pub(crate) batch: Batch,
    /// The call that starts: one summary a round.
    pub(crate) call_ns: Vec<Summary>,
    /// Start and join together.
    pub(crate) whole_ns: Vec<Summary>,
}

/// Idle children of one contestant.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    #[serde(rename = "contestant", serialize_with = "id")]
    pub(crate) who: &'static Contestant,
    /// When the last was ready: one value a round.
    pub(crate) ready_ns: Vec<u64>,
    /// The private memory of those that were looked at, in all rounds.
    pub(crate) private_kib: Summary,
}

/// Spares that wait for work.
#[derive(Debug, Serialize)]
pub(crate) struct Parked {
    pub(crate) count: usize,
    pub(crate) private_kib: Summary,
    /// How long they were watched, and
    pub(crate) millis: u64,
    /// the processor time that they and their server took meanwhile, in ticks of 10 ms.
    pub(crate) ticks: u64,
}

fn id<S: serde::Serializer>(who: &Contestant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(who.id)
}

/// The median over the rounds of their medians.
pub(crate) fn p50(rounds: &[Summary]) -> Option<f64> {
    median(rounds.iter().map(|round| round.p50))
}

/// The median over the rounds of their 99th percentiles.
pub(crate) fn p99(rounds: &[Summary]) -> Option<f64> {
    median(rounds.iter().map(|round| round.p99))
}

impl Results {
    /// Start and join of a contestant from a parent.
    pub(crate) fn started(&self, id: &str, parent: Parent) -> Option<&Started> {
        self.started.iter().find(|started| started.who.id == id && started.parent == parent)
    }

    /// The idle children of a contestant.
    pub(crate) fn idle(&self, id: &str) -> Option<&Idle> {
        self.idle.iter().find(|idle| idle.who.id == id)
    }
}
