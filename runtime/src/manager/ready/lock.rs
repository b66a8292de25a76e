//! Locks, as their clients have them.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::claim::{self, Claim};
use super::latch::{Bound, LatchProxy, Locked, Plain, Reentrant};
use super::wrapper;
use crate::manager::{CallError, Proxy};
use crate::sync::{Cause, PoisonError};

/// Why a lock is not held, or not in good order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError<G> {
    /// The lock is held now, but a holder before died, was cut off, or panicked: what the lock protects may be half changed.
    #[error(transparent)]
    Poisoned(PoisonError<G>),
    /// Another holds it.
    #[error("the lock is held")]
    WouldBlock,
    /// Others held it for all of the time.
    #[error("the lock was held until the timeout")]
    TimedOut,
    /// The guard is not of the lock that the condition is bound to, or the lock is not the caller's any more, whose connection broke.
    #[error("the lock of the condition is not held by this guard")]
    NotHeld,
    /// The call did not get there or back. The lock is not held.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl<G> LockError<G> {
    /// The guard all the same, if there is one.
    ///
    /// # Errors
    /// This error itself, if it is not [`Poisoned`](Self::Poisoned).
    pub fn into_guard(self) -> Result<G, Self> {
        match self {
            Self::Poisoned(poison) => Ok(poison.into_inner()),
            other => Err(other),
        }
    }

    /// Whether the lock was not free, at once or until the time was over.
    pub fn is_held_by_another(&self) -> bool {
        matches!(self, Self::WouldBlock | Self::TimedOut)
    }

    pub(super) fn map<H>(self, change: impl FnOnce(G) -> H) -> LockError<H> {
        match self {
            Self::Poisoned(poison) => LockError::Poisoned(poison.map(change)),
            Self::WouldBlock => LockError::WouldBlock,
            Self::TimedOut => LockError::TimedOut,
            Self::NotHeld => LockError::NotHeld,
            Self::Call(error) => LockError::Call(error),
        }
    }
}

/// A lock at a manager, for all who have this: made by [`Manager::lock`](crate::Manager::lock).
///
/// When a client that holds it dies, or its connection ends, the lock is free at once, and the next holder learns of it by
/// [`LockError::Poisoned`]; so does everybody after it, until somebody calls [`clear_poison`](Self::clear_poison). A panic while it is held
/// poisons as well. It is given in the order of coming. It belongs to its guard, which can be dropped by another thread; who has it and
/// locks again waits for ever.
///
/// ```
/// use offspring::manager::{Lock, LockError};
///
/// fn dies(lock: Lock) {
///     let _guard = lock.lock().unwrap();
///     std::process::abort();
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let lock = manager.lock()?;
///     drop(lock.lock()?);
///     let child = offspring::spawn(dies, (lock.clone(),))?;
///     let pid = child.pid();
///     child.join().unwrap_err();
///     match lock.lock() {
///         Err(LockError::Poisoned(poison)) => {
///             assert_eq!(poison.owner(), Some(pid));
///             let _guard = poison.into_inner();
///             lock.clear_poison()?; // when all is in order again
///         }
///         other => panic!("{other:?}"),
///     }
///     drop(lock.lock()?);
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lock(pub(super) LatchProxy<Plain>);

wrapper!(Lock, LatchProxy<Plain>);

/// A lock at a manager that the thread which holds it can lock again, any number of times: made by [`Manager::rlock`](crate::Manager::rlock).
///
/// It is free when the last guard is dropped. All else is as with [`Lock`].
///
/// ```
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let lock = manager.rlock()?;
///     let outer = lock.lock()?;
///     let inner = lock.lock()?;
///     drop(outer);
///     assert!(lock.is_locked()?);
///     drop(inner);
///     assert!(!lock.is_locked()?);
///     Ok(())
/// }
/// ```
#[doc(alias = "ReentrantMutex")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RLock(pub(super) LatchProxy<Reentrant>);

wrapper!(RLock, LatchProxy<Reentrant>);

/// Holds a [`Lock`], until drop.
#[must_use = "dropping it unlocks"]
pub struct LockGuard(Claim);

/// Holds an [`RLock`], until drop. The last one's drop unlocks it.
#[must_use = "dropping it unlocks"]
pub struct RLockGuard(Claim, PhantomData<*const ()>);

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockGuard(..)")
    }
}

impl fmt::Debug for RLockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RLockGuard(..)")
    }
}

