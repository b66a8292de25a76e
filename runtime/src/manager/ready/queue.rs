//! Queues.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::claim::Claim;
use super::line::{Line, Party};
use super::{Item, wrapper};
use crate::manager::{CallError, Caller, Proxy, caller};

/// The items of a queue, and who has which.
struct Shelf<T> {
    items: VecDeque<Arc<T>>,
    most: usize,
    is_closed: bool,
    /// What is on its way to who claimed it.
    given: Vec<(Option<Caller>, u64, Arc<T>)>,
    /// How many each client has taken and not done.
    taken: HashMap<Option<Caller>, u64>,
    /// How many were put in and are not done.
    unfinished: u64,
    /// How many were taken by clients that went before they were done, and nobody has been told.
    lost: u64,
}

/// What became of an item that was to be put in.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Put<T> {
    Done,
    Full(T),
    Closed(T),
}

/// What came of looking for an item.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Got<T> {
    Item(T),
    Nothing,
    Closed,
}

impl<T> Shelf<T> {
    fn has_room(&self) -> bool {
        self.items.len() < self.most
    }

    fn take_given(&mut self, client: Option<&Caller>, claim: u64) -> Option<Arc<T>> {
        let place = self.given.iter().position(|(to, given, _)| to.as_ref() == client && *given == claim)?;
        Some(self.given.remove(place).2)
    }
}

impl<T: Send + Sync + 'static> Party for Shelf<T> {
    fn gone(&mut self, client: &Caller) {
        let all = std::mem::take(&mut self.given);
        let (back, stay): (Vec<_>, _) = all.into_iter().partition(|(to, ..)| to.as_ref() == Some(client));
        self.given = stay;
        // In their order, before all others.
        back.into_iter().rev().for_each(|(.., item)| self.items.push_front(item));
        let lost = self.taken.remove(&Some(client.clone())).unwrap_or(0);
        self.lost += lost;
        self.unfinished -= lost;
    }
}

/// The service of queues.
pub(super) struct Store<T>(Line<Shelf<T>>);

impl<T: Item> Store<T> {
    pub(super) fn new(most: usize) -> Self {
        let (items, is_closed, given, taken, unfinished, lost) = Default::default();
        Self(Line::new(Shelf { items, most, is_closed, given, taken, unfinished, lost }))
    }
}

/// Queues of a manager.
#[crate::service(crate = crate)]
impl<T: Item> Store<T> {
    /// Puts back what was on its way: see `claim::RELEASE`.
    pub fn release(&self, claim: u64, _panicked: bool) {
        let client = caller();
        self.0.change(|queue| {
            if let Some(item) = queue.take_given(client.as_ref(), claim) {
                queue.items.push_front(item);
            }
        });
    }

    /// What was on its way has come: see `claim::KEEP`.
    pub fn keep(&self, claim: u64) {
        let client = caller();
        let item = self.0.change(|queue| {
            let item = queue.take_given(client.as_ref(), claim)?;
            *queue.taken.entry(client).or_default() += 1;
            Some(item)
        });
        drop(item); // when nothing is locked
    }

    pub fn put(&self, item: T, limit: Option<Duration>) -> Put<T> {
        let item = Arc::new(item);
        let mut new = Some(Arc::clone(&item));
        let put = self.0.wait(
            limit,
            move |queue| {
                if queue.is_closed {
                    return Some(false);
                }
                if queue.has_room() {
                    queue.items.extend(new.take());
                    queue.unfinished += 1;
                    return Some(true);
                }
                None
            },
            |_, _| {},
        );
        match put {
            Ok(true) => Put::Done,
            Ok(false) => Put::Closed((*item).clone()),
            Err(_) => Put::Full((*item).clone()),
        }
    }

    pub fn get(&self, claim: u64, limit: Option<Duration>) -> Got<T> {
        let client = caller();
        let take = move |queue: &mut Shelf<T>| match queue.items.pop_front() {
            Some(item) => {
                queue.given.push((client.clone(), claim, Arc::clone(&item)));
                Some(Some(item))
            }
            // What is on its way to others may come back.
            None => (queue.is_closed && queue.given.is_empty()).then_some(None),
        };
        match self.0.wait(limit, take, |_, _| {}) {
            Ok(Some(item)) => Got::Item((*item).clone()),
            Ok(None) => Got::Closed,
            Err(_) => Got::Nothing,
        }
    }

