//! Many readers or one writer.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::future::Proxy;
use super::lock::{self, Guard, Words};
use super::page::{Layout, Page, handle};
use super::poison::{LockResult, Panicking, TryLockError, TryLockResult, for_good, in_time};
use crate::sys::locked::Locked;
use crate::sys::shareable::shared_words;
use crate::sys::slots::{ReadHeld, Slots, WriteHeld};
use crate::sys::{Shareable, own, poller};

shared_words! {
    /// What stands beside the slots.
    pub(crate) struct Beside {
        /// Writers hold it, and readers that came when a writer was there pass through it.
        gate: Locked<Words, ()>,
        /// Who writes, and the poison. One who holds a slot, and finds that somebody writes, knows that that one is dead.
        writer: Words,
        /// Not zero while a writer holds the gate, or after it died there.
        closed: AtomicU32,
    }
}

impl<T: Shareable> Layout for Slots<Beside, T> {
    fn is_held_by(&self, holder: u64) -> bool {
        self.is_held_by(holder) || self.words().gate.words().is_held_by(holder)
    }
}

/// Data in shared memory that several threads of all processes read at once, or one writes.
///
/// It works as [`std::sync::RwLock`]. A handle can be cloned, and travels in fields of process classes, arguments, outputs and messages.
/// When a reader dies, nothing happens. When a writer dies, all who come get the lock at once, and learn of it by
/// [`LockError::Poisoned`](super::LockError::Poisoned), until somebody calls [`clear_poison`](Self::clear_poison). A panic while
/// writing poisons as well.
///
/// Neither side starves: readers that come while a writer waits, wait until it had its turn. So a thread that reads must not
/// read again while it does: it may wait for a writer that waits for it.
///
/// Inside there are 32 robust mutexes, each on a cache line of its own. A reader locks one of them, so that readers do not slow each other down, and at most
/// that many read at once; a writer locks them all, which takes about 32 times what a [`Mutex`](super::Mutex) does. It is for
/// data that are read much more often than written.
///
/// ```
/// use offspring::sync::RwLock;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let limits = RwLock::new([10_u32, 20])?;
///     let reads = |limits: RwLock<[u32; 2]>| limits.read().unwrap().iter().sum::<u32>();
///     limits.write().unwrap()[0] += 1;
///     assert_eq!(offspring::spawn(reads, (limits.clone(),))?.join()?, 31);
///     Ok(())
/// }
/// ```
#[doc(alias = "pthread_rwlock_t")]
pub struct RwLock<T: Shareable> {
    page: Arc<Page<Slots<Beside, T>>>,
}

handle!(RwLock<T>, "RwLock");

/// The data of a [`RwLock`] for reading, until drop.
#[must_use = "dropping it unlocks"]
pub struct RwLockReadGuard<'a, T: Shareable> {
    held: ReadHeld<'a, T>,
    _not_send: PhantomData<*const ()>,
}

/// The data of a [`RwLock`] for writing, until drop.
#[must_use = "dropping it unlocks"]
pub struct RwLockWriteGuard<'a, T: Shareable> {
    /// Until drop.
    held: Option<WriteHeld<'a, T>>,
    gate: Passing<'a>,
    panicking: Panicking,
    _not_send: PhantomData<*const ()>,
}

/// The gate is held.
struct Passing<'a> {
    words: &'a Beside,
    _held: Guard<'a, ()>,
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        // In a copy made by a fork, which holds nothing, it does nothing.
        if self.words.gate.words().is_held_in(own::pid()) {
            self.words.closed.store(0, Ordering::Relaxed);
            self.words.gate.words().let_go(false);
        }
    }
}

/// How long to wait.
#[derive(Clone, Copy)]
enum Patience {
    None,
    Until(Option<Instant>),
}

impl Patience {
    fn within(time: Duration) -> Self {
        if time.is_zero() { Self::None } else { Self::Until(Some(Instant::now() + time)) }
    }
}

impl<T: Shareable> RwLock<T> {
    /// Makes a lock, unlocked, with its data.
    ///
    /// # Errors
    /// When the system has no descriptor or no memory left.
    pub fn new(data: T) -> io::Result<Self> {
        let initialise = |page: &Slots<Beside, T>| {
            page.words().gate.initialise(())?;
            page.initialise(data)
        };
        Ok(Self { page: Page::create("RwLock", initialise)? })
    }

