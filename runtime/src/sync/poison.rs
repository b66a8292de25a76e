//! What is wrong with a lock: the errors of locking.

use std::fmt;
use std::io;

/// Why data under a lock may be inconsistent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The thread that held the lock ended without unlocking it: its process was killed or exited, or the guard was leaked.
    Died,
    /// The thread that held the lock panicked.
    Panicked,
}

/// Whether a thread was panicking when it locked: only a panic since then poisons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panicking(bool);

impl Panicking {
    #[inline]
    pub(crate) fn now() -> Self {
        Self(std::thread::panicking())
    }

    /// Whether it panics now, and did not then.
    #[inline]
    pub(crate) fn began_since(self) -> bool {
        !self.0 && std::thread::panicking()
    }
}

/// The lock is held now, but a holder before died or panicked: the data may be half changed.
///
/// The counterpart of [`std::sync::PoisonError`]. The guard is inside: take it, repair the data, and declare it repaired
/// with `clear_poison`.
#[derive(Clone)]
#[doc(alias = "EOWNERDEAD")]
pub struct PoisonError<G> {
    guard: G,
    cause: Cause,
    culprit: Option<u32>,
}

impl<G> PoisonError<G> {
    pub(crate) fn new(guard: G, (cause, culprit): (Cause, Option<u32>)) -> Self {
        Self { guard, cause, culprit }
    }

    /// The guard: the lock is held.
    pub fn into_inner(self) -> G {
        self.guard
    }

    /// The guard, lent.
    pub fn get_ref(&self) -> &G {
        &self.guard
    }

    /// The guard, lent for changes.
    pub fn get_mut(&mut self) -> &mut G {
        &mut self.guard
    }

    /// What became of the holder.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// The process id of that holder; `None` if it died before it could leave it.
    pub fn owner(&self) -> Option<u32> {
        self.culprit
    }

    pub(crate) fn map<H>(self, change: impl FnOnce(G) -> H) -> PoisonError<H> {
        PoisonError { guard: change(self.guard), cause: self.cause, culprit: self.culprit }
    }
}

impl<G> fmt::Debug for PoisonError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoisonError")
            .field("cause", &self.cause)
            .field("owner", &self.culprit)
            .finish_non_exhaustive()
    }
}

impl<G> fmt::Display for PoisonError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = match self.cause {
            Cause::Died => "died",
            Cause::Panicked => "panicked",
        };
        match self.culprit {
            Some(pid) => write!(f, "process {pid} {cause} while it held the lock")?,
            None => write!(f, "a process {cause} while it held the lock")?,
        }
        f.write_str(": repair the data, then call clear_poison")
    }
}

impl<G> std::error::Error for PoisonError<G> {}

/// Why a lock was not got, or not in good order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError<G> {
    /// The lock is held now, but a holder before died or panicked.
    #[error(transparent)]
    Poisoned(PoisonError<G>),
    /// This thread holds the lock already, and would have waited for itself.
    #[error("this thread holds the lock already: use a ReentrantMutex, or unlock it first")]
    Deadlock,
    /// The system refused.
    #[error("the lock cannot be used: {0}")]
    System(#[source] io::Error),
}

/// Why a lock was not got in time, or not in good order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TryLockError<G> {
    /// The lock is held now, but a holder before died or panicked.
    #[error(transparent)]
    Poisoned(PoisonError<G>),
    /// Another thread holds the lock, or this one by another guard.
    #[error("the lock is held")]
    WouldBlock,
    /// The lock was held for all of the time.
    #[error("the lock was held until the timeout")]
    TimedOut,
    /// This thread holds the lock already, and would have waited for itself.
    #[error("this thread holds the lock already: use a ReentrantMutex, or unlock it first")]
    Deadlock,
    /// The system refused.
    #[error("the lock cannot be used: {0}")]
    System(#[source] io::Error),
}

