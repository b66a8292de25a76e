//! Queues: tasks that are waited for until they are done.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ends::{self, End, Patience, send_value};
use super::error::{RecvError, SendError};
use super::item;
use super::ring::{Limits, Which};
use crate::process::wait::Sleeper;
use crate::process::{Sentinel, Waitable};
use crate::sys::poller;

/// How long one who joins naps before it looks whether a consumer has died.
const JOIN_NAP: Duration = Duration::from_millis(100);

/// A channel of which every process holds both ends, and that can be waited for until all is done.
///
/// Who takes a task out with [`get`](Self::get) says [`task_done`](Self::task_done) when it has done it; [`join`](Self::join) waits until that
/// has been said of every task that was ever put in. A consumer that dies with tasks in hand is an error of `join`, which says how many
/// they were.
///
/// Since every holder could put something in, a queue does not end by itself: [`close`](Self::close) ends it. Where workers shall end
/// when their producers do, take a [`channel`](super::channel()).
///
/// ```
/// use offspring::channel::Queue;
///
/// fn work(queue: Queue<u32>, sums: Queue<u32>) {
///     while let Ok(number) = queue.get() {
///         sums.put(number * number).expect("there is room");
///         queue.task_done().expect("it was taken");
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (queue, sums) = (Queue::new()?, Queue::new()?);
///     let workers = [0, 1].map(|_| offspring::spawn(work, (queue.clone(), sums.clone())));
///     for number in 1..=4 {
///         queue.put(number)?;
///     }
///     queue.join()?;
///     let mut sum = 0;
///     while let Ok(square) = sums.try_get() {
///         sum += square;
///     }
///     assert_eq!(sum, 30);
///     queue.close()?;
///     for worker in workers {
///         worker?.join()?;
///     }
///     Ok(())
/// }
/// ```
#[doc(alias("JoinableQueue", "SimpleQueue"))]
pub struct Queue<T> {
    sending: Arc<End>,
    receiving: Arc<End>,
    item: PhantomData<fn(T) -> T>,
}

/// [`Queue::task_done`] was called more often than tasks were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("task_done() was called more often than this process took tasks out of the queue")]
pub struct TooManyDone;

/// Why not all tasks of a queue are done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueJoinError {
    /// A process died that had taken tasks and not done them. They are lost, and waited for no more: the next join waits for the rest.
    #[error("process {pid} died with {tasks} tasks in hand")]
    ConsumerDied {
        /// The process that died.
        pid: u32,
        /// How many tasks it had taken and not done.
        tasks: u64,
    },
    /// They were not done until the time was over.
    #[error("the tasks were not done until the timeout")]
    TimedOut,
    /// The system refused to wait.
    #[error("the system refused to wait: {0}")]
    System(#[source] io::Error),
}

impl<T> Queue<T> {
    /// Makes a queue without a limit.
    ///
    /// # Errors
    /// When the system lacks memory or descriptors.
    pub fn new() -> io::Result<Self> {
        Self::with_limits(Limits::default())
    }

    /// Makes a queue that holds at most `count` tasks: who puts one more in waits.
    ///
    /// # Errors
    /// When the system lacks memory or descriptors. A count of zero is invalid.
    #[doc(alias = "maxsize")]
    pub fn bounded(count: usize) -> io::Result<Self> {
        Self::with_limits(super::Builder::new().max_messages(count).limits()?)
    }

    fn with_limits(limits: Limits) -> io::Result<Self> {
        let (sending, receiving) = ends::pair(limits, item::<T>())?;
        Ok(Self::of(sending, receiving))
    }

    fn of(sending: End, receiving: End) -> Self {
        Self { sending: Arc::new(sending), receiving: Arc::new(receiving.with_tally()), item: PhantomData }
    }

