//! What came out, as it is written to `managers.json`.

use serde::Serialize;

use super::contestant::{Contestant, Crowd};
use crate::facts::Facts;
use crate::placement::Placement;
use crate::summary::{Rate, Summary, median, median_each};

/// Everything that came out.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) facts: Facts,
    pub(crate) rounds: usize,
    pub(crate) calls: Vec<Calls>,
    pub(crate) crowds: Vec<Flow<Crowd>>,
    pub(crate) tasks: Vec<Flow<()>>,
    pub(crate) failures: Vec<String>,
}

/// One caller.
#[derive(Debug, Serialize)]
pub(crate) struct Calls {
    #[serde(rename = "contestant", serialize_with = "id")]
    pub(crate) who: &'static Contestant,
    pub(crate) placement: Placement,
    /// The time of a call in nanoseconds: one summary a round.
    pub(crate) rounds: Vec<Summary>,
}

/// How often something was done: one rate a round.
#[derive(Debug, Serialize)]
pub(crate) struct Flow<W> {
    #[serde(rename = "contestant", serialize_with = "id")]
    pub(crate) who: &'static Contestant,
    pub(crate) what: W,
    pub(crate) rounds: Vec<Rate>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "so serde has it")]
fn id<S: serde::Serializer>(who: &&'static Contestant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(who.id)
}

impl Results {
    /// The time of a call of one caller, in nanoseconds.
    pub(crate) fn call(&self, id: &str, placement: Placement) -> Option<f64> {
        let calls = self.calls.iter().find(|calls| (calls.who.id, calls.placement) == (id, placement))?;
        median(calls.rounds.iter().map(|round| round.p50))
    }

    /// The lowest and the highest round of the same.
    pub(crate) fn call_range(&self, id: &str, placement: Placement) -> Option<[u64; 2]> {
        let calls = self.calls.iter().find(|calls| (calls.who.id, calls.placement) == (id, placement))?;
        let rounds = || calls.rounds.iter().map(|round| round.p50);
        Some([rounds().min()?, rounds().max()?])
    }

    /// Calls a second of a crowd.
    pub(crate) fn crowd(&self, id: &str, crowd: Crowd) -> Option<f64> {
        let flow = self.crowds.iter().find(|flow| (flow.who.id, flow.what) == (id, crowd))?;
        median_each(&flow.rounds).map(|ns| 1e9 / ns)
    }

    /// Tasks a second.
    pub(crate) fn tasks(&self, id: &str) -> Option<f64> {
        let flow = self.tasks.iter().find(|flow| flow.who.id == id)?;
        median_each(&flow.rounds).map(|ns| 1e9 / ns)
    }
}
