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
    /// Where it is spent.
    cpu: usize,
}

/// What it may take until the other process has started, and each is on its CPU.
const AHEAD: u64 = 20_000_000;

/// How many pairs there are between two looks at the clock.
const BETWEEN_LOOKS: u64 = 256;

impl Window {
    /// One that begins when the other process will be there, for each of the two.
    pub(crate) fn ahead(millis: u64, cpus: (usize, usize)) -> Result<[Self; 2]> {
        let begin = cpu::now()? + AHEAD;
        Ok([cpus.0, cpus.1].map(|cpu| Self { begin, end: begin + millis * 1_000_000, cpu }))
    }

    /// One that has begun.
    pub(crate) fn now(millis: u64, cpu: usize) -> Result<Self> {
        let begin = cpu::now()?;
        Ok(Self { begin, end: begin + millis * 1_000_000, cpu })
    }

    /// Does the work as often as possible: how often.
    pub(crate) fn fill(self, lock: &impl Lock, work: Work) -> Result<u64> {
        cpu::pin(self.cpu)?;
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