    /// How many tasks wait to be taken.
    #[doc(alias = "qsize")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.sending.ring.len() as usize
    }

    /// Whether no task waits to be taken.
    #[doc(alias = "empty")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.sending.ring.has_data()
    }

    /// Whether a [`bounded`](Self::bounded) queue holds as many tasks as it may.
    #[doc(alias = "full")]
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.sending.ring.has_room(0)
    }

    /// Ends the queue for all: nothing more can be put in, and what is in it can still be taken.
    ///
    /// # Errors
    /// When the system refuses, which it has no reason to.
    pub fn close(&self) -> io::Result<()> {
        self.sending.close()
    }

    /// Says that a task which this process took is done.
    ///
    /// # Errors
    /// When this process has said so of every task that it took.
    pub fn task_done(&self) -> Result<(), TooManyDone> {
        if self.receiving.ring.finish_one() { Ok(()) } else { Err(TooManyDone) }
    }

    /// Waits until all tasks that were put in are done.
    ///
    /// # Errors
    /// [`QueueJoinError::ConsumerDied`] when some will never be.
    pub fn join(&self) -> Result<(), QueueJoinError> {
        self.join_until(None)
    }

    /// Waits until all tasks that were put in are done, but at most this long.
    ///
    /// # Errors
    /// As [`join`](Self::join), and [`QueueJoinError::TimedOut`].
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), QueueJoinError> {
        self.join_until(poller::deadline(Some(timeout)))
    }

    fn join_until(&self, deadline: Option<Instant>) -> Result<(), QueueJoinError> {
        let ring = &self.receiving.ring;
        loop {
            // What a dead holder of a lock left half done is completed by who takes the lock next.
            for side in [Which::Senders, Which::Receivers] {
                drop(ring.try_lock(side).map_err(QueueJoinError::System)?);
            }
            if ring.unfinished() == 0 {
                return Ok(());
            }
            if let Some((pid, tasks)) = ring.strike_out_lost() {
                return Err(QueueJoinError::ConsumerDied { pid, tasks });
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(QueueJoinError::TimedOut);
            }
            let soon = Instant::now() + JOIN_NAP;
            let until = deadline.map_or(soon, |deadline| deadline.min(soon));
            let bell = &ring.header().tally.bell;
            bell.nap(|| ring.unfinished() == 0, Some(until)).map_err(QueueJoinError::System)?;
        }
    }
}

impl<T: Serialize> Queue<T> {
    /// Puts a task in. Waits while a bounded queue is full.
    ///
    /// # Errors
    /// See [`SendFailure`](super::SendFailure); the error holds the task.
    pub fn put(&self, task: T) -> Result<(), SendError<T>> {
        self.put_with(task, Patience::Until(None))
    }

    /// Puts a task in if there is room at once.
    ///
    /// # Errors
    /// See [`SendFailure`](super::SendFailure); the error holds the task.
    #[doc(alias = "put_nowait")]
    pub fn try_put(&self, task: T) -> Result<(), SendError<T>> {
        self.put_with(task, Patience::None)
    }

    /// Puts a task in, and waits at most this long while the queue is full.
    ///
    /// # Errors
    /// See [`SendFailure`](super::SendFailure); the error holds the task.
    pub fn put_timeout(&self, task: T, timeout: Duration) -> Result<(), SendError<T>> {
        self.put_with(task, Patience::Until(poller::deadline(Some(timeout))))
    }

    fn put_with(&self, task: T, patience: Patience) -> Result<(), SendError<T>> {
        send_value(&self.sending, &task, patience).map_err(|reason| SendError::new(task, reason))
    }
}

impl<T: DeserializeOwned> Queue<T> {
    /// Takes a task. Waits while the queue is empty.
    ///
    /// # Errors
    /// [`RecvError::Disconnected`] when the queue was closed and is empty; otherwise see [`RecvError`].
    pub fn get(&self) -> Result<T, RecvError> {
        self.receiving.receive(Patience::Until(None))
    }

    /// Takes a task if one is there.
    ///
    /// # Errors
    /// [`RecvError::Empty`] when none is there; otherwise as [`get`](Self::get).
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> Result<T, RecvError> {
        self.receiving.receive(Patience::None)
    }

    /// Takes a task, and waits at most this long for one.
    ///
    /// # Errors
    /// [`RecvError::TimedOut`] when none has come; otherwise as [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, RecvError> {
        self.receiving.receive(Patience::Until(poller::deadline(Some(timeout))))
    }
}

/// Ready when a task can be taken, or the queue was closed.
impl<T> Waitable for Queue<T> {
    fn sentinel(&self) -> Sentinel<'_> {
        Sentinel::new(self.receiving.socket.sentinel())
    }

    fn sleeper(&self) -> Option<&dyn Sleeper> {
        Some(&*self.receiving)
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { sending: Arc::clone(&self.sending), receiving: Arc::clone(&self.receiving), item: PhantomData }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T> Serialize for Queue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ends::serialize_both(&self.sending, &self.receiving, serializer)
    }
}

impl<'de, T> Deserialize<'de> for Queue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (sending, receiving) = ends::deserialize_both(deserializer, item::<T>())?;
        Ok(Self::of(sending, receiving))
    }
}
