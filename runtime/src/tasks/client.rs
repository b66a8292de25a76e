//! Producers: programs elsewhere that put tasks into a server and get the results of theirs.
//!
//! Its link [comes back](super::standing). Each task has an index, counted by its producer, and the server knows which comes next: so what is said
//! twice, since a link was cut before the answer came, is there once.
//!
//! ```text
//!              put                       Have              Outcome            dropped            Forgot
//! (no index) -----> in the one put ------------> open -------------> in hand ----------> got -----------> (done)
//!                   that is on its way            |                                       ^
//!                      |                          | the server no longer knows it         |
//!                      +--> Refused: no index     +--> Forgotten, in hand ----------------+
//! ```
//!
//! With a new link come the put that has no answer, what is in hand (which is not sent again) and what was got (which can be forgotten).

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::TaskError;
use super::error::TaskFailure;
use super::finished::{Finished, Home};
use super::message::{
    Encoded, Index, Number, Outcome, Producer, Refusal, ToProducer, ToServer, Types, decode, encode, frame,
};
use super::server::{AROUND, SHORTEST};
use super::standing::{Connected, Dial, Standing};
use crate::net::remote::{AuthKey, Endpoint, Limits, LinkSender, RemoteError, TlsClient, random_number};
use crate::sys::poller;

/// How many bytes of tasks go into one message, if there are several.
const BATCH: usize = 256 << 10;

/// Puts tasks into a [`TaskServer`](super::TaskServer) and gets their results, in any process on any machine. See
/// [the module](super#producers-elsewhere).
///
/// It can be cloned, and used by many threads: all use one link. When the last clone, queue and [`Finished`] are gone, the producer has ended,
/// and what it has not got is the server's own. That drop waits until the server knows, at most for [`Limits::handshake_timeout`].
pub struct TaskClient<T, R> {
    owner: Arc<Owner>,
    types: PhantomData<fn(T) -> R>,
}

/// Settings for a producer.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `connect`"]
pub struct TaskClientBuilder {
    limits: Limits,
    patience: Duration,
    tls: Option<TlsClient>,
    name: Option<String>,
}

impl Default for TaskClientBuilder {
    fn default() -> Self {
        Self { limits: Limits::new(), patience: Duration::from_secs(60), tls: None, name: None }
    }
}

impl TaskClientBuilder {
    /// A link with the default limits, 60 seconds of patience, and a name that nobody else has.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the server may cost. Messages have at least 512 bytes.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits.at_least(SHORTEST);
        self
    }

    /// How long to try to come back when the link has ended, until the server counts as gone: 60 seconds. Zero for not at all.
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// Goes through TLS, to the server that this takes: one whose certificate is known, or that an authority has signed.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, tls: TlsClient) -> Self {
        self.tls = Some(tls);
        self
    }

    /// A name by which the server knows it, so that a program that is started again after it was killed gets the results of what it had
    /// put: see [`TaskClient::tasks_before`]. Of two with one name the one that came first is cut off, with [`TaskError::Replaced`].
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
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
    ) -> Result<TaskClient<T, R>, TaskError> {
        let name = match &self.name {
            Some(name) => format!("name {name}"),
            None => format!("random {:016x}{:016x}", random_number()?, random_number()?),
        };
        let dial = Dial {
            endpoint: endpoint.clone(),
            key: key.cloned(),
            limits: self.limits.clone(),
            tls: self.tls.clone(),
            patience: self.patience,
        };
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            dial,
            types: Types::of::<T, R>(),
            name,
            life: random_number()?,
        });
        let connected = shared.connect()?;
        let before = shared.state().next;
        let serving = Arc::clone(&shared);
        std::thread::Builder::new().name("producer's link".into()).spawn(move || serving.serve(connected))?;
        Ok(TaskClient { owner: Arc::new(Owner { shared, before }), types: PhantomData })
    }
}

/// What all threads of a producer share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Rung when a result has come, an answer, a link, or the end.
    changed: Condvar,
    dial: Dial,
    types: Types,
    name: String,
    life: u64,
}

#[derive(Debug, Default)]
struct State {
    /// `None` while there is no link.
    link: Option<LinkSender>,
    /// Whether there has been one.
    again: bool,
    /// The index of the next task.
    next: Index,
    /// The one that is on its way: others wait for its answer.
    put: Option<Put>,
    /// Tasks that were put here, or are being put, and have no result here.
    open: BTreeSet<Index>,
    /// How many threads wait for a result.
    waiting: usize,
    /// How many results the server has been asked for that have not come.
    asked: usize,
    /// Results that have come for them.
    results: VecDeque<(Index, Outcome)>,
    /// The results that are here, and have not been got.
    holds: BTreeSet<Index>,
    /// Those that have been got, and that the server may still have.
    got: BTreeSet<Index>,
    /// Why it is over.
    ended: Option<TaskError>,
}

