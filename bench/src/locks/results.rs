//! What came out, as it is written to `locks.json`.

use serde::Serialize;

use super::contestant::{Contestant, Work};
use crate::facts::Facts;
use crate::summary::{Rate, median_each};

/// Everything that came out.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) facts: Facts,
    pub(crate) rounds: usize,
    pub(crate) cells: Vec<Cell>,
    pub(crate) failures: Vec<String>,
}

/// One contestant at one work.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    #[serde(rename = "contestant", serialize_with = "id")]
    pub(crate) who: &'static Contestant,
    pub(crate) work: Work,
    /// How often in which time, when nobody else wants the lock: one a round.
    pub(crate) alone: Vec<Rate>,
    /// The same when two want it, for both together.
    pub(crate) both: Vec<Rate>,
}

fn id<S: serde::Serializer>(who: &Contestant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(who.id)
}

impl Results {
    fn cell(&self, id: &str, work: Work) -> Option<&Cell> {
        self.cells.iter().find(|cell| (cell.who.id, cell.work) == (id, work))
    }

    /// The time of one when nobody else wants the lock, in nanoseconds.
    pub(crate) fn alone(&self, id: &str, work: Work) -> Option<f64> {
        median_each(&self.cell(id, work)?.alone)
    }

    /// The time of one when two want it, in nanoseconds.
    pub(crate) fn both(&self, id: &str, work: Work) -> Option<f64> {
        median_each(&self.cell(id, work)?.both)
    }

    /// The lowest and the highest round of the same.
    pub(crate) fn both_range(&self, id: &str, work: Work) -> Option<[f64; 2]> {
        let rounds =
            || self.cell(id, work).into_iter().flat_map(|cell| &cell.both).map(|rate| rate.ns_each());
        Some([rounds().min_by(f64::total_cmp)?, rounds().max_by(f64::total_cmp)?])
    }
}