impl<G> LockError<G> {
    /// The guard all the same, if there is one: for data that cannot be half changed, such as a single number.
    ///
    /// # Errors
    /// This error itself, if it is not [`Poisoned`](Self::Poisoned).
    ///
    /// ```
    /// # use offspring::sync::{LockError, Mutex};
    /// # fn main() -> std::io::Result<()> {
    /// let count = Mutex::new(0_u64)?;
    /// *count.lock().or_else(LockError::into_guard)? += 1;
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_guard(self) -> Result<G, Self> {
        match self {
            Self::Poisoned(poison) => Ok(poison.into_inner()),
            other => Err(other),
        }
    }

    pub(crate) fn from_system(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::Deadlock => Self::Deadlock,
            _ => Self::System(error),
        }
    }

    pub(crate) fn map<H>(self, change: impl FnOnce(G) -> H) -> LockError<H> {
        match self {
            Self::Poisoned(poison) => LockError::Poisoned(poison.map(change)),
            Self::Deadlock => LockError::Deadlock,
            Self::System(error) => LockError::System(error),
        }
    }
}

impl<G> TryLockError<G> {
    /// The guard all the same, if there is one: for data that cannot be half changed, such as a single number.
    ///
    /// # Errors
    /// This error itself, if it is not [`Poisoned`](Self::Poisoned).
    pub fn into_guard(self) -> Result<G, Self> {
        match self {
            Self::Poisoned(poison) => Ok(poison.into_inner()),
            other => Err(other),
        }
    }
}

impl<G> From<LockError<G>> for TryLockError<G> {
    fn from(error: LockError<G>) -> Self {
        match error {
            LockError::Poisoned(poison) => Self::Poisoned(poison),
            LockError::Deadlock => Self::Deadlock,
            LockError::System(error) => Self::System(error),
        }
    }
}

/// For functions that return [`io::Result`]: the guard is let go.
impl<G> From<LockError<G>> for io::Error {
    fn from(error: LockError<G>) -> Self {
        match error {
            LockError::System(error) => error,
            LockError::Deadlock => Self::new(io::ErrorKind::Deadlock, error.to_string()),
            LockError::Poisoned(_) => Self::other(error.to_string()),
        }
    }
}

/// For functions that return [`io::Result`]: the guard is let go.
impl<G> From<TryLockError<G>> for io::Error {
    fn from(error: TryLockError<G>) -> Self {
        let kind = match error {
            TryLockError::System(error) => return error,
            TryLockError::Deadlock => io::ErrorKind::Deadlock,
            TryLockError::WouldBlock => io::ErrorKind::WouldBlock,
            TryLockError::TimedOut => io::ErrorKind::TimedOut,
            TryLockError::Poisoned(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error.to_string())
    }
}

/// The guard, or why there is none.
pub type LockResult<G> = Result<G, LockError<G>>;

/// The guard, or why there is none yet.
pub type TryLockResult<G> = Result<G, TryLockError<G>>;

/// What came of an attempt that ends some time: the guard with the poison that came along, or why there is none.
pub(crate) fn in_time<G>(
    got: io::Result<Option<G>>,
    none: TryLockError<G>,
    poison: impl FnOnce() -> Option<(Cause, Option<u32>)>,
) -> TryLockResult<G> {
    match got {
        Ok(Some(guard)) => Ok(with_news(guard, poison())?),
        Ok(None) => Err(none),
        Err(error) => match (LockError::from_system(error), none) {
            (LockError::Deadlock, TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
            (error, _) => Err(error.into()),
        },
    }
}

/// What came of an attempt that lasts until it is successful.
#[inline]
pub(crate) fn for_good<G>(
    got: io::Result<Option<G>>,
    poison: impl FnOnce() -> Option<(Cause, Option<u32>)>,
) -> LockResult<G> {
    match got {
        Ok(Some(guard)) => with_news(guard, poison()),
        Ok(None) => Err(LockError::System(io::ErrorKind::TimedOut.into())), // without a deadline none passes
        Err(error) => Err(LockError::from_system(error)),
    }
}

#[inline]
fn with_news<G>(guard: G, poison: Option<(Cause, Option<u32>)>) -> LockResult<G> {
    match poison {
        None => Ok(guard),
        Some(poison) => Err(LockError::Poisoned(PoisonError::new(guard, poison))),
    }
}
