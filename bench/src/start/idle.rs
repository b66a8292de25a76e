//! What an idle child does: it says that it is ready, on its standard output, and sleeps until it is killed.

use std::os::fd::AsFd;

use anyhow::Result;
use nix::sys::prctl;
use nix::sys::signal::Signal;

/// What is written by one that is ready.
pub(crate) const READY: &[u8] = b".";

/// Announces readiness and sleeps. The child of a library that looks after its children needs no more.
pub(crate) fn sleep(ready: impl AsFd) -> Result<()> {
    nix::unistd::write(ready, READY)?;
    loop {
        nix::unistd::pause();
    }
}

/// The same in a child that would outlive a killed driver if nothing was done about it.
pub(crate) fn sleep_as_long_as_the_parent() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    sleep(std::io::stdout())
}
