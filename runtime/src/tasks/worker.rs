//! The side that does the tasks.
//!
//! One thread has the link, which [comes back](super::standing). The
//! threads that do tasks ask for them, wait, and hand their results to the link themselves.
//!
//! **The link is cut, or the server ends**: threads that wait go on waiting, leased tasks are worked on, and results that have no receipt
//! are kept. With the new link come what is held, what is wanted, and the results again. The server may have given the task to another worker
//! meanwhile; the first result counts, and the receipt says so. **Nobody is there for longer than the patience**: all calls are errors
//! ([`TaskError::NoLink`]) from then on. **This process ends**: the server sees it at once.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::TaskError;
use super::message::{Epoch, Number, Receipt, ToServer, ToWorker, Types, decode, encode, frame};
use super::server::SHORTEST;
use super::standing::{Connected, Dial, Standing};
use crate::net::remote::{AuthKey, Endpoint, Limits, LinkSender, RemoteError, TlsClient};
use crate::sys::poller;

/// Does tasks of a [`TaskServer`](super::TaskServer), in any process on any machine. See [the module](super).
///
/// It can be cloned, and used by many threads: all use one link. When the last clone and the last queue are gone, the link ends.
pub struct TaskWorker<T, R> {
    owner: Arc<Owner>,
    types: PhantomData<fn(T) -> R>,
}

/// Settings for a worker.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `connect`"]
pub struct TaskWorkerBuilder {
    limits: Limits,
    patience: Duration,
    tls: Option<TlsClient>,
}

impl Default for TaskWorkerBuilder {
    fn default() -> Self {
        Self { limits: Limits::new(), patience: Duration::from_secs(60), tls: None }
    }
}

impl TaskWorkerBuilder {
    /// A link with the default limits, and 60 seconds of patience.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the server may cost. Messages have at least 512 bytes. A task that is longer than they may be has no result but
    /// [`TaskFailure::TooLarge`](super::TaskFailure::TooLarge).
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits.at_least(SHORTEST);
        self
    }

    /// Goes through TLS, to the server that this takes: one whose certificate is known, or that an authority has signed.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, tls: TlsClient) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How long to try to come back when the link has ended, until the server counts as gone: 60 seconds. Zero for not at all.
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// Connects to a server.
    ///
    /// # Errors
    /// [`TaskError::NoLink`] with the reason when there is no link at once, [`TaskError::OtherTypes`] when the server has other
    /// tasks or results.
    pub fn connect<T, R>(
        &self,
        endpoint: &Endpoint,
        key: Option<&AuthKey>,
    ) -> Result<TaskWorker<T, R>, TaskError> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            dial: Dial {
                endpoint: endpoint.clone(),
                key: key.cloned(),
                limits: self.limits.clone(),
                tls: self.tls.clone(),
                patience: self.patience,
            },
            types: Types::of::<T, R>(),
        });
        let connected = shared.connect()?;
        let serving = Arc::clone(&shared);
        std::thread::Builder::new().name("worker's link".into()).spawn(move || serving.serve(connected))?;
        Ok(TaskWorker { owner: Arc::new(Owner(shared)), types: PhantomData })
    }
}

/// What all threads of a worker share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Rung when a task has come, a receipt, a link, or the end.
    changed: Condvar,
    dial: Dial,
    types: Types,
}

#[derive(Debug, Default)]
struct State {
    /// `None` while there is no link.
    link: Option<LinkSender>,
    epoch: Epoch,
    /// How many threads wait for a task.
    waiting: usize,
    /// How many tasks the server has been asked for that have not come.
    asked: usize,
    /// Tasks that have come for them.
    tasks: VecDeque<(Epoch, Number, Vec<u8>)>,
    /// The tasks that are worked on.
    holds: BTreeSet<(Epoch, Number)>,
    /// The results that have no receipt yet, encoded as messages, and the receipts.
    results: HashMap<(Epoch, Number), Sent>,
    /// Whether the server is being shut down: it still says what became of results that are on the way.
    closing: bool,
    /// Why it is over.
    ended: Option<TaskError>,
}

impl State {
    /// Why nothing new is begun.
    fn over(&self) -> Option<TaskError> {
        self.ended.clone().or(self.closing.then_some(TaskError::Closed))
    }

    /// Whether nobody waits for a receipt any more of a server that is being shut down.
    fn is_closed(&self) -> bool {
        self.closing && !self.results.values().any(|sent| matches!(sent, Sent::Message(_)))
    }
}

