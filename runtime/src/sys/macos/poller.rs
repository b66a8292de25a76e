//! Waiting for many things at once: `poll(2)` for one call, a queue of events (`kqueue(2)`) for the watcher.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use super::kqueue::{Event, Queue};
pub(crate) use crate::sys::unix::poll::{Sentinel, deadline, sentinel, wait};

/// A set of sentinels that one thread waits for while others add and remove.
#[derive(Debug)]
pub(crate) struct Poller(Queue);

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let queue = Queue::new()?;
        queue.add_bell()?;
        Ok(Self(queue))
    }

    /// Watches a sentinel under a token. It is reported once.
    pub(crate) fn add(&self, sentinel: Sentinel<'_>, token: u64) -> io::Result<()> {
        Ok(self.0.add_readable(sentinel, token, true)?)
    }

    /// Stops watching a sentinel.
    pub(crate) fn remove(&self, sentinel: Sentinel<'_>) -> io::Result<()> {
        Ok(self.0.remove_readable(sentinel)?)
    }

    /// Makes a running [`wait`](Self::wait) return.
    pub(crate) fn ring(&self) -> io::Result<()> {
        Ok(self.0.ring()?)
    }

    /// Waits until sentinels are ready, the bell rings, or the deadline: the tokens that are ready.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> io::Result<Vec<u64>> {
        let tokens = self.0.take(deadline)?.into_iter().filter_map(|event| match event {
            Event::Readable(token) => Some(token),
            Event::Bell => None,
        });
        Ok(tokens.collect())
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Things that have one sentinel together, which is ready as long as one of them is.
#[derive(Debug)]
pub(crate) struct Bundle(Queue);

impl Bundle {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Queue::new()?))
    }

    pub(crate) fn add(&self, sentinel: Sentinel<'_>) -> io::Result<()> {
        Ok(self.0.add_readable(sentinel, 0, false)?)
    }

    pub(crate) fn remove(&self, sentinel: Sentinel<'_>) -> io::Result<()> {
        Ok(self.0.remove_readable(sentinel)?)
    }

    /// What is ready as long as one of them is.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        self.0.as_fd()
    }

    /// The same, as what can be duplicated.
    pub(crate) fn object(&self) -> super::Borrowed<'_> {
        self.0.as_fd()
    }
}
