//! `procspawn`: the crate most used for this so far.

use std::os::fd::OwnedFd;

use anyhow::{Context, Result, ensure};
use procspawn::{Builder, JoinHandle};

use super::Contender;
use crate::start::idle;

/// `procspawn`, initialised.
#[derive(Debug)]
pub(crate) struct Procspawn(());

impl Procspawn {
    /// Its guard: does not return in its children.
    pub(crate) fn init() -> Self {
        procspawn::init();
        Self(())
    }
}

impl Contender for Procspawn {
    type Child = JoinHandle<u64>;
    type Idle = JoinHandle<()>;

    fn start(&self, payload: u64) -> Result<JoinHandle<u64>> {
        Ok(procspawn::spawn(payload, |payload| payload + 1))
    }

    fn join(&self, child: JoinHandle<u64>, payload: u64) -> Result<()> {
        let result = child.join()?;
        ensure!(result == payload + 1, "{payload} became {result}");
        Ok(())
    }

    fn start_idle(&self, ready: &OwnedFd) -> Result<JoinHandle<()>> {
        let child = Builder::new().stdout(ready.try_clone()?).spawn((), |()| {
            let _not_announced_is_seen = idle::sleep_as_long_as_the_parent();
        });
        child.pid().context("procspawn could not start the child")?;
        Ok(child)
    }

    fn pid(idle: &JoinHandle<()>) -> u32 {
        idle.pid().unwrap_or_default()
    }

    /// Waits as well.
    fn kill(idle: &mut JoinHandle<()>) -> Result<()> {
        Ok(idle.kill()?)
    }

    fn reap(_idle: JoinHandle<()>) -> Result<()> {
        Ok(())
    }
}