#[derive(Debug)]
enum Sent {
    Message(Arc<Vec<u8>>),
    Receipt(Receipt),
}

/// Ends the link when the last who could use it is gone.
#[derive(Debug)]
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.end(TaskError::Closed);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message if there is a link. What a link that ends takes along is said again over the next, where it is of use.
    fn say(&self, message: &[u8]) {
        let link = self.state().link.clone();
        if let Some(link) = link {
            let _is_over = link.send(message);
        }
    }

    fn take_in(&self, sender: &LinkSender, heard: ToWorker) {
        let mut state = self.state();
        match heard {
            ToWorker::Task { number, task } => {
                let epoch = state.epoch;
                state.asked = state.asked.saturating_sub(1);
                if state.tasks.len() < state.waiting {
                    state.holds.insert((epoch, number));
                    state.tasks.push_back((epoch, number, task));
                } else {
                    drop(state); // who wanted it waits no longer
                    let _is_over = sender.send(&frame(&ToServer::GiveBack { epoch, number, lost: false }));
                    return;
                }
            }
            ToWorker::Receipt { epoch, number, receipt } => {
                // One that was sent twice has two: the first says what became of it.
                if let Some(sent @ Sent::Message(_)) = state.results.get_mut(&(epoch, number)) {
                    *sent = Sent::Receipt(receipt);
                }
            }
            ToWorker::Closing => state.closing = true,
            ToWorker::Welcome { .. } | ToWorker::OtherTypes(_) => {}
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for a task.
    fn get(&self, deadline: Option<Instant>) -> Result<(Epoch, Number, Vec<u8>), TaskError> {
        let mut state = self.state();
        state.waiting += 1;
        // Who stopped waiting left what it asked for to the next.
        if state.asked + state.tasks.len() < state.waiting {
            if let Some(link) = state.link.clone() {
                state.asked += 1;
                drop(state);
                let _is_over = link.send(&frame(&ToServer::Want)); // then it is asked for over the next
                state = self.state();
            }
        }
        loop {
            if let Some(over) = state.over() {
                state.waiting -= 1;
                return Err(over);
            }
            if let Some(task) = state.tasks.pop_front() {
                state.waiting -= 1;
                return Ok(task);
            }
            match super::wait(&self.changed, state, deadline) {
                Some(woken) => state = woken,
                None => break,
            }
        }
        // One that comes just now, and for which nobody else waits, is given back by the thread of the link.
        let mut state = self.state();
        state.waiting -= 1;
        if state.tasks.len() > state.waiting {
            state.tasks.pop_front().ok_or(TaskError::TimedOut)
        } else {
            Err(TaskError::TimedOut)
        }
    }

    /// Hands in a result, and waits for its receipt.
    fn put(&self, epoch: Epoch, number: Number, result: Vec<u8>) -> Result<Receipt, TaskError> {
        let message = Arc::new(frame(&ToServer::Done { epoch, number, result }));
        let mut state = self.state();
        if let Some(over) = state.over() {
            return Err(over);
        }
        state.results.insert((epoch, number), Sent::Message(Arc::clone(&message)));
        let link = state.link.clone();
        drop(state);
        if let Some(Err(error)) = link.map(|link| link.send(&message)) {
            if matches!(error, RemoteError::TooLarge { .. }) {
                self.state().results.remove(&(epoch, number));
                return Err(TaskError::Encode(error.to_string()));
            }
        }
        let mut state = self.state();
        loop {
            if let Some(Sent::Receipt(receipt)) = state.results.get(&(epoch, number)) {
                let receipt = *receipt;
                state.results.remove(&(epoch, number));
                return Ok(receipt);
            }
            if let Some(ended) = &state.ended {
                let ended = ended.clone();
                state.results.remove(&(epoch, number));
                return Err(ended);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Does not hold a task any more.
    fn release(&self, epoch: Epoch, number: Number) {
        self.state().holds.remove(&(epoch, number));
    }
}

impl Standing for Shared {
    fn dial(&self) -> &Dial {
        &self.dial
    }

    /// Makes a link, and says there what is held, what is wanted and what has been done.
    fn connect(&self) -> Result<Connected, TaskError> {
        let gone = TaskError::NoLink;
        let (sender, mut receiver) = self.dial.connect()?;
        let held = self.state().holds.clone();
        let holds = held.iter().copied().collect();
        sender.send(&frame(&ToServer::Hello { types: self.types.clone(), holds })).map_err(gone)?;
        let welcome = receiver.recv_timeout(self.dial.limits.handshake()).map_err(gone)?;
        let (epoch, lease) = match decode::<ToWorker>(&welcome) {
            Ok(ToWorker::Welcome { epoch, lease }) => (epoch, Duration::from_millis(lease)),
            Ok(ToWorker::OtherTypes(Types { task, result })) => {
                return Err(TaskError::OtherTypes { task, result });
            }
            Ok(_) => return Err(TaskError::Decode("the server does not begin with a welcome".into())),
            Err(error) => return Err(TaskError::Decode(error.to_string())),
        };
        let mut state = self.state();
        if let Some(ended) = &state.ended {
            return Err(ended.clone());
        }
        state.epoch = epoch;
        state.link = Some(sender.clone());
        let wants = state.waiting.saturating_sub(state.tasks.len());
        state.asked = wants;
        let dropped: Vec<_> = held.difference(&state.holds).copied().collect();
        let results: Vec<_> = state
            .results
            .values()
            .filter_map(
                |sent| if let Sent::Message(message) = sent { Some(Arc::clone(message)) } else { None },
            )
            .collect();
        drop(state);
        for message in results {
            sender.send(&message).map_err(gone)?;
        }
        // Nobody could be told of these while there was no link.
        for (epoch, number) in dropped {
            sender.send(&frame(&ToServer::GiveBack { epoch, number, lost: true })).map_err(gone)?;
        }
        for _ in 0..wants {
            sender.send(&frame(&ToServer::Want)).map_err(gone)?;
        }
        Ok(Connected { sender, receiver, lease })
    }

    fn hear(&self, sender: &LinkSender, message: &[u8]) -> Option<TaskError> {
        match decode::<ToWorker>(message) {
            Ok(heard) => self.take_in(sender, heard),
            Err(error) => return Some(TaskError::Decode(error.to_string())),
        }
        self.state().is_closed().then_some(TaskError::Closed)
    }

    fn lost(&self) -> Option<TaskError> {
        let mut state = self.state();
        state.link = None;
        state.closing.then_some(TaskError::Closed)
    }

    fn end(&self, why: TaskError) {
        let mut state = self.state();
        state.ended.get_or_insert(why);
        let link = state.link.take();
        drop(state);
        if let Some(link) = link {
            link.shutdown();
        }
        self.changed.notify_all();
    }

    fn has_ended(&self) -> bool {
        self.state().ended.is_some()
    }

    fn pause(&self, most: Duration) {
        let state = self.state();
        if state.ended.is_none() {
            // Not all at once, where many lost the same server.
            let _woken_or_not = self.changed.wait_timeout(state, most);
        }
    }
}

impl<T: DeserializeOwned, R: Serialize> TaskWorker<T, R> {
    /// Connects to a server: see [`builder`](Self::builder) for more.
    ///
    /// # Errors
    /// As [`TaskWorkerBuilder::connect`].
    pub fn connect(endpoint: &Endpoint, key: Option<&AuthKey>) -> Result<Self, TaskError> {
        TaskWorkerBuilder::new().connect(endpoint, key)
    }

    /// Settings for a worker.
    pub fn builder() -> TaskWorkerBuilder {
        TaskWorkerBuilder::new()
    }

    /// Where tasks come from.
    #[must_use]
    pub fn get_task_queue(&self) -> WorkerTasks<T> {
        WorkerTasks { owner: Arc::clone(&self.owner), types: PhantomData }
    }

    /// Where their results go.
    #[must_use]
    pub fn get_result_queue(&self) -> WorkerResults<R> {
        WorkerResults { owner: Arc::clone(&self.owner), types: PhantomData }
    }

    /// Does tasks with this function, one after the other, until the server is shut down: how many it did.
    ///
    /// A panic of the function goes through, and counts the task as lost.
    ///
    /// # Errors
    /// [`TaskError::NoLink`] when the server is gone for longer than the patience, [`TaskError::Encode`] for a result that cannot
    /// travel. A task that cannot be decoded is given back, and counts as lost.
    pub fn run(&self, mut function: impl FnMut(T) -> R) -> Result<u64, TaskError> {
        let (tasks, results) = (self.get_task_queue(), self.get_result_queue());
        let mut count = 0;
        loop {
            let mut task = match tasks.get() {
                Ok(task) => task,
                Err(TaskError::Closed) => return Ok(count),
                Err(TaskError::Decode(_)) => continue,
                Err(error) => return Err(error),
            };
            let result = function(task.take());
            match results.put(task, &result) {
                Ok(_) => count += 1,
                Err(TaskError::Closed) => return Ok(count),
                Err(error) => return Err(error),
            }
        }
    }
}

impl<T, R> Clone for TaskWorker<T, R> {
    fn clone(&self) -> Self {
        Self { owner: Arc::clone(&self.owner), types: PhantomData }
    }
}

impl<T, R> fmt::Debug for TaskWorker<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskWorker").field("endpoint", &self.owner.0.dial.endpoint).finish_non_exhaustive()
    }
}

/// Where a worker gets tasks. Many threads get, each task goes to one of them.
pub struct WorkerTasks<T> {
    owner: Arc<Owner>,
    types: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> WorkerTasks<T> {
    /// Waits for a task.
    ///
    /// # Errors
    /// [`TaskError::Closed`] when the server was shut down, [`TaskError::NoLink`] when it is gone for longer than the patience.
    /// [`TaskError::Decode`] for a task that cannot be decoded.
    pub fn get(&self) -> Result<Leased<T>, TaskError> {
        self.get_until(None)
    }

    /// Waits at most this long for a task, also while there is no link.
    ///
    /// # Errors
    /// [`TaskError::TimedOut`] if none came; else as [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<Leased<T>, TaskError> {
        self.get_until(poller::deadline(Some(timeout)))
    }

    fn get_until(&self, deadline: Option<Instant>) -> Result<Leased<T>, TaskError> {
        let (epoch, number, bytes) = self.owner.0.get(deadline)?;
        let mut leased =
            Leased { shared: Arc::clone(&self.owner.0), epoch, number, task: None, lost: Some(true) };
        match decode(&bytes) {
            Ok(task) => {
                leased.task = Some(task);
                Ok(leased)
            }
            Err(error) => Err(TaskError::Decode(error.to_string())),
        }
    }
}

/// A task that nobody else has, as long as the worker is connected.
///
/// Hand in its result with [`WorkerResults::put`]. If it is dropped, it is given back and counts as lost: see
/// [`TaskServerBuilder::attempts`](super::TaskServerBuilder::attempts).
pub struct Leased<T> {
    shared: Arc<Shared>,
    epoch: Epoch,
    number: Number,
    task: Option<T>,
    /// Whether to give it back, and whether something went wrong then.
    lost: Option<bool>,
}

impl<T> Leased<T> {
    /// The number that the task has at the server.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Gives it to another worker, or to this one later: nothing went wrong.
    pub fn give_back(mut self) {
        self.lost = Some(false);
    }

    fn take(&mut self) -> T {
        self.task.take().expect("it is taken once")
    }
}

impl<T> Deref for Leased<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.task.as_ref().expect("it is taken by what has all of this")
    }
}

