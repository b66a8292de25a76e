//! Synchronisation.

mod barrier;
mod condvar;
mod event;
mod future;
mod lock;
mod monitor;
mod mutex;
mod once;
mod page;
mod poison;
mod reentrant;
mod roster;
mod rwlock;
mod semaphore;

pub use barrier::{Barrier, BarrierError, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use event::Event;
pub use mutex::{Mutex, MutexGuard};
pub use once::{Once, OnceError, OnceState};
pub use poison::{Cause, LockError, LockResult, PoisonError, TryLockError, TryLockResult};
pub use reentrant::{ReentrantMutex, ReentrantMutexGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{AddPermitsError, Permit, Semaphore};
