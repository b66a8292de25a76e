//! `offspring`, with one of its start methods: a process class, a payload there, and a typed result back.

use std::os::fd::OwnedFd;

use anyhow::{Result, ensure};
use offspring::{Child, Process, Run, StartMethod};
use serde::{Deserialize, Serialize};

use super::Contender;
use crate::start::idle;

/// `offspring`, initialised.
#[derive(Debug)]
pub(crate) struct Offspring {
    method: StartMethod,
}

impl Offspring {
    /// The guard: does not return in children.
    pub(crate) fn init(method: StartMethod, spares: usize) -> Self {
        offspring::init();
        offspring::set_spares(spares);
        Self { method }
    }
}

/// The child that does next to nothing.
#[derive(Process, Serialize, Deserialize)]
struct Successor(u64);

impl Run for Successor {
    type Output = u64;

    fn run(self) -> u64 {
        self.0 + 1
    }
}

/// The child that sleeps.
#[derive(Process, Serialize, Deserialize)]
struct Sleeper;

impl Run for Sleeper {
    type Output = ();

    fn run(self) {
        let _not_announced_is_seen = idle::sleep(std::io::stdout());
    }
}

impl Contender for Offspring {
    type Child = Child<u64>;
    type Idle = Child<()>;

    fn start(&self, payload: u64) -> Result<Child<u64>> {
        Ok(Successor(payload).builder().start_method(self.method).start()?)
    }

    fn join(&self, child: Child<u64>, payload: u64) -> Result<()> {
        let result = child.join()?;
        ensure!(result == payload + 1, "{payload} became {result}");
        Ok(())
    }

    fn start_idle(&self, ready: &OwnedFd) -> Result<Child<()>> {
        Ok(Sleeper.builder().start_method(self.method).stdout(ready.try_clone()?).start()?)
    }

    fn pid(idle: &Child<()>) -> u32 {
        idle.pid()
    }

    fn kill(idle: &mut Child<()>) -> Result<()> {
        Ok(Child::kill(idle)?)
    }

    fn reap(idle: Child<()>) -> Result<()> {
        idle.wait()?;
        Ok(())
    }
}
