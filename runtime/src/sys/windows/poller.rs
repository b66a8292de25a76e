//! Waiting for many things at once: to be `WaitForMultipleObjects`, in groups of 64 for more, and for the watcher
//! `RegisterWaitForSingleObject` with a queue behind it.

use std::io;
use std::os::windows::io::BorrowedHandle;
use std::time::Instant;

pub(crate) use crate::sys::deadline::deadline;
use crate::sys::unsupported::unsupported;

/// What can be waited for: a handle that becomes signalled.
pub(crate) type Sentinel<'a> = BorrowedHandle<'a>;

/// Waits until at least one of the sentinels is ready, or the deadline: which are ready.
///
/// A wait for nothing is a sleep. There is nothing else to wait for yet.
pub(crate) fn wait(sentinels: &[Sentinel<'_>], deadline: Option<Instant>) -> io::Result<Vec<bool>> {
    match (sentinels, deadline) {
        ([], Some(deadline)) => {
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
            Ok(Vec::new())
        }
        _ => Err(unsupported()),
    }
}

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
