//! Waiting for many things at once, for longer than one call: to be kqueue on macOS (`kevent(2)`: `EVFILT_READ` with `EV_ONESHOT` for
//! the sentinels, `EVFILT_USER` for the bell).

use std::io;
#[cfg(not(windows))]
use std::time::Instant;

use crate::sys::platform::Borrowed;
use crate::sys::platform::poller::Sentinel;
use crate::sys::unsupported::unsupported;

/// A set of sentinels that one thread waits for while others add and remove.
#[cfg(not(windows))]
#[derive(Debug)]
pub(crate) enum Poller {}

#[cfg(not(windows))]
impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Err(unsupported())
    }

    /// Watches a sentinel under a token. It is reported once.
    pub(crate) fn add(&self, _sentinel: Sentinel<'_>, _token: u64) -> io::Result<()> {
        match *self {}
    }

    /// Stops watching a sentinel.
    pub(crate) fn remove(&self, _sentinel: Sentinel<'_>) -> io::Result<()> {
        match *self {}
    }

    /// Makes a running [`wait`](Self::wait) return.
    pub(crate) fn ring(&self) -> io::Result<()> {
        match *self {}
    }

    /// Waits until sentinels are ready, the bell rings, or the deadline: the tokens that are ready.
    pub(crate) fn wait(&self, _deadline: Option<Instant>) -> io::Result<Vec<u64>> {
        match *self {}
    }
}

/// Things that have one sentinel together, which is ready as long as one of them is.
#[derive(Debug)]
pub(crate) enum Bundle {}

impl Bundle {
    pub(crate) fn new() -> io::Result<Self> {
        Err(unsupported())
    }

    pub(crate) fn add(&self, _sentinel: Sentinel<'_>) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn remove(&self, _sentinel: Sentinel<'_>) -> io::Result<()> {
        match *self {}
    }

    /// What is ready as long as one of them is.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        match *self {}
    }

    /// The same, as what can be duplicated.
    pub(crate) fn object(&self) -> Borrowed<'_> {
        match *self {}
    }
}
