//! Who takes part, and from which parents.

use offspring::StartMethod;
use serde::Serialize;

/// How many spares the contestant with spares keeps.
pub(crate) const SPARES: usize = 8;

/// Somebody who can start processes.
#[derive(Debug)]
pub(crate) struct Contestant {
    /// What it is called on command lines and in raw results.
    pub(crate) id: &'static str,
    /// What it is called in tables.
    pub(crate) label: &'static str,
    pub(crate) kind: Kind,
    /// How many rounds of a thousand idle children it can be asked for; the slow ones get fewer.
    pub(crate) idle_rounds: usize,
}

/// How a contestant starts processes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// fork(2), `_exit`, waitpid(2): the yardstick.
    Fork,
    /// [`std::process::Command`] on the same program.
    Command,
    Procspawn,
    Offspring {
        method: StartMethod,
        spares: usize,
    },
    /// Python's `multiprocessing`, with the start method of this name.
    Python(&'static str),
}

/// The parent that starts the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Parent {
    /// A program that has just begun.
    Small,
    /// One that has written to every page of a heap of 1 GiB.
    Large,
}

impl Parent {
    pub(crate) const ALL: [Self; 2] = [Self::Small, Self::Large];

    /// The size of its heap.
    pub(crate) fn mib(self) -> usize {
        match self {
            Self::Small => 0,
            Self::Large => 1024,
        }
    }
}

/// The yardstick.
pub(crate) const YARDSTICK: &str = "fork";

/// All contestants, in the order in which they take turns.
pub(crate) const ALL: [Contestant; 10] = [
    Contestant { id: YARDSTICK, label: "bare fork + _exit + waitpid", kind: Kind::Fork, idle_rounds: 5 },
    offspring("offspring-spares", "offspring, forkserver with spares", StartMethod::ForkServer, SPARES),
    offspring("offspring-forkserver", "offspring, forkserver", StartMethod::ForkServer, 0),
    offspring("offspring-fork", "offspring, fork", StartMethod::Fork, 0),
    offspring("offspring-spawn", "offspring, spawn", StartMethod::Spawn, 0),
    Contestant {
        id: "command",
        label: "std::process::Command, same program",
        kind: Kind::Command,
        idle_rounds: 5,
    },
    Contestant { id: "procspawn", label: "procspawn", kind: Kind::Procspawn, idle_rounds: 5 },
    python("python-fork", "Python, fork", "fork", 3),
    python("python-forkserver", "Python, forkserver", "forkserver", 2),
    python("python-spawn", "Python, spawn", "spawn", 1),
];

const fn offspring(id: &'static str, label: &'static str, method: StartMethod, spares: usize) -> Contestant {
    Contestant { id, label, kind: Kind::Offspring { method, spares }, idle_rounds: 5 }
}

const fn python(
    id: &'static str,
    label: &'static str,
    method: &'static str,
    idle_rounds: usize,
) -> Contestant {
    Contestant { id, label, kind: Kind::Python(method), idle_rounds }
}

impl Contestant {
    /// The contestant of this id.
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        ALL.iter().find(|contestant| contestant.id == id)
    }

    /// Whether this is the library that all this is about.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.kind, Kind::Offspring { .. })
    }
}
