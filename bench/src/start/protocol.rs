//! What conductor and drivers say to each other. `python/start.py` says the same.

use serde::{Deserialize, Serialize};

/// What a driver is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Start a child that does nothing and join it, again and again.
    Start(Batch),
    /// Have this many idle children at once, and look at the memory of some.
    Idle { count: usize, looked_at: usize },
    /// Look at the spares that wait in reserve, over this time.
    Parked { millis: u64 },
}

/// How long a batch goes on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Batch {
    /// Until this time is over,
    pub(crate) millis: u64,
    /// but not before there are this many samples,
    pub(crate) least: usize,
    /// nor after there are this many.
    pub(crate) most: usize,
    /// The pause between two samples.
    pub(crate) pause_us: u64,
}

/// What a driver answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The samples of a batch: the call that starts, and start and join together.
    Started { call_ns: Vec<u64>, whole_ns: Vec<u64> },
    /// When the last idle child was ready, and the private memory of some.
    Idle { ready_ns: u64, private_kib: Vec<u64> },
    /// The private memory of each spare, and the processor time that the server and all spares took together.
    Parked { private_kib: Vec<u64>, ticks: u64 },
}