fn enter<S: 'static>(
    latch: &LatchProxy<S>,
    owner: Option<u64>,
    limit: Option<Duration>,
) -> Result<Claim, LockError<Claim>> {
    let claim = Claim::new(latch.stub());
    let owner = owner.unwrap_or(claim.number());
    let locked = latch.acquire(owner, claim.number(), claim.pid(), limit)?;
    let none =
        if limit.is_some_and(|limit| limit.is_zero()) { LockError::WouldBlock } else { LockError::TimedOut };
    held(claim, &locked, none)
}

/// What the server says of a claim.
fn held(claim: Claim, locked: &Locked, none: LockError<Claim>) -> Result<Claim, LockError<Claim>> {
    match locked {
        Locked::Well => Ok(claim),
        Locked::Poisoned(news) => {
            let cause = if news.panicked { Cause::Panicked } else { Cause::Died };
            Err(LockError::Poisoned(PoisonError::new(claim, (cause, Some(news.pid)))))
        }
        Locked::No => {
            claim.forget();
            Err(none)
        }
    }
}

macro_rules! lock {
    ($lock:ident, $guard:ident, $owner:expr, $wrap:expr) => {
        impl $lock {
            /// Locks, waiting as long as it takes.
            ///
            /// # Errors
            /// [`Poisoned`](LockError::Poisoned), with the guard inside, after a holder has died or panicked; see [`LockError`].
            #[doc(alias = "acquire")]
            pub fn lock(&self) -> Result<$guard, LockError<$guard>> {
                self.enter(None)
            }

            /// Locks if it is free.
            ///
            /// # Errors
            /// [`WouldBlock`](LockError::WouldBlock) when another holds it; else as [`lock`](Self::lock).
            pub fn try_lock(&self) -> Result<$guard, LockError<$guard>> {
                self.enter(Some(Duration::ZERO))
            }

            /// Locks, waiting at most this long. Zero only tries.
            ///
            /// # Errors
            /// [`TimedOut`](LockError::TimedOut) when others held it all the time; else as [`lock`](Self::lock).
            pub fn lock_timeout(&self, timeout: Duration) -> Result<$guard, LockError<$guard>> {
                self.enter(Some(timeout))
            }

            /// Whether anybody holds it at this moment.
            ///
            /// # Errors
            /// See [`CallError`].
            #[doc(alias = "locked")]
            pub fn is_locked(&self) -> Result<bool, CallError> {
                self.0.is_locked()
            }

            /// Whether a holder has died or panicked.
            ///
            /// # Errors
            /// See [`CallError`].
            pub fn is_poisoned(&self) -> Result<bool, CallError> {
                self.0.is_poisoned()
            }

            /// Declares all in order. Who calls it holds the lock, and has repaired what it protects.
            ///
            /// # Errors
            /// See [`CallError`].
            pub fn clear_poison(&self) -> Result<(), CallError> {
                self.0.clear_poison()
            }

            fn enter(&self, limit: Option<Duration>) -> Result<$guard, LockError<$guard>> {
                enter(&self.0, $owner, limit).map($wrap).map_err(|error| error.map($wrap))
            }
        }
    };
}

lock!(Lock, LockGuard, None, LockGuard);
lock!(RLock, RLockGuard, Some(claim::thread()), |claim| RLockGuard(claim, PhantomData));

/// What can be held while one waits at a [`Condition`].
pub trait Guard: sealed::Guard {}

impl Guard for LockGuard {}
impl Guard for RLockGuard {}

/// What a [`Condition`] can be bound to.
pub trait Lockable: Proxy + sealed::Lockable {}

impl Lockable for Lock {}
impl Lockable for RLock {}

mod sealed {
    use super::{CallError, Claim, Lock, LockGuard, PhantomData, RLock, RLockGuard};

    pub trait Guard: Sized {
        fn from_claim(claim: Claim) -> Self;
        fn into_claim(self) -> Claim;
    }

    impl Guard for LockGuard {
        fn from_claim(claim: Claim) -> Self {
            Self(claim)
        }
        fn into_claim(self) -> Claim {
            self.0
        }
    }

    impl Guard for RLockGuard {
        fn from_claim(claim: Claim) -> Self {
            Self(claim, PhantomData)
        }
        fn into_claim(self) -> Claim {
            self.0
        }
    }

    pub trait Lockable {
        fn number(&self) -> Result<u64, CallError>;
    }

    impl Lockable for Lock {
        fn number(&self) -> Result<u64, CallError> {
            self.0.number()
        }
    }

    impl Lockable for RLock {
        fn number(&self) -> Result<u64, CallError> {
            self.0.number()
        }
    }
}