    pub fn len(&self) -> usize {
        self.0.look(|queue| queue.items.len())
    }

    pub fn is_full(&self) -> bool {
        self.0.look(|queue| !queue.has_room())
    }

    pub fn close(&self) {
        self.0.change(|queue| queue.is_closed = true);
    }

    /// Whether there was one.
    pub fn task_done(&self) -> bool {
        let client = caller();
        self.0.change(|queue| {
            let Some(taken) = queue.taken.get_mut(&client) else { return false };
            *taken -= 1;
            if *taken == 0 {
                queue.taken.remove(&client);
            }
            queue.unfinished -= 1;
            true
        })
    }

    /// How many are lost, if all that are not are done in time.
    pub fn join(&self, limit: Option<Duration>) -> Option<u64> {
        let done = |queue: &mut Shelf<T>| {
            let is_over = queue.lost > 0 || queue.unfinished == 0;
            is_over.then(|| std::mem::take(&mut queue.lost))
        };
        self.0.wait(limit, done, |_, _| {}).ok()
    }
}

/// A queue at a manager, for any number of clients that put items in and take them out: made by [`Manager::queue`](crate::Manager::queue) or
/// [`Manager::bounded_queue`](crate::Manager::bounded_queue).
///
/// An item goes to one client, and who has waited longest is the first. No item is lost on the way: it is the client's when
/// [`get`](Self::get) returns it. If the client dies before that, gives up or is cut off, it is back at its place, before all others.
/// That holds for every end of a process. Where the connection breaks between two machines just as `get` returns, the server may not
/// have heard that the item has come, and gives it to another, too.
///
/// Who has taken an item says [`task_done`](Self::task_done) when it has done it; [`join`](Self::join) waits until that has been said of all
/// that was ever put in. Queues in which nobody waits for that need neither.
///
/// ```
/// use offspring::manager::Queue;
///
/// fn work(tasks: Queue<u32>, squares: Queue<u32>) {
///     while let Ok(number) = tasks.get() {
///         squares.put(number * number).expect("there is room");
///         tasks.task_done().expect("it was taken");
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let (tasks, squares) = (manager.queue()?, manager.queue()?);
///     let workers = [(); 2].map(|()| offspring::spawn(work, (tasks.clone(), squares.clone())));
///     for number in 1..=4 {
///         tasks.put(number)?;
///     }
///     tasks.join()?;
///     let mut sum = 0;
///     while let Ok(square) = squares.try_get() {
///         sum += square;
///     }
///     assert_eq!(sum, 30);
///     tasks.close()?;
///     for worker in workers {
///         worker?.join()?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Queue<T: Item>(pub(super) StoreProxy<T>);

wrapper!(Queue<T>, StoreProxy<T>);

/// A [`Queue`]: all can be waited for until all is done.
pub type JoinableQueue<T> = Queue<T>;

/// An item that was not put into a queue, and why.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PutError<T> {
    /// There was no room, at once or until the time was over. The item is inside.
    #[error("the queue is full")]
    Full(T),
    /// Somebody closed the queue. The item is inside.
    #[error("the queue is closed")]
    Closed(T),
    /// The call did not get there or back. The item may be in the queue, unless the error [says](CallError::was_not_done) otherwise.
    #[error(transparent)]
    Call(CallError),
}

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::Closed(_) => f.write_str("Closed(..)"),
            Self::Call(error) => f.debug_tuple("Call").field(error).finish(),
        }
    }
}

impl<T> PutError<T> {
    /// The item, if it has come back.
    pub fn into_item(self) -> Option<T> {
        match self {
            Self::Full(item) | Self::Closed(item) => Some(item),
            Self::Call(_) => None,
        }
    }

