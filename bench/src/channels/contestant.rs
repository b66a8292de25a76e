//! Who takes part, and with which sizes.

use crate::placement::Placement;

/// The sizes of messages, in bytes.
pub(crate) const SIZES: [usize; 5] = [8, 1 << 10, 64 << 10, 1 << 20, 64 << 20];

/// What is measured in a placement.
pub(crate) fn sizes(placement: Placement) -> &'static [usize] {
    if placement == Placement::Apart { &[8, 1 << 20] } else { &SIZES }
}

/// From this size on, buffers for messages are few.
pub(crate) const HUGE: usize = 16 << 20;

/// Somebody who can bring messages from one process to another.
#[derive(Debug)]
pub(crate) struct Contestant {
    /// What it is called on command lines and in raw results.
    pub(crate) id: &'static str,
    /// What it is called in tables.
    pub(crate) label: &'static str,
    pub(crate) kind: Kind,
    /// The smallest message that it is for.
    pub(crate) least: usize,
    /// Whether several can send to several.
    pub(crate) many: bool,
    /// Whether a receiver that waits takes a CPU for itself: then it exists in its own turns only.
    pub(crate) polls: bool,
}

/// How a contestant brings messages across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// memcpy within a process: as fast as bytes can get from one place to another.
    Memcpy,
    /// crossbeam-channel between two threads: messages move without being copied.
    Crossbeam,
    /// A ring in shared memory, written by hand: spins for a while before it sleeps, or sleeps at once.
    Ring {
        spins: bool,
    },
    /// Buffers that stay mapped and are reused, written by hand: what they hold is read where it lies.
    Slots,
    Offspring(Offspring),
    /// A Unix socket, `SOCK_STREAM` or `SOCK_SEQPACKET`.
    Socket {
        packets: bool,
    },
    /// ipc-channel, of values or of bytes.
    IpcChannel {
        typed: bool,
    },
    /// iceoryx2, publish-subscribe; the subscriber polls, or sleeps until an event. It reads a message where it lies, or copies
    /// it into a buffer of its own.
    Iceoryx {
        polls: bool,
        copies: bool,
    },
    /// Python's `multiprocessing`, with the transport of this name.
    Python(&'static str),
}

/// What of offspring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offspring {
    /// Two of `channel`, one for each direction.
    Channel,
    /// The two ends of `pipe`.
    Pipe,
}

/// All contestants, in the order in which they take turns.
pub(crate) const ALL: [Contestant; 16] = [
    Contestant { least: 1 << 10, ..plain("memcpy", "memcpy within a process", Kind::Memcpy) },
    Contestant { many: true, ..plain("crossbeam", "crossbeam-channel, between threads", Kind::Crossbeam) },
    plain("ring-spin", "hand-written ring, spins 50 µs", Kind::Ring { spins: true }),
    plain("ring-sleep", "hand-written ring, sleeps at once", Kind::Ring { spins: false }),
    Contestant { least: 64 << 10, ..plain("slots", "hand-written reused buffers, in place", Kind::Slots) },
    Contestant {
        many: true,
        ..plain("offspring", "offspring, channel", Kind::Offspring(Offspring::Channel))
    },
    plain("offspring-pipe", "offspring, pipe", Kind::Offspring(Offspring::Pipe)),
    plain("socket-stream", "Unix socket, stream", Kind::Socket { packets: false }),
    Contestant {
        many: true,
        ..plain("socket-packet", "Unix socket, seqpacket", Kind::Socket { packets: true })
    },
    plain("ipc-channel", "ipc-channel, typed", Kind::IpcChannel { typed: true }),
    plain("ipc-channel-bytes", "ipc-channel, bytes", Kind::IpcChannel { typed: false }),
    Contestant {
        polls: true,
        ..plain("iceoryx2-poll", "iceoryx2, polling", Kind::Iceoryx { polls: true, copies: false })
    },
    plain("iceoryx2-event", "iceoryx2, events", Kind::Iceoryx { polls: false, copies: false }),
    plain("iceoryx2-copy", "iceoryx2, events, copied out", Kind::Iceoryx { polls: false, copies: true }),
    plain("python-pipe", "Python, Pipe (bytes)", Kind::Python("pipe")),
    Contestant { many: true, ..plain("python-queue", "Python, Queue", Kind::Python("queue")) },
];

const fn plain(id: &'static str, label: &'static str, kind: Kind) -> Contestant {
    Contestant { id, label, kind, least: 0, many: false, polls: false }
}

impl Contestant {
    /// The contestant of this id.
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        ALL.iter().find(|contestant| contestant.id == id)
    }

    /// Whether this is the library that all this is about.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.kind, Kind::Offspring(_))
    }
}
