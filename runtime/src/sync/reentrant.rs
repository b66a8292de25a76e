//! Mutual exclusion that a thread can enter again.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::lock::{self, Guard, Words};
use super::page::{Layout, Page, handle};
use super::poison::{Cause, LockResult, Panicking, TryLockError, TryLockResult, for_good, in_time};
use crate::sys::fixed::Fixed;
use crate::sys::locked::Locked;
use crate::sys::shareable::shared_words;
use crate::sys::{Shareable, own, poller};

type Lock = Locked<Words, ()>;
type Attempt<'a> = io::Result<Option<Guard<'a, ()>>>;
type Entered<'a, T> = io::Result<Option<ReentrantMutexGuard<'a, T>>>;

shared_words! {
    /// The lock, and how often its holder has locked it.
    pub(crate) struct Deep {
        lock: Lock,
        depth: AtomicU32,
    }
}

impl<T: Shareable> Layout for Fixed<Deep, T> {
    fn is_held_by(&self, holder: u64) -> bool {
        self.words().lock.words().is_held_by(holder)
    }
}

/// A lock in shared memory that the thread which holds it can lock again, any number of times.
///
/// As with the re-entrant lock of the standard library, a guard gives the data to read only, for there may be several:
/// what changes under it is an atomic number. Everything else is as with [`Mutex`](super::Mutex): travel, death, poison, timeouts.
///
/// It cannot be awaited: its holder is a thread, so two tasks that take turns on one thread would both get it. Asynchronous code takes a
/// [`Mutex`](super::Mutex).
///
/// ```
/// use offspring::sync::ReentrantMutex;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let steps = ReentrantMutex::new(AtomicU32::new(0))?;
/// let outer = steps.lock().unwrap();
/// let inner = steps.lock().unwrap();
/// inner.fetch_add(1, Ordering::Relaxed);
/// drop(outer);
/// assert_eq!(inner.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "RLock")]
#[doc(alias = "ReentrantLock")]
pub struct ReentrantMutex<T: Shareable> {
    page: Arc<Page<Fixed<Deep, T>>>,
}

handle!(ReentrantMutex<T>, "ReentrantMutex");

/// The data of a [`ReentrantMutex`], until drop. The last one's drop unlocks it.
#[must_use = "dropping it unlocks the mutex"]
pub struct ReentrantMutexGuard<'a, T: Shareable> {
    mutex: &'a ReentrantMutex<T>,
    panicking: Panicking,
    /// A copy of the process, made by a fork, holds nothing.
    pid: u32,
    _not_send: PhantomData<*const ()>,
}

impl<T: Shareable> ReentrantMutex<T> {
    /// Makes a lock, unlocked, with its data.
    ///
    /// # Errors
    /// When the system has no descriptor or no memory left.
    pub fn new(data: T) -> io::Result<Self> {
        let initialise = |page: &Fixed<Deep, T>| {
            page.words().lock.initialise(())?;
            page.initialise(data)
        };
        Ok(Self { page: Page::create("ReentrantMutex", initialise)? })
    }

    /// Locks, waiting as long as it takes; at once if this thread holds it.
    ///
    /// # Errors
    /// [`Poisoned`](super::LockError::Poisoned), with the guard inside, after a holder has died or panicked.
    #[doc(alias = "acquire")]
    pub fn lock(&self) -> LockResult<ReentrantMutexGuard<'_, T>> {
        for_good(self.enter(|lock, holder| lock::lock(lock, holder, None)), || self.words().poison())
    }

    /// Locks if no other thread holds it.
    ///
    /// # Errors
    /// [`WouldBlock`](TryLockError::WouldBlock) when another holds it; else as [`lock`](Self::lock).
    pub fn try_lock(&self) -> TryLockResult<ReentrantMutexGuard<'_, T>> {
        in_time(self.enter(lock::try_lock), TryLockError::WouldBlock, || self.words().poison())
    }

    /// Locks, waiting at most this long. Zero only tries.
    ///
    /// # Errors
    /// [`TimedOut`](TryLockError::TimedOut) when others held it all the time; else as [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> TryLockResult<ReentrantMutexGuard<'_, T>> {
        let deadline = poller::deadline(Some(timeout));
        let got = self.enter(|lock, holder| lock::lock(lock, holder, deadline));
        in_time(got, TryLockError::TimedOut, || self.words().poison())
    }

    /// Whether a holder has died or panicked, as far as anybody has noticed.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.words().poison().is_some()
    }

    /// Declares the data consistent. Who calls it holds the lock, and has repaired them.
    pub fn clear_poison(&self) {
        self.words().clear_poison();
    }

    fn words(&self) -> &Words {
        self.page.words().lock.words()
    }

    fn enter<'a>(&'a self, take: impl FnOnce(&'a Lock, u64) -> Attempt<'a>) -> Entered<'a, T> {
        let (Deep { lock, depth }, holder) = (self.page.words(), self.page.holder());
        // If it is this thread that holds it, it must not let others go first.
        let maybe_mine = lock.words().is_held_by(holder);
        let got = match maybe_mine.then(|| lock::try_lock(lock, holder)) {
            None | Some(Ok(None)) => take(lock, holder),
            Some(got) => got,
        };
        match got {
            // It stays locked until the last guard's drop.
            Ok(Some(guard)) => {
                depth.store(1, Ordering::Relaxed);
                std::mem::forget(guard);
            }
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Deadlock => {
                let deeper = depth.load(Ordering::Relaxed).checked_add(1);
                depth.store(deeper.ok_or(io::ErrorKind::QuotaExceeded)?, Ordering::Relaxed);
            }
            Err(error) => return Err(error),
        }
        let panicking = Panicking::now();
        Ok(Some(ReentrantMutexGuard { mutex: self, panicking, pid: own::pid(), _not_send: PhantomData }))
    }
}

impl<T: Shareable> Drop for ReentrantMutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.pid != own::pid() {
            return;
        }
        let (Deep { lock, depth }, panicked) = (self.mutex.page.words(), self.panicking.began_since());
        if panicked {
            lock.words().poison_with(Cause::Panicked, Some(self.pid));
        }
        let left = depth.load(Ordering::Relaxed).saturating_sub(1);
        depth.store(left, Ordering::Relaxed);
        if left == 0 {
            lock.words().let_go(false);
            let unlocked = lock.unlock();
            debug_assert!(unlocked.is_ok(), "{unlocked:?}");
        }
    }
}

impl<T: Shareable> Deref for ReentrantMutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.mutex.page.data()
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for ReentrantMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ReentrantMutex");
        match self.try_lock().or_else(TryLockError::into_guard) {
            Ok(guard) => debug.field("data", &*guard),
            Err(_) => debug.field("data", &format_args!("<locked>")),
        };
        debug.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for ReentrantMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