    /// Locks for reading, waiting as long as it takes.
    ///
    /// # Errors
    /// [`Poisoned`](super::LockError::Poisoned), with the guard inside, after a writer has died or panicked;
    /// [`Deadlock`](super::LockError::Deadlock) when this thread writes.
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        for_good(self.reader(Patience::Until(None)), || self.page.words().writer.poison())
    }

    /// Locks for reading, if nobody writes or waits for writing.
    ///
    /// # Errors
    /// [`WouldBlock`](TryLockError::WouldBlock) when somebody does; else as [`read`](Self::read).
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        in_time(self.reader(Patience::None), TryLockError::WouldBlock, || self.page.words().writer.poison())
    }

    /// Locks for reading, waiting at most this long. Zero only tries.
    ///
    /// # Errors
    /// [`TimedOut`](TryLockError::TimedOut) when it did not come to that; else as [`read`](Self::read).
    pub fn read_timeout(&self, timeout: Duration) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let got = self.reader(Patience::Until(poller::deadline(Some(timeout))));
        in_time(got, TryLockError::TimedOut, || self.page.words().writer.poison())
    }

    /// Locks for writing, waiting as long as it takes.
    ///
    /// # Errors
    /// [`Poisoned`](super::LockError::Poisoned), with the guard inside, after a writer has died or panicked;
    /// [`Deadlock`](super::LockError::Deadlock) when this thread reads or writes.
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        for_good(self.writer(Patience::Until(None)), || self.page.words().writer.poison())
    }

    /// Locks for writing, if nobody reads or writes.
    ///
    /// # Errors
    /// [`WouldBlock`](TryLockError::WouldBlock) when somebody does; else as [`write`](Self::write).
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        in_time(self.writer(Patience::None), TryLockError::WouldBlock, || self.page.words().writer.poison())
    }

    /// Locks for writing, waiting at most this long. Zero only tries.
    ///
    /// # Errors
    /// [`TimedOut`](TryLockError::TimedOut) when others had it all the time; else as [`write`](Self::write).
    pub fn write_timeout(&self, timeout: Duration) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let got = self.writer(Patience::Until(poller::deadline(Some(timeout))));
        in_time(got, TryLockError::TimedOut, || self.page.words().writer.poison())
    }

    /// Locks for reading, from asynchronous code on any executor. The lock belongs to the thread that polled last, so the guard cannot be held
    /// over another `.await` in a task that moves between threads. While somebody writes, a thread waits in place of the task.
    ///
    /// # Errors
    /// As [`read`](Self::read); also when no thread can be started.
    pub async fn read_async(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        let mut proxy = Proxy::default();
        let got = std::future::poll_fn(|context| {
            let wait = || {
                let lock = self.clone();
                move |until| !matches!(lock.reader(Patience::Until(Some(until))), Ok(None))
            };
            proxy.poll_in_turn(context, |grace| self.reader(Patience::within(grace)), wait)
        });
        for_good(got.await.map(Some), || self.page.words().writer.poison())
    }

    /// Locks for writing, from asynchronous code on any executor: see [`read_async`](Self::read_async). Where many read without a pause, the thread
    /// that polls waits as well when it is the task's turn: for a millisecond, and longer, up to 64, each time that this was not enough.
    ///
    /// # Errors
    /// As [`write`](Self::write); also when no thread can be started.
    pub async fn write_async(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let mut proxy = Proxy::default();
        let got = std::future::poll_fn(|context| {
            let wait = || {
                let lock = self.clone();
                move |until| !matches!(lock.writer(Patience::Until(Some(until))), Ok(None))
            };
            proxy.poll_in_turn(context, |grace| self.writer(Patience::within(grace)), wait)
        });
        for_good(got.await.map(Some), || self.page.words().writer.poison())
    }

    /// Whether a writer has died or panicked, as far as anybody has noticed.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.page.words().writer.poison().is_some()
    }

    /// Declares the data consistent. Who calls it holds the lock for writing, and has repaired them.
    pub fn clear_poison(&self) {
        self.page.words().writer.clear_poison();
    }

    fn reader(&self, patience: Patience) -> io::Result<Option<RwLockReadGuard<'_, T>>> {
        let words = self.page.words();
        let first = index();
        if words.closed.load(Ordering::Relaxed) == 0 {
            if let Some(held) = self.page.try_read_any(first, self.page.holder())? {
                return Ok(Some(self.reading(held)));
            }
        }
        let Some(_gate) = self.pass(patience)? else { return Ok(None) };
        // Nobody writes now, whatever the word says, and nobody will until the gate is free.
        let held = match (self.page.try_read_any(first, self.page.holder())?, patience) {
            (None, Patience::Until(deadline)) => self.page.read(first, self.page.holder(), deadline)?,
            (held, _) => held,
        };
        Ok(held.map(|held| self.reading(held)))
    }

    fn reading<'a>(&'a self, held: ReadHeld<'a, T>) -> RwLockReadGuard<'a, T> {
        self.page.words().writer.bury();
        RwLockReadGuard { held, _not_send: PhantomData }
    }

    fn writer(&self, patience: Patience) -> io::Result<Option<RwLockWriteGuard<'_, T>>> {
        let Some(gate) = self.pass(patience)? else { return Ok(None) };
        gate.words.closed.store(1, Ordering::Relaxed);
        let (holder, (wait, deadline)) = match patience {
            Patience::None => (self.page.holder(), (false, None)),
            Patience::Until(deadline) => (self.page.holder(), (true, deadline)),
        };
        let Some(held) = self.page.write(holder, wait, deadline)? else { return Ok(None) };
        gate.words.writer.bury();
        gate.words.writer.begin(holder);
        let panicking = Panicking::now();
        Ok(Some(RwLockWriteGuard { held: Some(held), gate, panicking, _not_send: PhantomData }))
    }

    /// Takes the gate.
    fn pass(&self, patience: Patience) -> io::Result<Option<Passing<'_>>> {
        let (words, holder) = (self.page.words(), self.page.holder());
        let held = match patience {
            Patience::None => lock::try_lock(&words.gate, holder)?,
            Patience::Until(deadline) => lock::lock(&words.gate, holder, deadline)?,
        };
        Ok(held.map(|held| Passing { words, _held: held }))
    }
}

/// With which slot this thread begins to look for a free one: all threads with others.
fn index() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<Option<usize>> = const { Cell::new(None) };
    }
    let own = OWN.get().unwrap_or_else(|| {
        let own = NEXT.fetch_add(1, Ordering::Relaxed);
        OWN.set(Some(own));
        own
    });
    own.wrapping_add(own::pid() as usize)
}

impl<T: Shareable> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.gate.words.writer.let_go(self.panicking.began_since());
        // Before the gate opens.
        self.held = None;
    }
}

impl<T: Shareable> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T: Shareable> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_ref().expect("held until drop")
    }
}

impl<T: Shareable> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().expect("held until drop")
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RwLock");
        match self.try_read().or_else(TryLockError::into_guard) {
            Ok(guard) => debug.field("data", &*guard),
            Err(_) => debug.field("data", &format_args!("<locked>")),
        };
        debug.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
