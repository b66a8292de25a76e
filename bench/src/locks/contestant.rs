//! Who takes part.

use serde::Serialize;

/// A lock of some kind.
#[derive(Debug)]
pub(crate) struct Contestant {
    /// What it is called on command lines and in raw results.
    pub(crate) id: &'static str,
    /// What it is called in tables.
    pub(crate) label: &'static str,
    pub(crate) kind: Kind,
    /// Whether it is measured with nothing to guard, as a bare lock,
    pub(crate) bare: bool,
    /// and with a number that is counted up.
    pub(crate) counts: bool,
}

/// What locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A mutex of the C library that processes share: the yardstick when it is robust.
    Pthread { robust: bool },
    /// `offspring::sync::Mutex`.
    Offspring,
    /// `std::sync::Mutex` between threads: a bound.
    Std,
    /// Python's `multiprocessing`, by this name.
    Python(&'static str),
}

/// What is done, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(crate) enum Work {
    /// Lock and unlock.
    Pair,
    /// Lock, add one to the number that the lock guards, and unlock.
    Increment,
}

/// The yardstick.
pub(crate) const YARDSTICK: &str = "pthread-robust";

/// All contestants, in the order in which they take turns.
pub(crate) const ALL: [Contestant; 8] = [
    contestant(YARDSTICK, "pthread mutex, robust", Kind::Pthread { robust: true }, true, true),
    contestant("pthread", "pthread mutex, process-shared", Kind::Pthread { robust: false }, true, true),
    contestant("offspring", "offspring, Mutex", Kind::Offspring, true, true),
    contestant("std", "std::sync::Mutex, between threads", Kind::Std, true, true),
    contestant("python-lock", "Python, Lock", Kind::Python("lock"), true, false),
    contestant("python-with", "Python, `with` Lock", Kind::Python("with"), true, false),
    contestant("python-rlock", "Python, RLock", Kind::Python("rlock"), true, false),
    contestant("python-value", "Python, Value", Kind::Python("value"), false, true),
];

const fn contestant(
    id: &'static str,
    label: &'static str,
    kind: Kind,
    bare: bool,
    counts: bool,
) -> Contestant {
    Contestant { id, label, kind, bare, counts }
}

impl Contestant {
    /// The contestant of this id.
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        ALL.iter().find(|contestant| contestant.id == id)
    }

    /// Whether this is the library that all this is about.
    pub(crate) fn is_ours(&self) -> bool {
        self.kind == Kind::Offspring
    }

    /// Whether it is measured with this.
    pub(crate) fn does(&self, work: Work) -> bool {
        match work {
            Work::Pair => self.bare,
            Work::Increment => self.counts,
        }
    }
}