impl<T: fmt::Debug> fmt::Debug for Leased<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leased")
            .field("number", &self.number)
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

impl<T> Drop for Leased<T> {
    fn drop(&mut self) {
        self.shared.release(self.epoch, self.number);
        if let Some(lost) = self.lost {
            self.shared.say(&frame(&ToServer::GiveBack { epoch: self.epoch, number: self.number, lost }));
        }
    }
}

/// Where a worker puts results. Many threads put.
pub struct WorkerResults<R> {
    owner: Arc<Owner>,
    types: PhantomData<fn(R)>,
}

impl<R: Serialize> WorkerResults<R> {
    /// Hands in the result of a task, and waits until the server has it, and has it in its journal if there is one: what became of it.
    ///
    /// While there is no link it waits for the next.
    ///
    /// # Errors
    /// [`TaskError::Encode`] for a result that cannot travel: the task is given back, and counts as lost. [`TaskError::Closed`] or
    /// [`TaskError::NoLink`] when there is no server to have it.
    pub fn put<T>(&self, mut task: Leased<T>, result: &R) -> Result<Receipt, TaskError> {
        let encoded = encode(result).map_err(|error| TaskError::Encode(error.to_string()))?;
        let receipt = self.owner.0.put(task.epoch, task.number, encoded)?;
        task.lost = None;
        Ok(receipt)
    }
}
