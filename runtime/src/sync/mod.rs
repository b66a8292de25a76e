//! Synchronisation of processes, in memory that they share: locks, conditions, semaphores, events and barriers that survive
//! whoever is killed while using them.
//!
//! | | what it is for | when a process dies that uses it |
//! |---|---|---|
//! | [`Mutex`] | data that one at a time uses | the next one gets them with that news: [poison](PoisonError) |
//! | [`RwLock`] | data that many read at once | a reader: nothing; a writer: poison |
//! | [`ReentrantMutex`] | a lock that its holder can lock again | poison |
//! | [`Once`] | what is done once by all together | the next one is told, and may do it |
//! | [`Condvar`] | waiting for a change of a mutex's data | nothing; a notification that it had not taken yet is another's |
//! | [`Semaphore`] | a number of permits | its permits come back to those who wait |
//! | [`Event`] | a flag to wait for | nothing |
//! | [`Barrier`] | a number of parties that wait for each other | the others are told: [`BarrierError::Broken`] |
//!
//! Each is a handle: cheap to clone, usable by all threads at once, and able to travel in a field of a [process
//! class](crate::Process), an argument, an output or a message, nested as deep as you like. It costs one descriptor and one or two pages of memory,
//! which have no name anywhere and are gone with the last handle; and no thread. A handle that arrives where another kind or
//! type is expected is refused there.
//!
//! ```
//! use offspring::sync::{Barrier, Mutex};
//! use offspring::{Process, Run};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Process, Serialize, Deserialize)]
//! struct Counter {
//!     start: Barrier,
//!     counts: Vec<Mutex<u64>>,
//! }
//!
//! impl Run for Counter {
//!     type Output = ();
//!     fn run(self) {
//!         self.start.wait().unwrap();
//!         for count in &self.counts {
//!             *count.lock().unwrap() += 1;
//!         }
//!     }
//! }
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (start, counts) = (Barrier::new(2)?, vec![Mutex::new(0)?, Mutex::new(10)?]);
//!     let counter = || Counter { start: start.clone(), counts: counts.clone() }.start();
//!     let children = [counter()?, counter()?];
//!     for child in children {
//!         child.join()?;
//!     }
//!     assert_eq!(*counts[1].lock().unwrap(), 12);
//!     Ok(())
//! }
//! ```
//!
//! What lies under a lock is [`Shareable`](crate::Shareable): numbers, atomics, arrays and structs of them. A type with a pointer
//! in it does not compile.
//!
//! Waits have siblings that end in time, and all but the [`ReentrantMutex`] have some for asynchronous code, on any executor:
//! [`Mutex::lock_async`], [`RwLock::read_async`] and [`RwLock::write_async`], [`Condvar::wait_while_async`], [`Semaphore::acquire_async`],
//! [`Event::wait_async`], [`Barrier::wait_async`], [`Once::call_once_async`]. Who waits sleeps in the kernel; for a task a thread does.
//!
//! # What survives a kill, and how
//!
//! The locks are robust mutexes of the C library (`pthread_mutexattr_setrobust(3)`): the kernel knows who holds them, and passes them on
//! when the holder's thread ends, however it ends. Conditions, semaphores, events and barriers have a state behind such a lock, which changes by one store
//! after the wake-up of those who wait, so that a kill between any two instructions leaves neither half a change nor somebody asleep
//! who should wake (the module `monitor` has the argument). Permits and parties of a barrier belong to processes: who waits for them looks
//! whether those live, first after 4 ms and then every 250 ms at most.
//!
//! # Fairness
//!
//! A lock that becomes free belongs to whoever comes first, which is fastest; but who has waited for a millisecond goes before all that come
//! later. Writers of a [`RwLock`] go before readers that come after them. Permits, notifications and the end of an [`Event`]'s wait have no order.
//!
//! # Limits
//!
//! A process that is stopped (`SIGSTOP`), not killed, while it holds a lock keeps it. All who share an object must be of one build, and on one machine; those
//! in different PID namespaces count each other as alive.

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
