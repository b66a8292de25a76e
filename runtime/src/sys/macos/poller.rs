//! Waiting for many things at once: `poll(2)` for one call, which works, and kqueue (`kevent(2)`) for the watcher: to
//! be `EVFILT_READ` with `EV_ONESHOT` for the sentinels, and `EVFILT_USER` for the bell.

use std::io;
use std::time::Instant;

pub(crate) use crate::sys::unix::poll::{Sentinel, deadline, wait};
use crate::sys::unsupported::unsupported;

/// A set of sentinels that one thread waits for while others add and remove.
#[derive(Debug)]
pub(crate) enum Poller {}

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
    pub(crate) fn object(&self) -> super::Borrowed<'_> {
        match *self {}
    }
}
