//! Who takes part, and in which ways tasks are given to them.

use serde::{Deserialize, Serialize};

/// How many workers each pool has.
pub(crate) const WORKERS: usize = 2;

/// How many tasks [`Way::Batches`] puts together.
pub(crate) const BATCH: usize = 64;

/// Somebody who can have tasks done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contestant {
    /// What it is called on command lines and in raw results.
    pub(crate) id: &'static str,
    /// What it is called in tables.
    pub(crate) label: &'static str,
    pub(crate) kind: Kind,
    /// How many tasks that do next to nothing can be given to it,
    pub(crate) tiny: &'static [Way],
    /// and such that take their time.
    pub(crate) work: &'static [Way],
    /// How it is given arguments of 1 MiB.
    pub(crate) large: Option<Way>,
    /// Over how many inputs its parent's memory is watched.
    pub(crate) watched: Option<u64>,
    /// Whether its pool's beginning and end are measured.
    pub(crate) lives: bool,
    /// What it does to memory that it shares.
    pub(crate) passes: &'static [Pass],
}

/// What does the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `offspring::Pool`.
    Offspring,
    /// `procspawn::Pool`.
    Procspawn,
    /// Two threads at a pair of crossbeam's channels, written for this.
    Crossbeam,
    /// Rayon's pool of threads.
    Rayon,
    /// No pool: a peer at two rings in shared memory, written by hand, as in `channels`.
    Ring {
        spins: bool,
    },
    Python(Python),
}

/// A pool of Python's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Python {
    /// `multiprocessing.Pool`.
    Pool,
    /// `concurrent.futures.ProcessPoolExecutor`.
    Executor,
    /// `loky.ProcessPoolExecutor`, of this version.
    Loky(&'static str),
    /// `mpire.WorkerPool`, of this version.
    Mpire(&'static str),
}

impl Python {
    /// What `python/pool.py` calls it.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Executor => "executor",
            Self::Loky(_) => "loky",
            Self::Mpire(_) => "mpire",
        }
    }

    /// What pip has to install for it.
    pub(crate) fn requirement(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Pool | Self::Executor => None,
            Self::Loky(version) | Self::Mpire(version) => Some((self.id(), version)),
        }
    }
}

/// How many tasks are given to a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Way {
    /// `map`, in chunks that the pool chooses.
    Map,
    /// In order as `map`, each task by itself.
    Ones,
    /// In order as `map`, 64 at a time.
    Batches,
    /// `imap`, in chunks that the pool chooses.
    Imap,
    /// `imap_unordered`, in chunks that the pool chooses.
    Unordered,
    /// `imap_unordered`, 64 at a time.
    UnorderedBatches,
}

impl Way {
    pub(crate) const ALL: [Self; 6] =
        [Self::Map, Self::Ones, Self::Batches, Self::Imap, Self::Unordered, Self::UnorderedBatches];

    /// What it is called in tables.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Ones => "one by one",
            Self::Batches => "64 at a time",
            Self::Imap => "imap",
            Self::Unordered => "imap_unordered",
            Self::UnorderedBatches => "imap_unordered, 64 at a time",
        }
    }
}

/// What is done to numbers in memory that the workers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Pass {
    /// One is added to each, where it lies.
    InPlace,
    /// Each plus one goes to its place in other memory that is there,
    Into,
    /// or that is new.
    New,
}

impl Pass {
    pub(crate) const ALL: [Self; 3] = [Self::InPlace, Self::Into, Self::New];

    /// What it is called in tables.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::InPlace => "in place",
            Self::Into => "into a slice that is there",
            Self::New => "into a new slice",
        }
    }
}

/// The library that all this is about.
pub(crate) const OURS: &str = "offspring";

/// Somebody without a pool of processes.
const NOBODY: Contestant = Contestant {
    id: "",
    label: "",
    kind: Kind::Rayon,
    tiny: &[],
    work: &[],
    large: None,
    watched: None,
    lives: false,
    passes: &[],
};

/// A pool that does everything that pools of processes do.
const POOL: Contestant = Contestant { lives: true, ..NOBODY };

/// All contestants, in the order in which they take turns.
pub(crate) const ALL: [Contestant; 10] = [
    Contestant {
        kind: Kind::Offspring,
        tiny: &Way::ALL,
        work: &[Way::Map, Way::Ones],
        large: Some(Way::Map),
        watched: Some(100_000_000),
        passes: &Pass::ALL,
        ..called(OURS, "offspring", POOL)
    },
    Contestant {
        tiny: &Way::ALL,
        work: &[Way::Map, Way::Ones, Way::Unordered],
        ..python("python-pool", "Python, Pool", Python::Pool)
    },
    python("python-executor", "Python, ProcessPoolExecutor", Python::Executor),
    python("loky", "loky", Python::Loky("3.7.0")),
    Contestant {
        tiny: &[Way::Map, Way::Ones, Way::Batches, Way::Imap, Way::Unordered],
        work: &[Way::Map, Way::Ones],
        ..python("mpire", "mpire", Python::Mpire("2.10.2"))
    },
    Contestant {
        kind: Kind::Procspawn,
        tiny: &[Way::Ones],
        work: &[Way::Ones],
        large: Some(Way::Ones),
        ..called("procspawn", "procspawn, Pool", POOL)
    },
    Contestant {
        kind: Kind::Crossbeam,
        tiny: &[Way::Ones, Way::Batches],
        work: &[Way::Ones],
        large: Some(Way::Ones),
        ..called("crossbeam", "threads, crossbeam-channel", POOL)
    },
    Contestant {
        kind: Kind::Rayon,
        tiny: &[Way::Map, Way::Ones, Way::Batches],
        work: &[Way::Map, Way::Ones],
        passes: &Pass::ALL,
        ..called("rayon", "threads, rayon", POOL)
    },
    Contestant {
        kind: Kind::Ring { spins: true },
        ..called("ring-spin", "hand-written ring, spins 50 µs", NOBODY)
    },
    Contestant {
        kind: Kind::Ring { spins: false },
        ..called("ring-sleep", "hand-written ring, sleeps at once", NOBODY)
    },
];

const fn called(id: &'static str, label: &'static str, like: Contestant) -> Contestant {
    Contestant { id, label, ..like }
}

const fn python(id: &'static str, label: &'static str, kind: Python) -> Contestant {
    Contestant {
        kind: Kind::Python(kind),
        tiny: &[Way::Ones, Way::Batches],
        work: &[Way::Ones],
        large: Some(Way::Ones),
        watched: Some(1_000_000),
        ..called(id, label, POOL)
    }
}

impl Contestant {
    /// The contestant of this id.
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        ALL.iter().find(|contestant| contestant.id == id)
    }

    /// Whether this is the library that all this is about.
    pub(crate) fn is_ours(&self) -> bool {
        self.id == OURS
    }
}
