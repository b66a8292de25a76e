//! The yardstick: fork(2), `_exit`(2) in the child, waitpid(2).

use std::os::fd::OwnedFd;

use anyhow::{Result, ensure};
use nix::sys::prctl;
use nix::sys::signal::{self, Signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::Contender;
use crate::forked::fork;
use crate::start::idle;

/// A bare fork.
#[derive(Debug)]
pub(crate) struct Fork;

impl Contender for Fork {
    type Child = Pid;
    type Idle = Pid;

    fn start(&self, _payload: u64) -> Result<Pid> {
        fork(|| {})
    }

    fn join(&self, child: Pid, _payload: u64) -> Result<()> {
        let status = waitpid(child, None)?;
        ensure!(status == WaitStatus::Exited(child, 0), "the child ended with {status:?}");
        Ok(())
    }

    fn start_idle(&self, ready: &OwnedFd) -> Result<Pid> {
        fork(|| {
            let _outlives_a_killed_driver = prctl::set_pdeathsig(Signal::SIGKILL);
            let _not_announced_is_seen = idle::sleep(ready);
        })
    }

    fn pid(idle: &Pid) -> u32 {
        idle.as_raw().unsigned_abs()
    }

    fn kill(idle: &mut Pid) -> Result<()> {
        Ok(signal::kill(*idle, Signal::SIGKILL)?)
    }

    fn reap(idle: Pid) -> Result<()> {
        waitpid(idle, None)?;
        Ok(())
    }
}
