//! A process that is made by a bare fork(2): the other side of all who have no way of their own to start one.
#![expect(unsafe_code, reason = "a bare fork is what this is")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, ensure};
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Forks a child that does this and ends.
pub(crate) fn fork(life: impl FnOnce()) -> Result<Pid> {
    // SAFETY: a driver that forks has one thread, so the child may do whatever the parent may.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            life();
            // SAFETY: ends the process; nothing of it is needed any more.
            unsafe { libc::_exit(0) }
        }
    }
}

/// A child that runs a function, whose result is waited for.
#[derive(Debug)]
pub(crate) struct Forked {
    pid: Pid,
    result: OwnedFd,
}

impl Forked {
    /// Starts it. It does not outlive this process.
    pub(crate) fn start<R: Serialize>(life: impl FnOnce() -> Result<R>) -> Result<Self> {
        let (result, reported) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        let pid = fork(|| {
            let _outlives_a_killed_driver = prctl::set_pdeathsig(Signal::SIGKILL);
            let outcome = life().map_err(|error| format!("{error:#}"));
            let report = serde_json::to_vec(&outcome).unwrap_or_default();
            let _a_missing_report_is_seen = File::from(reported).write_all(&report);
        })?;
        Ok(Self { pid, result })
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Waits for the result and the end.
    pub(crate) fn join<R: DeserializeOwned>(self) -> Result<R> {
        let mut report = Vec::new();
        File::from(self.result).read_to_end(&mut report)?;
        let status = waitpid(self.pid, None)?;
        ensure!(status == WaitStatus::Exited(self.pid, 0), "the other process ended with {status:?}");
        let outcome: Result<R, String> = serde_json::from_slice(&report).context("no report")?;
        outcome.map_err(anyhow::Error::msg).context("in the other process")
    }
}
