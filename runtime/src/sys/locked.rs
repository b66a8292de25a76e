//! Data in shared memory, beside the lock that guards it.

use std::cell::UnsafeCell;
use std::io;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::Shareable;
use super::robust::{Held, Locked as How, RobustMutex};

/// A lock, words that everybody may use at any time, and data that only the holder of the lock sees.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Locked<W, T> {
    lock: RobustMutex,
    words: W,
    data: UnsafeCell<T>,
}

// SAFETY: the data is reached by the holder of the lock alone.
unsafe impl<W: Shareable, T: Shareable> Sync for Locked<W, T> {}
// SAFETY: laid out as in C, of shareable parts.
unsafe impl<W: Shareable, T: Shareable> Shareable for Locked<W, T> {}

/// The data, for as long as this thread holds the lock.
#[derive(Debug)]
#[must_use = "dropping it unlocks"]
pub(crate) struct LockedGuard<'a, T> {
    data: &'a UnsafeCell<T>,
    held: Held<'a>,
}

impl<W: Shareable, T: Shareable> Locked<W, T> {
    /// Makes the lock, unlocked, in memory that is all zero and that nobody else sees yet.
    pub(crate) fn initialise(&self, data: T) -> io::Result<()> {
        self.lock.initialise()?;
        let Some(held) = self.lock.try_lock()? else { return Err(io::ErrorKind::ResourceBusy.into()) };
        // SAFETY: valid for writing, and this thread holds the lock.
        unsafe { self.data.get().write(data) };
        drop(held);
        Ok(())
    }

    /// The words beside the lock.
    #[inline]
    pub(crate) fn words(&self) -> &W {
        &self.words
    }

    /// Locks, waiting until the deadline: `None` when it has passed.
    pub(crate) fn lock(&self, deadline: Option<Instant>) -> io::Result<Option<LockedGuard<'_, T>>> {
        Ok(self.lock.lock(deadline)?.map(|held| LockedGuard { data: &self.data, held }))
    }

    /// Waits at most this long, about a tenth of a second at most, for one that has just found it held.
    pub(crate) fn wait_for(&self, time: Duration) -> io::Result<Option<LockedGuard<'_, T>>> {
        Ok(self.lock.wait_for(time)?.map(|held| LockedGuard { data: &self.data, held }))
    }

    /// Locks if nobody holds it.
    #[inline]
    pub(crate) fn try_lock(&self) -> io::Result<Option<LockedGuard<'_, T>>> {
        Ok(self.lock.try_lock()?.map(|held| LockedGuard { data: &self.data, held }))
    }
}

impl<W: Shareable> Locked<W, ()> {
    /// Unlocks what this thread holds although its guard has been forgotten; there is no data that it could still see.
    ///
    /// # Errors
    /// When this thread does not hold it: it stays as it is.
    pub(crate) fn unlock(&self) -> io::Result<()> {
        self.lock.unlock()
    }
}

impl<T> LockedGuard<'_, T> {
    /// Whether the last holder ended without unlocking.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        self.held.locked == How::Inherited
    }
}

impl<T> Deref for LockedGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this thread holds the lock.
        unsafe { &*self.data.get() }
    }
}

impl<T> DerefMut for LockedGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this thread holds the lock, by this guard alone.
        unsafe { &mut *self.data.get() }
    }
}
