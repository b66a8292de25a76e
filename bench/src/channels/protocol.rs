//! What conductor and drivers say to each other. `python/channels.py` says the same.

use serde::{Deserialize, Serialize};

use crate::summary::Rate;

/// What a driver is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Start a peer that one can exchange messages of this size with, and warm up.
    Open { size: usize, least: usize },
    /// Send a message and wait for the one that comes back, again and again.
    RoundTrip(Batch),
    /// Send messages, until the peer has received the last.
    OneWay(Batch),
    /// Leave the peer alone for this long.
    Idle { millis: u64 },
    /// End the peer.
    Close {},
    /// Have two processes send items of 16 bytes to two others through one queue, for this long.
    Crowd { millis: u64 },
}

/// How long a batch goes on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Batch {
    /// Until this time is over,
    pub(crate) millis: u64,
    /// but not before there are this many messages.
    pub(crate) least: usize,
}

/// What a driver answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The time of each round trip.
    RoundTrips { ns: Vec<u64> },
    /// The messages that went one way, or through the queue.
    Flow(Rate),
    /// The processor time that driver and peer took together.
    Idle { cpu_ns: u64 },
    /// It is so.
    Done {},
}