#[derive(Debug)]
struct Put {
    first: Index,
    end: Index,
    message: Arc<Vec<u8>>,
    answer: Option<Result<(), TaskError>>,
}

impl State {
    /// The server has all tasks before this one. So the next link begins behind them, also before who has put them knows.
    fn have(&mut self, next: Index) {
        if let Some(put) = self.put.as_mut().filter(|put| put.answer.is_none() && put.end <= next) {
            put.answer = Some(Ok(()));
            self.next = put.end;
        }
    }

    fn refuse(&mut self, first: Index, why: TaskError) {
        if let Some(put) = self.put.as_mut().filter(|put| put.answer.is_none() && put.first == first) {
            put.answer = Some(Err(why));
        }
    }

    /// A result is here, unless it was before.
    fn arrive(&mut self, index: Index, outcome: Outcome) {
        if self.got.contains(&index) || !self.holds.insert(index) {
            return;
        }
        self.open.remove(&index);
        self.results.push_back((index, outcome));
    }
}

/// Ends the link when the last who could use it is gone.
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    before: Index,
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.ended.get_or_insert(TaskError::Closed);
        let link = state.link.clone();
        drop(state);
        self.shared.changed.notify_all();
        if let Some(link) = link {
            // The server learns by itself that a link is cut, and keeps what there is for a while.
            let _is_cut = link.send(&frame(&ToServer::Bye));
            let deadline = poller::deadline(Some(self.shared.dial.limits.handshake()));
            let mut state = self.shared.state();
            // It cuts the link in turn.
            while state.link.is_some() {
                match super::wait(&self.shared.changed, state, deadline) {
                    Some(woken) => state = woken,
                    None => break,
                }
            }
        }
        self.shared.finish();
    }
}

impl Home for Owner {
    fn forget(&self, index: Number) {
        let mut state = self.shared.state();
        if state.holds.remove(&index) {
            state.got.insert(index);
            let link = state.link.clone();
            drop(state);
            if let Some(link) = link {
                let _is_said_again = link.send(&frame(&ToServer::Got { index }));
            }
        }
    }

    fn put_back(&self, index: Number, outcome: Outcome) {
        self.shared.state().results.push_front((index, outcome));
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it from this side: what was sent last is still said.
    fn finish(&self) {
        let mut state = self.state();
        state.ended.get_or_insert(TaskError::Closed);
        let link = state.link.take();
        drop(state);
        if let Some(link) = link {
            link.shutdown();
        }
        self.changed.notify_all();
    }

    /// Puts tasks, all or none, and waits until the server has them: the index of the first.
    fn put(&self, tasks: Vec<Encoded>) -> Result<Index, TaskError> {
        let mut state = self.state();
        while state.put.is_some() && state.ended.is_none() {
            state = self.wait(state);
        }
        if let Some(ended) = &state.ended {
            return Err(ended.clone());
        }
        let first = state.next;
        let end = first + tasks.len() as Index;
        let message = Arc::new(frame(&ToServer::Put { first, tasks }));
        state.put = Some(Put { first, end, message: Arc::clone(&message), answer: None });
        state.open.extend(first..end); // results may come before the answer
        let link = state.link.clone();
        drop(state);
        // Without a link it is said over the next.
        let sent = link.map(|link| link.send(&message));
        let mut state = self.state();
        if let Some(Err(error @ RemoteError::TooLarge { .. })) = sent {
            state.refuse(first, TaskError::Encode(error.to_string()));
        }
        let answer = loop {
            if let Some(answer) = state.put.as_mut().and_then(|put| put.answer.take()) {
                break answer;
            }
            if let Some(ended) = &state.ended {
                break Err(ended.clone());
            }
            state = self.wait(state);
        };
        state.put = None;
        if answer.is_err() {
            state.open.retain(|index| !(first..end).contains(index));
        }
        drop(state);
        self.changed.notify_all();
        answer.map(|()| first)
    }

    /// Waits for a result.
    fn get(&self, deadline: Option<Instant>) -> Result<(Index, Outcome), TaskError> {
        let mut state = self.state();
        state.waiting += 1;
        let outcome = loop {
            if let Some(result) = state.results.pop_front() {
                break Ok(result);
            }
            if let Some(ended) = &state.ended {
                break Err(ended.clone());
            }
            // Who stopped waiting left what it asked for to the next.
            if state.asked < state.waiting {
                if let Some(link) = state.link.clone() {
                    state.asked += 1;
                    drop(state);
                    let _is_over = link.send(&frame(&ToServer::WantResult)); // then it is asked for over the next
                    state = self.state();
                    continue;
                }
            }
            match super::wait(&self.changed, state, deadline) {
                Some(woken) => state = woken,
                None => {
                    state = self.state();
                    break state.results.pop_front().ok_or(TaskError::TimedOut);
                }
            }
        };
        state.waiting -= 1;
        outcome
    }
}

impl Standing for Shared {
    fn dial(&self) -> &Dial {
        &self.dial
    }

