//! The mutual exclusion of processes.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::future::Proxy;
use super::lock::{self, Guard, PANICKING, Words};
use super::page::{Layout, Page, handle};
use super::poison::{LockResult, TryLockError, TryLockResult, for_good, in_time};
use crate::sys::locked::{How, Locked};
use crate::sys::{Shareable, own, poller};

impl<T: Shareable> Layout for Locked<Words, T> {
    fn is_held_by(&self, holder: u64) -> bool {
        self.words().is_held_by(holder)
    }
}

/// Data in shared memory that one thread of one process at a time can use.
///
/// It works as [`std::sync::Mutex`], between all processes that have a handle. A handle can be cloned, and travels in fields of
/// process classes, arguments, outputs and messages. When a thread ends while it holds the lock, because its process is killed
/// say, the next one gets the lock at once, and learns of it by [`LockError::Poisoned`](super::LockError::Poisoned): the data may be half
/// changed. So does everybody after it, until somebody calls [`clear_poison`](Self::clear_poison). A panic poisons as well.
///
/// The lock is a robust mutex of the C library (`pthread_mutexattr_setrobust(3)`). It takes whoever comes first, but who has waited for a
/// millisecond goes first. It can be neither locked twice by one thread (that is an error, not a deadlock; see
/// [`ReentrantMutex`](super::ReentrantMutex)) nor unlocked by another thread (see [`Semaphore`](super::Semaphore)).
///
/// ```
/// use offspring::sync::{LockError, Mutex};
///
/// fn transfer(account: Mutex<[i64; 2]>) {
///     let mut sums = account.lock().unwrap();
///     sums[0] -= 30;
///     std::process::abort(); // half done
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let account = Mutex::new([100_i64, 0])?;
///     let child = offspring::spawn(transfer, (account.clone(),))?;
///     let pid = child.pid();
///     child.join().unwrap_err();
///
///     match account.lock() {
///         Err(LockError::Poisoned(poison)) => {
///             assert_eq!(poison.owner(), Some(pid));
///             let mut sums = poison.into_inner();
///             sums[1] = 100 - sums[0];
///             account.clear_poison();
///         }
///         other => panic!("{other:?}"),
///     }
///     assert_eq!(*account.lock().unwrap(), [70, 30]);
///     Ok(())
/// }
/// ```
///
/// What another process could not use does not compile, nor does sending a guard to another thread:
///
/// ```compile_fail,E0277
/// let name = offspring::sync::Mutex::new(String::from("lies on the heap of one process"));
/// ```
///
/// ```compile_fail,E0277
/// # fn main() -> std::io::Result<()> {
/// let number = offspring::sync::Mutex::new(0)?;
/// let guard = number.lock().unwrap();
/// std::thread::scope(|scope| scope.spawn(move || drop(guard)).join().unwrap());
/// # Ok(())
/// # }
/// ```
#[doc(alias = "Lock")]
#[doc(alias = "pthread_mutex_t")]
pub struct Mutex<T: Shareable> {
    page: Arc<Page<Locked<Words, T>>>,
}

handle!(Mutex<T>, "Mutex");

/// The data of a [`Mutex`], until drop, which unlocks it.
#[must_use = "dropping it unlocks the mutex"]
pub struct MutexGuard<'a, T: Shareable> {
    guard: Guard<'a, T>,
}

impl<T: Shareable> Mutex<T> {
    /// Makes a mutex, unlocked, with its data.
    ///
    /// # Errors
    /// When the system has no descriptor or no memory left.
    pub fn new(data: T) -> io::Result<Self> {
        Ok(Self { page: Page::create("Mutex", |page: &Locked<Words, T>| page.initialise(data))? })
    }

