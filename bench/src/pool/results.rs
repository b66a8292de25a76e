//! What came out, as it is written to `pool.json`.

use serde::{Serialize, Serializer};

use super::contestant::{Contestant, Pass, Way};
use super::protocol::Life;
use super::tasks::LARGE;
use crate::facts::Facts;
use crate::placement::Placement;
use crate::summary::{Rate, Summary, median, median_each};

/// Everything that came out.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) facts: Facts,
    pub(crate) rounds: usize,
    /// Tasks that do next to nothing.
    pub(crate) tiny: Vec<Flow>,
    /// Tasks with an argument of 1 MiB.
    pub(crate) large: Vec<Flow>,
    /// One task after the other.
    pub(crate) singles: Vec<Singles>,
    /// Tasks of a millisecond.
    pub(crate) even: Works,
    /// Tasks of which few take very long.
    pub(crate) skewed: Works,
    /// Numbers in memory that the workers share.
    pub(crate) slices: Vec<Slice>,
    pub(crate) idle: Vec<Idle>,
    pub(crate) watched: Vec<Watched>,
    pub(crate) lives: Vec<Lives>,
    /// Who could not take part, and why.
    pub(crate) absent: Vec<Absent>,
    pub(crate) failures: Vec<String>,
}

/// Many tasks given to one contestant.
#[derive(Debug, Serialize)]
pub(crate) struct Flow {
    #[serde(rename = "contestant")]
    pub(crate) who: &'static Contestant,
    pub(crate) way: Way,
    /// How many at once.
    pub(crate) count: u64,
    /// One rate a round.
    pub(crate) tasks: Vec<Rate>,
}

/// One contestant going over many numbers in memory that its workers share.
#[derive(Debug, Serialize)]
pub(crate) struct Slice {
    #[serde(rename = "contestant")]
    pub(crate) who: &'static Contestant,
    pub(crate) pass: Pass,
    pub(crate) count: u64,
    /// One rate a round.
    pub(crate) elements: Vec<Rate>,
}

/// One task after the other, each when the one before is done.
#[derive(Debug, Serialize)]
pub(crate) struct Singles {
    #[serde(rename = "contestant")]
    pub(crate) who: &'static Contestant,
    pub(crate) placement: Placement,
    /// Whether the argument has 1 MiB.
    pub(crate) large: bool,
    /// One summary a round.
    pub(crate) ns: Vec<Summary>,
}

/// Tasks that take their time.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Works {
    pub(crate) count: usize,
    /// What no schedule can do without.
    pub(crate) ideal_ns: u64,
    /// What it takes if whoever is free has the next.
    pub(crate) in_order_ns: u64,
    pub(crate) runs: Vec<Worked>,
}

/// One contestant at them.
#[derive(Debug, Serialize)]
pub(crate) struct Worked {
    #[serde(rename = "contestant")]
    pub(crate) who: &'static Contestant,
    pub(crate) way: Way,
    /// One time a round.
    pub(crate) ns: Vec<u64>,
}

/// A pool that has nothing to do.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    #[serde(rename = "contestant")]
    pub(crate) who: &'static Contestant,
    pub(crate) millis: u64,
    pub(crate) cpu_ns: u64,
}

/// The memory of the process that goes through results.
#[derive(Debug, Serialize)]
pub(crate) struct Watched {
    #[serde(rename = "contestant")]
    pub(crate) who: &'static Contestant,
    /// After how many results,
    pub(crate) looks: Vec<u64>,
    /// how much there was.
    pub(crate) resident_kib: Vec<u64>,
    pub(crate) ns: u64,
}

/// Pools from the beginning to the end.
#[derive(Debug, Serialize)]
pub(crate) struct Lives {
    #[serde(rename = "contestant")]
    pub(crate) who: &'static Contestant,
    /// Each the first of a program.
    pub(crate) first: Vec<Life>,
    /// Those that the same programs had after it.
    pub(crate) next: Vec<Life>,
}

/// A contestant that could not take part.
#[derive(Debug, Serialize)]
pub(crate) struct Absent {
    #[serde(rename = "contestant")]
    pub(crate) who: &'static Contestant,
    pub(crate) why: String,
}

impl Serialize for Contestant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}

/// The time of one task, in nanoseconds.
fn each(flows: &[Flow], id: &str, way: Way) -> Option<f64> {
    median_each(&flows.iter().find(|flow| (flow.who.id, flow.way) == (id, way))?.tasks)
}

impl Works {
    /// The median time, in nanoseconds.
    pub(crate) fn took(&self, id: &str, way: Way) -> Option<f64> {
        median(self.runs.iter().find(|run| (run.who.id, run.way) == (id, way))?.ns.iter().copied())
    }

    /// How many times the ideal that is.
    #[expect(clippy::cast_precision_loss, reason = "times stay far below 2^52")]
    pub(crate) fn over_ideal(&self, id: &str, way: Way) -> Option<f64> {
        Some(self.took(id, way)? / self.ideal_ns as f64)
    }
}

impl Results {
    /// How many million tiny tasks a second.
    pub(crate) fn millions(&self, id: &str, way: Way) -> Option<f64> {
        each(&self.tiny, id, way).map(|ns| 1e3 / ns)
    }

    /// How many GiB of arguments a second.
    #[expect(clippy::cast_precision_loss, reason = "the size stays far below 2^52")]
    pub(crate) fn gib_per_second(&self, id: &str, way: Way) -> Option<f64> {
        each(&self.large, id, way).map(|ns| LARGE as f64 / ns * 1e9 / f64::from(1 << 30))
    }

    /// How many million elements of shared memory a second.
    pub(crate) fn elements(&self, id: &str, pass: Pass) -> Option<f64> {
        let slice = self.slices.iter().find(|slice| (slice.who.id, slice.pass) == (id, pass))?;
        median_each(&slice.elements).map(|ns| 1e3 / ns)
    }

    fn singles(&self, id: &str, placement: Placement, large: bool) -> Option<&[Summary]> {
        let mut singles = self.singles.iter();
        let found = |of: &&Singles| (of.who.id, of.placement, of.large) == (id, placement, large);
        singles.find(found).map(|singles| &*singles.ns)
    }

    /// The median time of a task by itself, in nanoseconds.
    pub(crate) fn single(&self, id: &str, placement: Placement, large: bool) -> Option<f64> {
        median(self.singles(id, placement, large)?.iter().map(|round| round.p50))
    }

    /// The time that one of a hundred exceeds.
    pub(crate) fn slow_single(&self, id: &str, placement: Placement, large: bool) -> Option<f64> {
        median(self.singles(id, placement, large)?.iter().map(|round| round.p99))
    }

    /// The lowest and the highest of the rounds' medians.
    pub(crate) fn single_range(&self, id: &str, placement: Placement, large: bool) -> Option<[f64; 2]> {
        let rounds = self.singles(id, placement, large)?.iter().map(|round| round.p50);
        Some([median(rounds.clone().min())?, median(rounds.max())?])
    }

    /// What a pool without tasks takes of the processors.
    pub(crate) fn idle(&self, id: &str) -> Option<&Idle> {
        self.idle.iter().find(|idle| idle.who.id == id)
    }

    /// How a process's memory grew while it went through results.
    pub(crate) fn watched(&self, id: &str) -> Option<&Watched> {
        self.watched.iter().find(|watched| watched.who.id == id)
    }

    /// The lives of the first pools of programs.
    pub(crate) fn first_result(&self, id: &str) -> Option<f64> {
        median(self.lives.iter().find(|lives| lives.who.id == id)?.first.iter().map(|life| life.first_result))
    }
}
