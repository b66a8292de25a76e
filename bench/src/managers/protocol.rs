//! What conductor and drivers say to each other. `python/managers.py` says the same.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::contestant::Crowd;
use crate::cpu;
use crate::summary::Rate;

/// What a driver is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// One caller calls and waits, again and again.
    Calls { millis: u64, least: usize },
    /// Many do.
    Crowd { crowd: Crowd, millis: u64 },
    /// So many tasks are put, done by two workers, and their results taken.
    Tasks { count: u64 },
}

/// What a driver answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The time of each call.
    Calls { ns: Vec<u64> },
    /// How often in which time, by all together.
    Flow(Rate),
}

/// What the object at the server has for who calls.
pub(crate) const VALUE: u64 = 0x0123_4567_89AB_CDEF;

/// A time that processes know of before it comes: from when to when, in nanoseconds of the clock that all share.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Window {
    begin: u64,
    end: u64,
}

impl Window {
    /// One that begins when processes that are started now will be there.
    pub(crate) fn ahead(millis: u64) -> Result<Self> {
        const AHEAD: u64 = 150_000_000;
        let begin = cpu::now()? + AHEAD;
        Ok(Self { begin, end: begin + millis * 1_000_000 })
    }

    /// Calls as often as possible, so many times at once: how often. The first calls are made before. Each has to return the value.
    pub(crate) fn fill(self, at_once: usize, mut call: impl FnMut() -> Result<()>) -> Result<u64> {
        call()?;
        let early = self.begin.saturating_sub(cpu::now()?);
        anyhow::ensure!(early > 0, "the time began before everybody was there");
        std::thread::sleep(std::time::Duration::from_nanos(early));
        let mut count = 0;
        while cpu::now()? < self.end {
            call()?;
            count += at_once as u64;
        }
        Ok(count)
    }

    /// How fast it was when all together did it this often.
    pub(crate) fn rate(self, count: u64) -> Rate {
        Rate { count, ns: self.end - self.begin }
    }
}
