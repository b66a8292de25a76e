//! A lock in shared memory that outlives its holder: to be the C library's robust mutex on FreeBSD, as on Linux, and a mutex
//! of the kernel on Windows, which calls one abandoned (`WAIT_ABANDONED`) whose holder has ended. macOS has neither: there the
//! lock is to be a word that names its holder, whom those who wait look after.

use std::io;
use std::time::{Duration, Instant};

use crate::sys::Shareable;

/// The lock. It lies in shared memory, which there is none of.
#[derive(Debug)]
pub(crate) enum RobustMutex {}

// SAFETY: without values.
unsafe impl Shareable for RobustMutex {}

/// How a lock was got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(dead_code, reason = "there are no locks yet")]
pub(crate) enum Locked {
    Clean,
    /// The last holder ended without unlocking. The lock goes on as if it had unlocked.
    Inherited,
}

/// The lock is held by this thread, until drop.
#[derive(Debug)]
#[must_use = "dropping it unlocks"]
pub(crate) struct Held<'a> {
    pub(crate) locked: Locked,
    _mutex: &'a RobustMutex,
    /// Another thread must not unlock it.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl RobustMutex {
    /// Makes the lock, unlocked.
    pub(crate) fn initialise(&self) -> io::Result<()> {
        match *self {}
    }

    /// Locks, waiting until the deadline: `None` when it has passed.
    pub(crate) fn lock(&self, _deadline: Option<Instant>) -> io::Result<Option<Held<'_>>> {
        match *self {}
    }

    /// Waits at most this long, for one that has just found it held.
    pub(crate) fn wait_for(&self, _time: Duration) -> io::Result<Option<Held<'_>>> {
        match *self {}
    }

    /// Locks if nobody holds it.
    pub(crate) fn try_lock(&self) -> io::Result<Option<Held<'_>>> {
        match *self {}
    }

    /// Unlocks what this thread holds although its [`Held`] has been forgotten.
    pub(crate) fn unlock(&self) -> io::Result<()> {
        match *self {}
    }
}