    fn connect(&self) -> Result<Connected, TaskError> {
        let gone = TaskError::NoLink;
        let (sender, mut receiver) = self.dial.connect()?;
        let state = self.state();
        let (again, told) = (state.again, state.got.clone());
        let producer = Producer {
            name: self.name.clone(),
            life: self.life,
            again,
            next: state.next,
            holds: state.holds.iter().copied().collect(),
            got: told.iter().copied().collect(),
        };
        drop(state);
        sender.send(&frame(&ToServer::Produce { types: self.types.clone(), producer })).map_err(gone)?;
        let welcome = receiver.recv_timeout(self.dial.limits.handshake()).map_err(gone)?;
        let (lease, known, next) = match decode::<ToProducer>(&welcome) {
            Ok(ToProducer::Welcome { lease, known, next }) => (Duration::from_millis(lease), known, next),
            Ok(ToProducer::OtherTypes(Types { task, result })) => {
                return Err(TaskError::OtherTypes { task, result });
            }
            Ok(ToProducer::Replaced) => return Err(TaskError::Replaced),
            Ok(_) => return Err(TaskError::Decode("the server does not begin with a welcome".into())),
            Err(error) => return Err(TaskError::Decode(error.to_string())),
        };
        let mut state = self.state();
        if let Some(ended) = &state.ended {
            return Err(ended.clone());
        }
        if again {
            state.have(next);
        } else {
            state.next = next;
            state.again = true;
        }
        // The put that has no answer is made there now; all else that the server knew is gone.
        let unanswered = state.put.as_ref().filter(|put| put.answer.is_none());
        let (from, message) =
            unanswered.map_or((state.next, None), |put| (put.first, Some(Arc::clone(&put.message))));
        if again && !known {
            let forgotten: Vec<_> = state.open.range(..from).copied().collect();
            for index in forgotten {
                state.arrive(index, Err(TaskFailure::Forgotten));
            }
        }
        state.link = Some(sender.clone());
        state.asked = 0;
        // What was got since is told now, or by who got it.
        let got: Vec<_> = state.got.difference(&told).copied().collect();
        drop(state);
        self.changed.notify_all(); // who waits asks again
        if let Some(message) = message {
            sender.send(&message).map_err(gone)?;
        }
        for index in got {
            sender.send(&frame(&ToServer::Got { index })).map_err(gone)?;
        }
        Ok(Connected { sender, receiver, lease })
    }

    fn hear(&self, _sender: &LinkSender, message: &[u8]) -> Option<TaskError> {
        let heard = match decode::<ToProducer>(message) {
            Ok(heard) => heard,
            Err(error) => return Some(TaskError::Decode(error.to_string())),
        };
        let mut state = self.state();
        match heard {
            ToProducer::Have { next } => state.have(next),
            ToProducer::Refused { first, why: Refusal::Full } => state.refuse(first, TaskError::Full),
            ToProducer::Refused { first, why: Refusal::Journal(why) } => {
                state.refuse(first, TaskError::Journal(why));
            }
            ToProducer::Outcome { index, outcome } => {
                state.asked = state.asked.saturating_sub(1);
                state.arrive(index, outcome.map(|encoded| encoded.0));
            }
            ToProducer::Forgot { index } => {
                state.got.remove(&index);
                return None;
            }
            ToProducer::Closing => return Some(TaskError::Closed),
            ToProducer::Replaced => return Some(TaskError::Replaced),
            ToProducer::Welcome { .. } | ToProducer::OtherTypes(_) => {}
        }
        drop(state);
        self.changed.notify_all();
        None
    }

    fn lost(&self) -> Option<TaskError> {
        self.state().link = None;
        self.changed.notify_all(); // who waits for just that
        None
    }

