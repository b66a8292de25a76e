//! Synchronisation.

mod lock;
mod mutex;
mod page;
mod poison;

pub use mutex::{Mutex, MutexGuard};
pub use poison::{Cause, LockError, LockResult, PoisonError, TryLockError, TryLockResult};
