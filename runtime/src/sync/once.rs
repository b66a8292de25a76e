//! What is done once.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::future::Proxy;
use super::lock::{self, Words};
use super::page::{Layout, Page, handle};
use super::poison::{Cause, Panicking};
use crate::sys::locked::Locked;
use crate::sys::poller;
use crate::sys::shareable::shared_words;

shared_words! {
    /// Whether it is done, and the lock that is held meanwhile.
    pub(crate) struct Doing {
        done: AtomicU32,
        lock: Locked<Words, ()>,
    }
}

impl Layout for Doing {
    fn is_held_by(&self, holder: u64) -> bool {
        self.lock.words().is_held_by(holder)
    }
}

/// Something that is done once by all processes together.
///
/// It works as [`std::sync::Once`]. A handle can be cloned, and travels in fields of process classes, arguments, outputs and messages.
/// When the one that does it dies or panics, the next call learns of it, at once if it waits already, and so do all after it, until one
/// of them does it with [`call_once_force`](Self::call_once_force).
///
/// ```
/// use offspring::sync::Once;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let prepare = Once::new()?;
///     prepare.call_once(|| println!("once"))?;
///     let again = |prepare: Once| prepare.call_once(|| unreachable!()).unwrap();
///     offspring::spawn(again, (prepare.clone(),))?.join()?;
///     assert!(prepare.is_completed());
///     Ok(())
/// }
/// ```
#[doc(alias = "pthread_once_t")]
pub struct Once {
    page: Arc<Page<Doing>>,
}

handle!(Once, "Once");

/// What [`Once::call_once_force`] tells what it calls.
#[derive(Clone, Copy, Debug)]
pub struct OnceState {
    poison: Option<(Cause, Option<u32>)>,
}

impl OnceState {
    /// Whether an attempt before has failed.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_some()
    }

    /// Why it failed.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.poison.map(|(cause, _)| cause)
    }

    /// The process id of the one that failed, if known.
    #[must_use]
    pub fn owner(&self) -> Option<u32> {
        self.poison.and_then(|(_, owner)| owner)
    }
}

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnceError {
    /// The process that did it died or panicked: it may be half done.
    #[error(
        "what is done once was begun and not ended, for its process died or panicked: call call_once_force"
    )]
    Poisoned {
        /// Whether it died or panicked.
        cause: Cause,
        /// Its process id, if known.
        owner: Option<u32>,
    },
    /// It is being done by this very thread, which would have waited for itself.
    #[error("what is done once calls itself")]
    Deadlock,
    /// It was not done in time.
    #[error("what is done once was not done until the timeout")]
    TimedOut,
    /// The system refused.
    #[error("what is done once cannot be done: {0}")]
    System(#[source] io::Error),
}

