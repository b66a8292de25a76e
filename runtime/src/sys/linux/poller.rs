//! Waiting for many things at once: `poll(2)` for one call, `epoll(7)` for the watcher.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::above_standard;
use crate::sys::unix::poll::milliseconds;
pub(crate) use crate::sys::unix::poll::{Sentinel, deadline, sentinel, wait};

/// Waits for one sentinel: whether it is ready.
pub(crate) fn poll_one(sentinel: Sentinel<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    Ok(wait(&[sentinel], deadline(timeout))?[0])
}

/// A set of sentinels that one thread waits for while others add and remove.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: Epoll,
    bell: File,
}

/// The token of the bell; no sentinel has it.
const BELL: u64 = u64::MAX;

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = Epoll(above_standard(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?.0)?);
        let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let bell = File::from(above_standard(bell.into())?);
        epoll.add(&bell, EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        Ok(Self { epoll, bell })
    }

    /// Watches a sentinel under a token. It is reported once.
    pub(crate) fn add(&self, sentinel: Sentinel<'_>, token: u64) -> io::Result<()> {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT;
        Ok(self.epoll.add(sentinel, EpollEvent::new(flags, token))?)
    }

    /// Stops watching a sentinel.
    pub(crate) fn remove(&self, sentinel: Sentinel<'_>) -> io::Result<()> {
        match self.epoll.delete(sentinel) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Makes a running [`wait`](Self::wait) return.
    pub(crate) fn ring(&self) -> io::Result<()> {
        match (&self.bell).write_all(&1_u64.to_ne_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()), // rung, or ringing already
        }
    }

    /// Waits until sentinels are ready, the bell rings, or the deadline: the tokens that are ready.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> io::Result<Vec<u64>> {
        let mut events = [EpollEvent::empty(); 64];
        let timeout = EpollTimeout::try_from(milliseconds(deadline)).unwrap_or(EpollTimeout::NONE);
        let count = match self.epoll.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(errno.into()),
        };
        let mut tokens = Vec::with_capacity(count);
        for event in &events[..count] {
            if event.data() == BELL {
                let _silent_now = (&self.bell).read(&mut [0; 8]);
            } else {
                tokens.push(event.data());
            }
        }
        Ok(tokens)
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

/// Things that have one sentinel together, which is ready as long as one of them is.
#[derive(Debug)]
pub(crate) struct Bundle(Epoll);

impl Bundle {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Epoll(above_standard(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?.0)?)))
    }

    pub(crate) fn add(&self, sentinel: Sentinel<'_>) -> io::Result<()> {
        Ok(self.0.add(sentinel, EpollEvent::new(EpollFlags::EPOLLIN, 0))?)
    }

    pub(crate) fn remove(&self, sentinel: Sentinel<'_>) -> io::Result<()> {
        Ok(self.0.delete(sentinel)?)
    }

    /// What is ready as long as one of them is.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        self.0.0.as_fd()
    }

    /// The same, as what can be duplicated.
    pub(crate) fn object(&self) -> super::Borrowed<'_> {
        self.0.0.as_fd()
    }
}
