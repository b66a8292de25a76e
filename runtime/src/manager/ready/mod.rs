//! Objects that every manager can make: what Python's `SyncManager` has.
//!
//! What has methods with `&mut self` is data, and the server does those one at a time. Where clients wait for each other all methods have `&self`, and a
//! [`line`] stands behind them. What a client has there it has as a [`claim`].

mod array;
mod barrier;
mod claim;
mod dict;
mod event;
mod function;
mod latch;
mod line;
mod list;
mod lock;
mod pool;
mod queue;
mod semaphore;
mod set;
mod value;

use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use array::ArrayProxy as Array;
pub use barrier::{Barrier, BarrierError};
pub use dict::DictProxy as Dict;
pub use event::Event;
pub use function::Change;
pub use list::{ListProxy as List, OutOfRange};
pub use lock::{Condition, Guard, Lock, LockError, LockGuard, Lockable, RLock, RLockGuard};
pub use pool::{ManagedPool, ManagedTaskError};
pub use queue::{GetError, JoinableQueue, PutError, Queue, QueueJoinError, TaskDoneError};
pub use semaphore::{AddPermitsError, BoundedSemaphore, Permit, Semaphore};
pub use set::SetProxy as Set;
pub use value::ValueProxy as Value;

use super::{CallError, Manager, Server};

/// A [`Value`]: attributes are the fields of its type.
pub type Namespace<T> = Value<T>;

/// What the ready-made objects of a manager can have in them: plain data, proxies, whatever travels and can be copied. Implemented for all such types.
pub trait Item: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Item for T {}

/// Makes a type that has a proxy a proxy.
macro_rules! wrapper {
    ($name:ident $(<$item:ident>)?, $proxy:ty) => {
        impl $(<$item: $crate::manager::Item>)? $crate::manager::Proxy for $name $(<$item>)? {
            fn service() -> u64 {
                <$proxy as $crate::manager::Proxy>::service()
            }

            fn stub(&self) -> &$crate::manager::proxy::Stub {
                self.0.stub()
            }

            fn from_stub(stub: $crate::manager::proxy::Stub) -> Self {
                Self(<$proxy as $crate::manager::Proxy>::from_stub(stub))
            }
        }
    };
}

use wrapper;

/// What makes objects can make these.
macro_rules! makers {
    ($($server:ident)*) => {$(
        /// Ready-made objects. Other programs find them [by name](Self::register).
        impl $server {
            /// Makes a [`Dict`], empty.
            ///
            /// # Errors
            /// See [`CallError`].
            pub fn dict<K: Item + Eq + Hash, V: Item>(&self) -> Result<Dict<K, V>, CallError> {
                self.create(dict::Dict::<K, V>::new, ())
            }

            /// Makes a [`List`], empty.
            ///
            /// # Errors
            /// See [`CallError`].
            pub fn list<T: Item>(&self) -> Result<List<T>, CallError> {
                self.create(list::List::<T>::new, ())
            }

            /// Makes a [`Set`], empty.
            ///
            /// # Errors
            /// See [`CallError`].
            pub fn set<T: Item + Eq + Hash>(&self) -> Result<Set<T>, CallError> {
                self.create(set::Set::<T>::new, ())
            }

            /// Makes a [`Value`].
            ///
            /// # Errors
            /// See [`CallError`].
            #[doc(alias = "Namespace")]
            pub fn value<T: Item>(&self, value: T) -> Result<Value<T>, CallError> {
                self.create(value::Value::<T>::new, (value,))
            }

            /// Makes an [`Array`].
            ///
            /// # Errors
            /// See [`CallError`].
            pub fn array<T: Item>(&self, values: Vec<T>) -> Result<Array<T>, CallError> {
                self.create(array::Array::<T>::new, (values,))
            }

            /// Makes a [`Queue`] without a limit.
            ///
            /// # Errors
            /// See [`CallError`].
            #[doc(alias = "JoinableQueue")]
            pub fn queue<T: Item>(&self) -> Result<Queue<T>, CallError> {
                self.create(queue::Store::<T>::new, (usize::MAX,)).map(Queue)
            }

            /// Makes a [`Queue`] that holds at most `count` items: who puts one more in waits.
            ///
            /// # Errors
            /// [`CallError::Refused`] for none; see [`CallError`].
            #[doc(alias = "maxsize")]
            pub fn bounded_queue<T: Item>(&self, count: usize) -> Result<Queue<T>, CallError> {
                if count == 0 {
                    return Err(CallError::Refused("a queue holds one item at least".into()));
                }
                self.create(queue::Store::<T>::new, (count,)).map(Queue)
            }

            /// Makes a [`Lock`], free.
            ///
            /// # Errors
            /// See [`CallError`].
            pub fn lock(&self) -> Result<Lock, CallError> {
                self.create(latch::Latch::<latch::Plain>::new, ()).map(Lock)
            }

            /// Makes an [`RLock`], free.
            ///
            /// # Errors
            /// See [`CallError`].
            pub fn rlock(&self) -> Result<RLock, CallError> {
                self.create(latch::Latch::<latch::Reentrant>::new, ()).map(RLock)
            }

            /// Makes a [`Condition`] of a lock of this manager.
            ///
            /// # Errors
            /// [`CallError::Refused`] when the lock is another manager's; see [`CallError`].
            pub fn condition<L: Lockable>(&self, lock: &L) -> Result<Condition, CallError> {
                if !lock.stub().is_at(self.home()) {
                    return Err(CallError::Refused("the lock is another manager's".into()));
                }
                let number = lock::number(lock)?;
                self.create(latch::Latch::<latch::Bound>::of, (number,)).map(Condition)
            }

            /// Makes a [`Semaphore`] with so many free permits.
            ///
            /// # Errors
            /// See [`CallError`].
            pub fn semaphore(&self, permits: u32) -> Result<Semaphore, CallError> {
                self.create(semaphore::Counter::new, (permits, false)).map(Semaphore)
            }

            /// Makes a [`Semaphore`] with so many free permits, which never has more.
            ///
            /// # Errors
            /// See [`CallError`].
            pub fn bounded_semaphore(&self, permits: u32) -> Result<Semaphore, CallError> {
                self.create(semaphore::Counter::new, (permits, true)).map(Semaphore)
            }

            /// Makes an [`Event`], not set.
            ///
            /// # Errors
            /// See [`CallError`].
            pub fn event(&self) -> Result<Event, CallError> {
                self.create(event::Signal::new, ()).map(Event)
            }

            /// Makes a [`Barrier`] for this many parties.
            ///
            /// # Errors
            /// [`CallError::Refused`] for none; see [`CallError`].
            pub fn barrier(&self, parties: u32) -> Result<Barrier, CallError> {
                if parties == 0 {
                    return Err(CallError::Refused("a barrier is for one party at least".into()));
                }
                self.create(barrier::Gate::new, (parties,)).map(Barrier)
            }

            /// Makes a [`ManagedPool`], with this many workers.
            ///
            /// # Errors
            /// [`CallError::Panicked`] with the reason when the pool does not start; see [`CallError`].
            pub fn pool(&self, workers: usize) -> Result<ManagedPool, CallError> {
                self.create(pool::Crew::new, (workers,)).map(ManagedPool)
            }
        }
    )*};
}

makers!(Manager Server);