    fn end(&self, why: TaskError) {
        self.state().ended.get_or_insert(why);
        self.finish();
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

impl<T: Serialize, R: DeserializeOwned> TaskClient<T, R> {
    /// Connects to a server: see [`builder`](Self::builder) for more.
    ///
    /// # Errors
    /// As [`TaskClientBuilder::connect`].
    pub fn connect(endpoint: &Endpoint, key: Option<&AuthKey>) -> Result<Self, TaskError> {
        TaskClientBuilder::new().connect(endpoint, key)
    }

    /// Settings for a producer.
    pub fn builder() -> TaskClientBuilder {
        TaskClientBuilder::new()
    }

    /// How many tasks the server had of earlier programs with this [name](TaskClientBuilder::name) when this one connected: it goes on
    /// with the one after them. Their results come here, as far as nobody has got them.
    #[must_use]
    pub fn tasks_before(&self) -> u64 {
        self.owner.before
    }

    /// Where tasks are put.
    #[must_use]
    pub fn get_task_queue(&self) -> ClientTasks<T> {
        ClientTasks { owner: Arc::clone(&self.owner), types: PhantomData }
    }

    /// Where the results of its own tasks come.
    #[must_use]
    pub fn get_result_queue(&self) -> ClientResults<R> {
        ClientResults { owner: Arc::clone(&self.owner), types: PhantomData }
    }
}

impl<T, R> Clone for TaskClient<T, R> {
    fn clone(&self) -> Self {
        Self { owner: Arc::clone(&self.owner), types: PhantomData }
    }
}

impl<T, R> fmt::Debug for TaskClient<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskClient")
            .field("endpoint", &self.owner.shared.dial.endpoint)
            .finish_non_exhaustive()
    }
}

/// Where a producer puts tasks. Many threads put, one after the other.
pub struct ClientTasks<T> {
    owner: Arc<Owner>,
    types: PhantomData<fn(T)>,
}

impl<T: Serialize> ClientTasks<T> {
    /// Puts a task, and waits until the server has it, and has it in its journal if there is one: its number among those of this producer.
    /// While there is no link it waits for the next; the server has it once, however often it is sent.
    ///
    /// # Errors
    /// [`TaskError::Encode`] for a value that cannot travel, [`TaskError::Full`] when the server takes no more,
    /// [`TaskError::Journal`] when it could not be written down: the task is not put then. [`TaskError::Closed`] or [`TaskError::NoLink`]
    /// when the server is gone: it may have the task or not.
    pub fn put(&self, task: &T) -> Result<u64, TaskError> {
        self.put_all([task])
    }

    /// Puts tasks, many at once: the number of the first. If no other thread puts meanwhile, the others have those that follow.
    ///
    /// # Errors
    /// As [`put`](Self::put). With [`TaskError::Encode`] none is put. Else those before some task are, and it and those behind it are not.
    pub fn put_all<'a>(&self, tasks: impl IntoIterator<Item = &'a T>) -> Result<u64, TaskError>
    where
        T: 'a,
    {
        let encoded = tasks.into_iter().map(encode).collect::<Result<Vec<_>, _>>();
        let encoded = encoded.map_err(|error| TaskError::Encode(error.to_string()))?;
        let mut first = None;
        let (mut batch, mut size) = (Vec::new(), 0);
        for task in encoded {
            if !batch.is_empty() && size + task.len() + AROUND > BATCH {
                let index = self.owner.shared.put(std::mem::take(&mut batch))?;
                first.get_or_insert(index);
                size = 0;
            }
            size += task.len() + AROUND;
            batch.push(Encoded(task));
        }
        let index = self.owner.shared.put(batch)?;
        Ok(first.unwrap_or(index))
    }
}

/// Where the results of a producer come. Many threads get, each result goes to one of them.
pub struct ClientResults<R> {
    owner: Arc<Owner>,
    types: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> ClientResults<R> {
    /// Waits for a result of a task that this producer has put, or one before it with its [name](TaskClientBuilder::name).
    ///
    /// It is at the server until the [`Finished`] is dropped: who is killed with it in hand gets it again, under the same name.
    ///
    /// # Errors
    /// [`TaskError::Closed`] when the server was shut down, [`TaskError::NoLink`] when it is gone for longer than the patience,
    /// [`TaskError::Replaced`] when another has its name.
    pub fn get(&self) -> Result<Finished<R>, TaskError> {
        self.get_until(None)
    }

    /// Waits at most this long for a result, also while there is no link.
    ///
    /// # Errors
    /// [`TaskError::TimedOut`] if none came; else as [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<Finished<R>, TaskError> {
        self.get_until(poller::deadline(Some(timeout)))
    }

    fn get_until(&self, deadline: Option<Instant>) -> Result<Finished<R>, TaskError> {
        let (index, outcome) = self.owner.shared.get(deadline)?;
        let home: Arc<dyn Home> = Arc::<Owner>::clone(&self.owner);
        Ok(Finished::new(home, index, outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The link may end when the answer is here, and who waits for it has not seen it yet.
    #[test]
    fn the_next_link_begins_behind_what_the_server_has() {
        let mut state = State { next: 3, ..State::default() };
        state.put = Some(Put { first: 3, end: 5, message: Arc::default(), answer: None });
        state.have(4);
        assert_eq!(state.next, 3, "not all of it");
        state.have(5);
        assert_eq!(state.next, 5);
    }
}
