//! `offspring::sync::Mutex`, which a spawned process gets as an argument.

use anyhow::{Error, Result, anyhow};
use offspring::Child;
use offspring::sync::Mutex;

use super::window::Window;
use super::{Contender, Lock};
use crate::locks::contestant::Work;

/// The lock.
#[derive(Debug)]
pub(crate) struct Offspring(Mutex<u64>);

impl Offspring {
    /// The guard, which does not return in children; then a new lock, unlocked.
    pub(crate) fn init() -> Result<Self> {
        offspring::init();
        Ok(Self(Mutex::new(0)?))
    }
}

impl Lock for Mutex<u64> {
    fn pair(&self) -> Result<()> {
        drop(self.lock().map_err(|_| anyhow!("the lock is poisoned"))?);
        Ok(())
    }

    fn increment(&self) -> Result<()> {
        *self.lock().map_err(|_| anyhow!("the lock is poisoned"))? += 1;
        Ok(())
    }

    fn number(&self) -> Result<u64> {
        Ok(*self.lock().map_err(|_| anyhow!("the lock is poisoned"))?)
    }
}

/// The life of the other process.
#[expect(clippy::needless_pass_by_value, reason = "an argument of a process")]
fn fill(lock: Mutex<u64>, work: Work, window: Window) -> Result<u64, String> {
    window.fill(&lock, work).map_err(|error| format!("{error:#}"))
}

impl Contender for Offspring {
    type Lock = Mutex<u64>;
    type Other = Child<Result<u64, String>>;

    fn lock(&self) -> &Mutex<u64> {
        &self.0
    }

    fn start_other(&self, work: Work, window: Window) -> Result<Self::Other> {
        Ok(offspring::spawn(fill, (self.0.clone(), work, window))?)
    }

    fn finish(other: Self::Other) -> Result<u64> {
        other.join()?.map_err(Error::msg)
    }
}
