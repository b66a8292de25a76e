//! Synchronisation.

mod barrier;
mod condvar;
mod event;
mod lock;
mod monitor;
mod mutex;
mod page;
mod poison;
mod roster;
mod semaphore;

pub use barrier::{Barrier, BarrierError, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use event::Event;
pub use mutex::{Mutex, MutexGuard};
pub use poison::{Cause, LockError, LockResult, PoisonError, TryLockError, TryLockResult};
pub use semaphore::{AddPermitsError, Permit, Semaphore};
