//! `std::sync::Mutex` between threads: a bound, as it knows nothing of other processes.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};

use super::window::Window;
use super::{Contender, Lock};
use crate::locks::contestant::Work;

/// The lock.
#[derive(Debug, Default)]
pub(crate) struct Std(Arc<Mutex<u64>>);

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

impl Contender for Std {
    type Lock = Mutex<u64>;
    type Other = JoinHandle<Result<u64>>;

    fn lock(&self) -> &Mutex<u64> {
        &self.0
    }

    fn start_other(&self, work: Work, window: Window) -> Result<Self::Other> {
        let lock = Arc::clone(&self.0);
        Ok(thread::spawn(move || window.fill(&*lock, work)))
    }

    fn finish(other: Self::Other) -> Result<u64> {
        other.join().map_err(|_| anyhow!("the thread panicked"))?
    }
}
