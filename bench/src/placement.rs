//! Where a driver and the processes that it talks to may run.

use serde::Serialize;

/// Where the two processes may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Placement {
    /// Wherever the kernel puts them: it likes to put those that wake each other on one CPU, but not always.
    Free,
    /// Each on a CPU of its own.
    Apart,
    /// Both on one CPU.
    Pinned,
}

impl Placement {
    pub(crate) const ALL: [Self; 3] = [Self::Free, Self::Apart, Self::Pinned];

    /// Those in which everything is measured.
    pub(crate) const MAIN: [Self; 2] = [Self::Free, Self::Pinned];

    /// The placement of this id.
    pub(crate) fn find(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|placement| placement.id() == id)
    }

    /// What it is called on command lines.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Apart => "apart",
            Self::Pinned => "pinned",
        }
    }

    /// What it is called in headings.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Free => "placed freely",
            Self::Apart => "on two CPUs",
            Self::Pinned => "on one CPU",
        }
    }
}
