//! Data in shared memory, beside the lock that guards it.

use std::cell::UnsafeCell;
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::Shareable;
use super::robust::{Held, RobustMutex};

pub(crate) use super::robust::Locked as How;

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
///
/// It is one word: guards are moved about, as part of results, and to read in one piece what was just written in several stalls
/// for as long as an uncontended lock takes.
#[derive(Debug)]
#[must_use = "dropping it unlocks"]
pub(crate) struct LockedGuard<'a, W: Shareable, T: Shareable> {
    place: &'a Locked<W, T>,
    /// Another thread must not unlock it.
    _not_send: PhantomData<*const ()>,
}

/// The data, and how the lock was got.
pub(crate) type Got<'a, W, T> = (LockedGuard<'a, W, T>, How);

impl<W: Shareable, T: Shareable> Locked<W, T> {
    /// Makes the lock, unlocked, in memory that is all zero and that nobody else sees yet.
    pub(crate) fn initialise(&self, data: T) -> io::Result<()> {
        self.lock.initialise()?;
        let Some(_held) = self.lock.try_lock()? else { return Err(io::ErrorKind::ResourceBusy.into()) };
        // SAFETY: valid for writing, and this thread holds the lock.
        unsafe { self.data.get().write(data) };
        Ok(())
    }

    /// The words beside the lock.
    #[inline]
    pub(crate) fn words(&self) -> &W {
        &self.words
    }

    /// Locks, waiting until the deadline: `None` when it has passed.
    pub(crate) fn lock(&self, deadline: Option<Instant>) -> io::Result<Option<Got<'_, W, T>>> {
        Ok(self.lock.lock(deadline)?.map(|held| self.got(held)))
    }

    /// Waits at most this long, about a tenth of a second at most, for one that has just found it held.
    pub(crate) fn wait_for(&self, time: Duration) -> io::Result<Option<Got<'_, W, T>>> {
        Ok(self.lock.wait_for(time)?.map(|held| self.got(held)))
    }

    /// Locks if nobody holds it.
    #[inline]
    pub(crate) fn try_lock(&self) -> io::Result<Option<Got<'_, W, T>>> {
        Ok(self.lock.try_lock()?.map(|held| self.got(held)))
    }

    /// The guard is what unlocks from here on.
    #[inline]
    fn got<'a>(&'a self, held: Held<'a>) -> Got<'a, W, T> {
        let how = held.locked;
        std::mem::forget(held);
        (LockedGuard { place: self, _not_send: PhantomData }, how)
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

impl<'a, W: Shareable, T: Shareable> LockedGuard<'a, W, T> {
    /// Where the data lies.
    #[inline]
    pub(crate) fn place(&self) -> &'a Locked<W, T> {
        self.place
    }
}

impl<W: Shareable, T: Shareable> Drop for LockedGuard<'_, W, T> {
    #[inline]
    fn drop(&mut self) {
        // In a copy made by a fork, where the thread that holds it is another, the mutex refuses.
        let unlocked = self.place.lock.unlock();
        let refused = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        debug_assert!(unlocked.as_ref().err().is_none_or(refused), "{unlocked:?}");
    }
}

impl<W: Shareable, T: Shareable> Deref for LockedGuard<'_, W, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this thread holds the lock.
        unsafe { &*self.place.data.get() }
    }
}

impl<W: Shareable, T: Shareable> DerefMut for LockedGuard<'_, W, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this thread holds the lock, by this guard alone.
        unsafe { &mut *self.place.data.get() }
    }
}
