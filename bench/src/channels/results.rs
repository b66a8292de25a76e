//! What came out, as it is written to `channels.json`.

use serde::Serialize;

use super::contestant::Contestant;
use crate::facts::Facts;
use crate::placement::Placement;
use crate::summary::{Rate, Summary, median, median_each};

/// Everything that came out.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) facts: Facts,
    pub(crate) rounds: usize,
    /// Messages between two.
    pub(crate) cells: Vec<Cell>,
    /// Two producers and two consumers.
    pub(crate) crowds: Vec<Crowd>,
    /// What two that wait take of the processors.
    pub(crate) idle: Vec<Idle>,
    pub(crate) failures: Vec<String>,
}

/// Messages of one contestant, of one size, in one placement.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    #[serde(rename = "contestant", serialize_with = "id")]
    pub(crate) who: &'static Contestant,
    pub(crate) placement: Placement,
    pub(crate) size: usize,
    /// One summary a round.
    pub(crate) round_trip_ns: Vec<Summary>,
    pub(crate) one_way: Vec<Rate>,
}

/// The queue of many of one contestant.
#[derive(Debug, Serialize)]
pub(crate) struct Crowd {
    #[serde(rename = "contestant", serialize_with = "id")]
    pub(crate) who: &'static Contestant,
    pub(crate) placement: Placement,
    pub(crate) items: Vec<Rate>,
}

/// A driver and a peer that waits for it.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    #[serde(rename = "contestant", serialize_with = "id")]
    pub(crate) who: &'static Contestant,
    pub(crate) millis: u64,
    pub(crate) cpu_ns: u64,
}

fn id<S: serde::Serializer>(who: &Contestant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(who.id)
}

impl Results {
    fn cell(&self, id: &str, placement: Placement, size: usize) -> Option<&Cell> {
        self.cells.iter().find(|cell| (cell.who.id, cell.placement, cell.size) == (id, placement, size))
    }

    /// The median round trip, in nanoseconds.
    pub(crate) fn round_trip(&self, id: &str, placement: Placement, size: usize) -> Option<f64> {
        median(self.cell(id, placement, size)?.round_trip_ns.iter().map(|round| round.p50))
    }

    /// The lowest and the highest of the rounds' medians.
    pub(crate) fn round_trips(&self, id: &str, placement: Placement, size: usize) -> Option<[f64; 2]> {
        let rounds = &self.cell(id, placement, size)?.round_trip_ns;
        let of = |value: Option<u64>| median(value);
        Some([
            of(rounds.iter().map(|round| round.p50).min())?,
            of(rounds.iter().map(|round| round.p50).max())?,
        ])
    }

    /// The time from one message to the next in one direction, in nanoseconds.
    pub(crate) fn one_way(&self, id: &str, placement: Placement, size: usize) -> Option<f64> {
        median_each(&self.cell(id, placement, size)?.one_way)
    }

    /// The time from one item to the next through the queue of many, in nanoseconds.
    pub(crate) fn crowd(&self, id: &str, placement: Placement) -> Option<f64> {
        let mut crowds = self.crowds.iter();
        median_each(&crowds.find(|crowd| (crowd.who.id, crowd.placement) == (id, placement))?.items)
    }

    /// The processor time of two that wait.
    pub(crate) fn idle(&self, id: &str) -> Option<&Idle> {
        self.idle.iter().find(|idle| idle.who.id == id)
    }
}
