//! What conductor and drivers say to each other. `python/pool.py` says the same.

use serde::{Deserialize, Serialize};

use super::contestant::{Pass, Way};
use crate::summary::Rate;

/// What a driver is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Start a pool, and have it do something.
    Open {},
    /// Give it so many tasks that add one to a number, again and again until this time is over.
    Tiny { way: Way, count: u64, millis: u64 },
    /// Give it so many tasks with an argument of 1 MiB, again and again until this time is over.
    Large { way: Way, count: u64, millis: u64 },
    /// Submit a task and wait for its result, again and again until this time is over: one that adds one to a number, or has an
    /// argument of 1 MiB.
    Single { large: bool, millis: u64, least: usize },
    /// Give it tasks that take so much processor time.
    Work { way: Way, ns: Vec<u64> },
    /// Have it go over so many numbers in memory that the workers share, again and again until this time is over.
    Slice { pass: Pass, count: u64, millis: u64 },
    /// Give it nothing for this long.
    Idle { millis: u64 },
    /// Go through the results for so many inputs as `imap` gives them, and look at this process's memory when so many have come.
    Watch { looks: Vec<u64> },
    /// End the pool.
    Close {},
    /// Start a pool, give it a task, and end it.
    Life {},
}

/// What a driver answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Tasks, or elements, and the time that they took.
    Flow(Rate),
    /// The time of each task, from before it was submitted until its result was there.
    Singles { ns: Vec<u64> },
    /// The time until all were done.
    Worked { ns: u64 },
    /// The processor time of this process and its children.
    Idle { cpu_ns: u64 },
    /// What this process had in memory at each look.
    Watched { resident_kib: Vec<u64>, ns: u64 },
    /// A pool's life.
    Lived(Life),
    /// It is so.
    Done {},
}

/// When something happened to a pool: nanoseconds from before it was made.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Life {
    /// It was there.
    pub(crate) made: u64,
    /// It had given the result of its first task.
    pub(crate) first_result: u64,
    /// It had ended, its workers too.
    pub(crate) ended: u64,
}
