//! Who takes part.

use serde::{Deserialize, Serialize};

/// Calls of some kind, over some kind of socket.
#[derive(Debug)]
pub(crate) struct Contestant {
    /// What it is called on command lines and in raw results.
    pub(crate) id: &'static str,
    /// What it is called in tables.
    pub(crate) label: &'static str,
    pub(crate) kind: Kind,
    pub(crate) socket: Socket,
}

/// What calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request is written to a socket, and the answer read: the yardstick. Each caller has a socket of its own, and a thread at the
    /// server.
    Bare,
    /// A proxy of `offspring::Manager`.
    Offspring,
    /// A proxy of Python's `multiprocessing.managers`.
    Python,
}

/// What calls go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    /// A Unix socket.
    Local,
    /// TCP over the loopback device, without Nagle's algorithm.
    Tcp,
}

impl Socket {
    /// What it is called on command lines.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Tcp => "tcp",
        }
    }
}

/// All contestants, in the order in which they take turns.
pub(crate) const ALL: [Contestant; 6] = [
    contestant("bare-local", "bare Unix socket", Kind::Bare, Socket::Local),
    contestant("offspring-local", "offspring, Unix socket", Kind::Offspring, Socket::Local),
    contestant("python-local", "Python, Unix socket", Kind::Python, Socket::Local),
    contestant("bare-tcp", "bare TCP socket", Kind::Bare, Socket::Tcp),
    contestant("offspring-tcp", "offspring, TCP", Kind::Offspring, Socket::Tcp),
    contestant("python-tcp", "Python, TCP", Kind::Python, Socket::Tcp),
];

const fn contestant(id: &'static str, label: &'static str, kind: Kind, socket: Socket) -> Contestant {
    Contestant { id, label, kind, socket }
}

impl Contestant {
    /// The contestant of this id.
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        ALL.iter().find(|contestant| contestant.id == id)
    }

    /// The one of a kind.
    pub(crate) fn of(kind: Kind, socket: Socket) -> &'static str {
        ALL.iter().find(|who| (who.kind, who.socket) == (kind, socket)).map_or("", |who| who.id)
    }

    /// Whether this is the library that all this is about.
    pub(crate) fn is_ours(&self) -> bool {
        self.kind == Kind::Offspring
    }

    /// Whether these can call it.
    pub(crate) fn takes(&self, crowd: Crowd) -> bool {
        crowd.ahead == 1 || self.kind != Kind::Python
    }

    /// Whether it has tasks done.
    pub(crate) fn has_tasks(&self) -> bool {
        self.kind != Kind::Bare
    }
}

/// Callers that call at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Crowd {
    pub(crate) processes: usize,
    /// In each of them.
    pub(crate) threads: usize,
    /// How many calls of each thread are on their way at once.
    pub(crate) ahead: usize,
}

impl Crowd {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self { processes: 1, threads: 1, ahead: 1 },
        Self { processes: 1, threads: 2, ahead: 1 },
        Self { processes: 1, threads: 8, ahead: 1 },
        Self { processes: 1, threads: 32, ahead: 1 },
        Self { processes: 4, threads: 1, ahead: 1 },
        Self { processes: 4, threads: 8, ahead: 1 },
        Self { processes: 1, threads: 1, ahead: 16 },
        Self { processes: 1, threads: 1, ahead: 64 },
        Self { processes: 1, threads: 1, ahead: 256 },
        Self { processes: 4, threads: 1, ahead: 64 },
    ];

    /// Those of which each waits for the answer before it calls again; those that do not.
    pub(crate) fn all(waits: bool) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |crowd| (crowd.ahead == 1) == waits)
    }

    /// What it is called in headings.
    pub(crate) fn label(self) -> String {
        let count =
            |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        match self {
            Self { processes: 1, threads, ahead: 1 } => count(threads, "thread", "threads"),
            Self { processes, threads: 1, ahead: 1 } => format!("{processes} processes"),
            Self { processes, threads, ahead: 1 } => format!("{processes} × {threads}"),
            Self { processes: 1, ahead, .. } => format!("1 thread, {ahead} on their way"),
            Self { processes, ahead, .. } => format!("{processes} processes, {ahead} each"),
        }
    }
}

/// How many processes do tasks.
pub(crate) const WORKERS: usize = 2;
