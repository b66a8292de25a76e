//! The time in which two processes contend: it begins for both at once.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Lock;
use crate::cpu;
use crate::locks::contestant::Work;
use crate::summary::Rate;

/// From when to when, in nanoseconds of the clock that all share.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Window {
    begin: u64,
    end: u64,
}

/// What it may take until the other process has started, and until the kernel has put the two on two CPUs.
const AHEAD: u64 = 20_000_000;

/// How many pairs there are between two looks at the clock.
const BETWEEN_LOOKS: u64 = 256;

impl Window {
    /// One that begins when the other process will be there.
    pub(crate) fn ahead(millis: u64) -> Result<Self> {
        let begin = cpu::now()? + AHEAD;
        Ok(Self { begin, end: begin + millis * 1_000_000 })
    }

    /// One that has begun.
    pub(crate) fn now(millis: u64) -> Result<Self> {
        let begin = cpu::now()?;
        Ok(Self { begin, end: begin + millis * 1_000_000 })
    }

    /// Does the work as often as possible: how often.
    pub(crate) fn fill(self, lock: &impl Lock, work: Work) -> Result<u64> {
        while cpu::now()? < self.begin {
            std::hint::spin_loop();
        }
        let mut count = 0;
        while cpu::now()? < self.end {
            match work {
                Work::Pair => (0..BETWEEN_LOOKS).try_for_each(|_| lock.pair())?,
                Work::Increment => (0..BETWEEN_LOOKS).try_for_each(|_| lock.increment())?,
            }
            count += BETWEEN_LOOKS;
        }
        Ok(count)
    }

    /// How fast it was when all together did it this often.
    pub(crate) fn rate(self, count: u64) -> Rate {
        Rate { count, ns: self.end - self.begin }
    }
}