    /// Locks, waiting as long as it takes.
    ///
    /// # Errors
    /// [`Poisoned`](super::LockError::Poisoned), with the guard inside, after a holder has died or panicked;
    /// [`Deadlock`](super::LockError::Deadlock) when this thread holds it already.
    #[doc(alias = "acquire")]
    #[inline]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        lock_place(&self.page, self.holder())
    }

    /// Locks if nobody holds it, even before one that has waited long.
    ///
    /// # Errors
    /// [`WouldBlock`](TryLockError::WouldBlock) when somebody holds it; else as [`lock`](Self::lock).
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let got = lock::try_lock(&self.page, self.holder());
        self.in_time(got, TryLockError::WouldBlock)
    }

    /// Locks, waiting at most this long. Zero only tries.
    ///
    /// # Errors
    /// [`TimedOut`](TryLockError::TimedOut) when it was held all the time; else as [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> TryLockResult<MutexGuard<'_, T>> {
        let got = lock::lock(&self.page, self.holder(), poller::deadline(Some(timeout)));
        self.in_time(got, TryLockError::TimedOut)
    }

    /// Locks, from asynchronous code on any executor. The lock belongs to the thread that polled last, so the guard cannot be held over
    /// another `.await` in a task that moves between threads. While it is held by others, a thread waits for it in place of the task.
    ///
    /// # Errors
    /// As [`lock`](Self::lock); also when no thread can be started.
    pub async fn lock_async(&self) -> LockResult<MutexGuard<'_, T>> {
        let mut proxy = Proxy::default();
        let got = std::future::poll_fn(|context| {
            let wait = || {
                let mutex = self.clone();
                move |until: Instant| {
                    let left = until.saturating_duration_since(Instant::now());
                    // Also an error is news, and the attempt meets it again.
                    !matches!(mutex.lock_timeout(left), Err(TryLockError::TimedOut))
                }
            };
            proxy.poll(context, || lock::try_lock(&self.page, self.holder()), wait)
        });
        told(&self.page, got.await.map(Some))
    }

    /// Whether a holder has died or panicked, as far as anybody has noticed: the death of one that nobody came after
    /// is seen by the next [`lock`](Self::lock).
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.page.words().poison().is_some()
    }

    /// Declares the data consistent. Who calls it holds the lock, and has repaired them.
    pub fn clear_poison(&self) {
        self.page.words().clear_poison();
    }

    fn in_time<'a>(
        &'a self,
        got: io::Result<Option<Guard<'a, T>>>,
        none: TryLockError<MutexGuard<'a, T>>,
    ) -> TryLockResult<MutexGuard<'a, T>> {
        in_time(got.map(|guard| guard.map(|guard| MutexGuard { guard })), none, || self.page.words().poison())
    }

    /// The name in which this thread holds it.
    #[inline]
    fn holder(&self) -> u64 {
        self.page.holder() | panicking()
    }
}

#[inline]
fn panicking() -> u64 {
    if std::thread::panicking() { PANICKING } else { 0 }
}

/// Locks what lies here, waiting as long as it takes.
#[inline]
fn lock_place<T: Shareable>(place: &Locked<Words, T>, holder: u64) -> LockResult<MutexGuard<'_, T>> {
    if !place.words().anybody_starves() {
        match place.try_lock() {
            Ok(Some((guard, How::Clean))) if place.words().poison().is_none() => {
                place.words().begin(holder);
                return Ok(MutexGuard { guard });
            }
            Ok(Some(got)) => return told(place, Ok(Some(lock::take(got, holder)))),
            Ok(None) => {}
            Err(error) => return told(place, Err(error)),
        }
    }
    told(place, lock::wait(place, holder, None))
}

#[cold]
fn told<'a, T: Shareable>(
    place: &'a Locked<Words, T>,
    got: io::Result<Option<Guard<'a, T>>>,
) -> LockResult<MutexGuard<'a, T>> {
    for_good(got.map(|guard| guard.map(|guard| MutexGuard { guard })), || place.words().poison())
}

impl<'a, T: Shareable> MutexGuard<'a, T> {
    /// Unlocks, does something, and locks again.
    pub(crate) fn unlocked<R>(self, action: impl FnOnce() -> R) -> (LockResult<Self>, R) {
        let place: &'a Locked<Words, T> = self.guard.place();
        let mapping = place.words().mapping();
        drop(self);
        let result = action();
        (lock_place(place, (u64::from(own::pid()) << 32) | mapping | panicking()), result)
    }
}

impl<T: Shareable> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let words = self.guard.place().words();
        words.let_go(words.began_to_panic());
    }
}

impl<T: Shareable> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T: Shareable> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Mutex");
        match self.try_lock().or_else(TryLockError::into_guard) {
            Ok(guard) => debug.field("data", &*guard),
            Err(_) => debug.field("data", &format_args!("<locked>")),
        };
        debug.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