impl Once {
    /// Makes it, not done.
    ///
    /// # Errors
    /// When the system has no descriptor or no memory left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { page: Page::create("Once", |page: &Doing| page.lock.initialise(()))? })
    }

    /// Does it, if nobody has done it; waits for the one that is at it. When this returns, it is done, and what was written by it
    /// can be read.
    ///
    /// # Errors
    /// [`Poisoned`](OnceError::Poisoned) after one that was at it died or panicked.
    ///
    /// # Panics
    /// When the function does: it is poisoned then.
    pub fn call_once(&self, function: impl FnOnce()) -> Result<(), OnceError> {
        self.call(None, false, |_| function())
    }

    /// As [`call_once`](Self::call_once), waiting for another that is at it at most this long.
    ///
    /// # Errors
    /// [`TimedOut`](OnceError::TimedOut); else as [`call_once`](Self::call_once).
    ///
    /// # Panics
    /// As [`call_once`](Self::call_once).
    pub fn call_once_timeout(&self, timeout: Duration, function: impl FnOnce()) -> Result<(), OnceError> {
        self.call(poller::deadline(Some(timeout)), false, |_| function())
    }

    /// Does it, if nobody has done it to its end.
    ///
    /// # Errors
    /// When the system refuses, or it calls itself.
    ///
    /// # Panics
    /// As [`call_once`](Self::call_once).
    pub fn call_once_force(&self, function: impl FnOnce(&OnceState)) -> Result<(), OnceError> {
        self.call(None, true, function)
    }

    /// As [`call_once`](Self::call_once), from asynchronous code on any executor. While another is at it, a thread waits in place of the task;
    /// the function itself runs where the task is polled.
    ///
    /// # Errors
    /// As [`call_once`](Self::call_once); also when no thread can be started.
    ///
    /// # Panics
    /// As [`call_once`](Self::call_once).
    pub async fn call_once_async(&self, function: impl FnOnce()) -> Result<(), OnceError> {
        self.call_async(false, |_| function()).await
    }

    /// As [`call_once_force`](Self::call_once_force), from asynchronous code: see [`call_once_async`](Self::call_once_async).
    ///
    /// # Errors
    /// When the system refuses, no thread can be started, or it calls itself.
    ///
    /// # Panics
    /// As [`call_once`](Self::call_once).
    pub async fn call_once_force_async(&self, function: impl FnOnce(&OnceState)) -> Result<(), OnceError> {
        self.call_async(true, function).await
    }

    /// Whether it is done. Then what was written by it can be read.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.page.done.load(Ordering::Acquire) != 0
    }

    fn call(
        &self,
        deadline: Option<Instant>,
        force: bool,
        function: impl FnOnce(&OnceState),
    ) -> Result<(), OnceError> {
        if self.is_completed() {
            return Ok(());
        }
        let held = lock::lock(&self.page.lock, self.page.holder(), deadline).map_err(OnceError::of)?;
        self.call_with(held.ok_or(OnceError::TimedOut)?, force, function)
    }

    /// Does it, if that is still to be done, with the lock held.
    fn call_with<G>(&self, held: G, force: bool, function: impl FnOnce(&OnceState)) -> Result<(), OnceError> {
        let words = self.page.lock.words();
        let _ending = Ending { words, panicking: Panicking::now(), _held: held };
        if self.is_completed() {
            words.clear_poison(); // of one that died when it was done
            return Ok(());
        }
        let poison = words.poison();
        if let (Some((cause, owner)), false) = (poison, force) {
            return Err(OnceError::Poisoned { cause, owner });
        }
        function(&OnceState { poison });
        self.page.done.store(1, Ordering::Release);
        Ok(())
    }

    async fn call_async(&self, force: bool, function: impl FnOnce(&OnceState)) -> Result<(), OnceError> {
        if self.is_completed() {
            return Ok(());
        }
        let (mut proxy, mut function) = (Proxy::default(), Some(function));
        let done = std::future::poll_fn(|context| {
            let wait = || {
                let once = self.clone();
                move |until| !matches!(once.wait_for_turn(until), Ok(None))
            };
            let attempt = || {
                let Some(held) = lock::try_lock(&self.page.lock, self.page.holder())? else {
                    return Ok(None);
                };
                // An attempt that has the lock is the last one.
                let function = function.take().expect("it is called once");
                Ok(Some(self.call_with(held, force, function)))
            };
            proxy.poll(context, attempt, wait)
        });
        done.await.map_err(OnceError::of)?
    }

    /// Waits until nobody is at it.
    fn wait_for_turn(&self, until: Instant) -> io::Result<Option<()>> {
        let (lock, panicking) = (&self.page.lock, Panicking::now());
        let held = lock::lock(lock, self.page.holder(), Some(until))?;
        Ok(held.map(|held| drop(Ending { words: lock.words(), panicking, _held: held })))
    }
}

impl OnceError {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::Deadlock => Self::Deadlock,
            _ => Self::System(error),
        }
    }
}

/// The lock is held, and unlocked at the end, whichever it is.
struct Ending<'a, G> {
    words: &'a Words,
    panicking: Panicking,
    _held: G,
}

impl<G> Drop for Ending<'_, G> {
    fn drop(&mut self) {
        self.words.let_go(self.panicking.began_since());
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("completed", &self.is_completed()).finish_non_exhaustive()
    }
}