    /// Whether there was no room.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

/// Why there is no item.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// None was there, at once or until the time was over.
    #[error("the queue is empty")]
    Empty,
    /// Somebody closed the queue, and nothing is left in it.
    #[error("the queue is closed and empty")]
    Closed,
    /// The call did not get there or back. The item is in the queue, or another's; one that cannot be [decoded](CallError::Decode) here is gone.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl GetError {
    /// Whether no item was there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

/// Why not all items of a queue are done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueJoinError {
    /// Clients that had taken items died, or left, before they said that they are done. They are waited for no more: the next join waits for the rest.
    #[error("{items} items were taken by clients that went before they had done them")]
    ConsumerGone {
        /// How many items.
        items: u64,
    },
    /// They were not done until the time was over.
    #[error("the items were not done until the timeout")]
    TimedOut,
    /// The call did not get there or back.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why an item cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskDoneError {
    /// The client has said so of every item that it took.
    #[error("task_done() was called more often than this process took items out of the queue")]
    TooMany,
    /// The call did not get there or back.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl<T: Item> Queue<T> {
    /// Puts an item in. Waits while a bounded queue is full.
    ///
    /// # Errors
    /// See [`PutError`].
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        self.put_within(item, None)
    }

    /// Puts an item in, if there is room.
    ///
    /// # Errors
    /// See [`PutError`].
    #[doc(alias = "put_nowait")]
    pub fn try_put(&self, item: T) -> Result<(), PutError<T>> {
        self.put_within(item, Some(Duration::ZERO))
    }

    /// Puts an item in, and waits at most this long while the queue is full.
    ///
    /// # Errors
    /// See [`PutError`].
    pub fn put_timeout(&self, item: T, timeout: Duration) -> Result<(), PutError<T>> {
        self.put_within(item, Some(timeout))
    }

    /// Takes an item. Waits while the queue is empty.
    ///
    /// # Errors
    /// See [`GetError`].
    pub fn get(&self) -> Result<T, GetError> {
        self.get_within(None)
    }

    /// Takes an item, if one is there.
    ///
    /// # Errors
    /// See [`GetError`].
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> Result<T, GetError> {
        self.get_within(Some(Duration::ZERO))
    }

    /// Takes an item, and waits at most this long for one.
    ///
    /// # Errors
    /// See [`GetError`].
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetError> {
        self.get_within(Some(timeout))
    }

    /// How many items wait to be taken at this moment.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "qsize")]
    pub fn len(&self) -> Result<usize, CallError> {
        self.0.len()
    }

    /// Whether no item waits to be taken at this moment.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "empty")]
    pub fn is_empty(&self) -> Result<bool, CallError> {
        self.0.len().map(|len| len == 0)
    }

    /// Whether a bounded queue holds as many items as it may.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "full")]
    pub fn is_full(&self) -> Result<bool, CallError> {
        self.0.is_full()
    }

    /// Ends the queue for all: nothing more can be put in, and what is in it can still be taken.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "shutdown")]
    pub fn close(&self) -> Result<(), CallError> {
        self.0.close()
    }

    /// Says that an item which this process took is done.
    ///
    /// # Errors
    /// See [`TaskDoneError`].
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        if self.0.task_done()? { Ok(()) } else { Err(TaskDoneError::TooMany) }
    }

    /// Waits until all items that were put in are done.
    ///
    /// # Errors
    /// [`ConsumerGone`](QueueJoinError::ConsumerGone) when some will never be; see [`QueueJoinError`].
    pub fn join(&self) -> Result<(), QueueJoinError> {
        self.join_within(None)
    }

    /// Waits until all items that were put in are done, but at most this long.
    ///
    /// # Errors
    /// As [`join`](Self::join), and [`TimedOut`](QueueJoinError::TimedOut).
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), QueueJoinError> {
        self.join_within(Some(timeout))
    }

    fn put_within(&self, item: T, limit: Option<Duration>) -> Result<(), PutError<T>> {
        match self.0.put(item, limit).map_err(PutError::Call)? {
            Put::Done => Ok(()),
            Put::Full(item) => Err(PutError::Full(item)),
            Put::Closed(item) => Err(PutError::Closed(item)),
        }
    }

    fn get_within(&self, limit: Option<Duration>) -> Result<T, GetError> {
        let claim = Claim::new(self.0.stub());
        let got = match self.0.get(claim.number(), limit) {
            Ok(got) => got,
            Err(error) => {
                // An item that this process cannot read comes no second time.
                if matches!(error, CallError::Decode(_)) {
                    claim.keep();
                }
                return Err(error.into());
            }
        };
        match got {
            Got::Item(item) => {
                claim.keep();
                return Ok(item);
            }
            Got::Nothing => claim.forget(),
            Got::Closed => {
                claim.forget();
                return Err(GetError::Closed);
            }
        }
        Err(GetError::Empty)
    }

    fn join_within(&self, limit: Option<Duration>) -> Result<(), QueueJoinError> {
        match self.0.join(limit)? {
            Some(0) => Ok(()),
            Some(items) => Err(QueueJoinError::ConsumerGone { items }),
            None => Err(QueueJoinError::TimedOut),
        }
    }
}