/// Where one waits, while a lock is let go, until another notifies: made by [`Manager::condition`](crate::Manager::condition), bound to a [`Lock`]
/// or an [`RLock`].
///
/// Who is notified is awake, and waits for the lock. Nobody wakes without reason, but what was true at the notice may not be any more: look again, or
/// use [`wait_for`](Self::wait_for). A notice that reaches somebody who dies is handed on. An `RLock` is let go whole, and held as often
/// as before afterwards.
///
/// ```
/// use offspring::manager::{Condition, Lock, Value};
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let (lock, ready) = (manager.lock()?, manager.value(false)?);
///     let condition = manager.condition(&lock)?;
///     let prepare = |lock: Lock, condition: Condition, ready: Value<bool>| {
///         let _guard = lock.lock().unwrap();
///         ready.set(true).unwrap();
///         condition.notify_one().unwrap();
///     };
///     let child = offspring::spawn(prepare, (lock.clone(), condition.clone(), ready.clone()))?;
///     let guard = condition.wait_for(lock.lock()?, || ready.get())?;
///     drop(guard);
///     child.join()?;
///     Ok(())
/// }
/// ```
#[doc(alias = "Condvar")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Condition(pub(super) LatchProxy<Bound>);

wrapper!(Condition, LatchProxy<Bound>);

impl Condition {
    /// Lets the lock go, waits to be notified, and locks again.
    ///
    /// # Errors
    /// As for [`Lock::lock`], and [`NotHeld`](LockError::NotHeld).
    pub fn wait<G: Guard>(&self, guard: G) -> Result<G, LockError<G>> {
        let (result, _) = self.sleep(guard, None);
        result
    }

    /// Lets the lock go, waits at most this long to be notified, and locks again, which may take longer: whether it was notified.
    ///
    /// # Errors
    /// As for [`Lock::lock`], and [`NotHeld`](LockError::NotHeld).
    pub fn wait_timeout<G: Guard>(
        &self,
        guard: G,
        timeout: Duration,
    ) -> Result<(G, bool), LockError<(G, bool)>> {
        let (result, notified) = self.sleep(guard, Some(timeout));
        result.map(|guard| (guard, notified)).map_err(|error| error.map(|guard| (guard, notified)))
    }

    /// Waits until the predicate is true. It is looked at while the lock is held.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait), and what the predicate fails with.
    pub fn wait_for<G: Guard>(
        &self,
        mut guard: G,
        mut predicate: impl FnMut() -> Result<bool, CallError>,
    ) -> Result<G, LockError<G>> {
        while !predicate()? {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// Waits until the predicate is true, at most this long: whether it is.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait), and what the predicate fails with.
    pub fn wait_for_timeout<G: Guard>(
        &self,
        mut guard: G,
        timeout: Duration,
        mut predicate: impl FnMut() -> Result<bool, CallError>,
    ) -> Result<(G, bool), LockError<(G, bool)>> {
        let deadline = crate::sys::poller::deadline(Some(timeout));
        loop {
            if predicate()? {
                return Ok((guard, true));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok((guard, false));
            }
            let (result, _) = self.sleep(guard, left);
            guard = result.map_err(|error| error.map(|guard| (guard, false)))?;
        }
    }

    /// Wakes one who waits, if anybody does: who has waited longest. It need not hold the lock.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "notify")]
    pub fn notify_one(&self) -> Result<(), CallError> {
        self.notify(1)
    }

    /// Wakes this many of those who wait, or all if they are fewer.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn notify(&self, count: usize) -> Result<(), CallError> {
        self.0.notify(count)
    }

    /// Wakes all who wait.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn notify_all(&self) -> Result<(), CallError> {
        self.notify(usize::MAX)
    }

    fn sleep<G: Guard>(&self, guard: G, limit: Option<Duration>) -> (Result<G, LockError<G>>, bool) {
        let claim = guard.into_claim();
        let (notified, locked) = match self.0.sleep(claim.number(), limit) {
            Ok(slept) => slept,
            Err(error) => return (Err(error.into()), false),
        };
        // A claim on another lock lets that go.
        let result = match locked {
            Locked::No => Err(LockError::NotHeld),
            locked => held(claim, &locked, LockError::NotHeld),
        };
        (result.map(G::from_claim).map_err(|error| error.map(G::from_claim)), notified)
    }
}

pub(super) fn number<L: Lockable>(lock: &L) -> Result<u64, CallError> {
    sealed::Lockable::number(lock)
}
