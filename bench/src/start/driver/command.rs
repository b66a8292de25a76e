//! `std::process::Command` on the same program, which returns from `main` at once.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command};

use anyhow::{Result, ensure};

use super::Contender;

/// The program, executed again.
#[derive(Debug)]
pub(crate) struct Again {
    program: PathBuf,
}

impl Again {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { program: std::env::current_exe()? })
    }
}

impl Contender for Again {
    type Child = Child;
    type Idle = Child;

    fn start(&self, _payload: u64) -> Result<Child> {
        Ok(Command::new(&self.program).arg("noop").spawn()?)
    }

    fn join(&self, mut child: Child, _payload: u64) -> Result<()> {
        let status = child.wait()?;
        ensure!(status.success(), "the child ended with {status}");
        Ok(())
    }

    fn start_idle(&self, ready: &OwnedFd) -> Result<Child> {
        Ok(Command::new(&self.program).arg("idle").stdout(ready.try_clone()?).spawn()?)
    }

    fn pid(idle: &Child) -> u32 {
        idle.id()
    }

    fn kill(idle: &mut Child) -> Result<()> {
        Ok(idle.kill()?)
    }

    fn reap(mut idle: Child) -> Result<()> {
        idle.wait()?;
        Ok(())
    }
}
