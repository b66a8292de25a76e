//! The side that has the tasks.
//!
//! One thread accepts workers, and each worker has a thread that listens to it. What they hear changes the [ledger](super::ledger), under
//! its lock; messages are sent when it is unlocked. What comes of it for another than who was heard is sent by [that one's own
//! thread](post), so a worker or a producer that does not read holds up nobody else.
//!
//! **A worker ends or is cut off**: its link ends, and its tasks wait again at once. **It says nothing for a lease**, because it is stopped or its
//! machine is gone: its link is cut, with the same effect. **The server ends**: workers see their links end, keep what they do, and try to come
//! back; with a journal the next server knows all tasks that were put, and all results that were acknowledged. **The journal fails**: the
//! call that wanted it changed is an error and changed nothing; a worker whose result could not be written is cut off, and brings
//! it again.

mod post;
mod producer;

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::TaskError;
use super::finished::{Finished, Home};
use super::journal::Journal;
use super::ledger::{Desk, Ledger, TaskCounts};
use super::message::{Number, Outcome, ToProducer, ToServer, ToWorker, Types, decode, encode, frame};
use crate::net::remote::{
    Acceptor, AuthKey, Endpoint, Limits, LinkReceiver, LinkSender, Refusals, RemoteError, TlsServer,
};
use crate::sys::poller;
pub(super) use post::Post;

/// How many bytes a message has besides the task or the result in it, at most.
pub(super) const AROUND: usize = 64;

/// How long a worker waits whose result could not be written down, until it can bring it again.
const AGAIN: Duration = Duration::from_millis(100);

/// How long the messages may be at least that either side receives, so that what is said beside tasks and results has room.
pub(super) const SHORTEST: u32 = 512;

/// Has tasks for [workers](super::TaskWorker), and the results that they bring. See [the module](super).
///
/// When it is dropped, workers try to come back, as after a restart: see [`shutdown`](Self::shutdown) for the end.
pub struct TaskServer<T, R> {
    shared: Arc<Shared>,
    acceptor: Arc<Acceptor>,
    thread: Option<JoinHandle<()>>,
    types: PhantomData<fn(T) -> R>,
}

/// Settings for a server.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `bind`"]
pub struct TaskServerBuilder {
    limits: Limits,
    lease: Duration,
    attempts: u32,
    journal: Option<PathBuf>,
    tls: Option<TlsServer>,
    retention: Duration,
    capacity: usize,
}

impl Default for TaskServerBuilder {
    fn default() -> Self {
        Self {
            limits: Limits::new(),
            lease: Duration::from_secs(10),
            attempts: 5,
            journal: None,
            tls: None,
            retention: Duration::from_secs(600),
            capacity: 1_000_000,
        }
    }
}

#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    /// Rung when there is a result, when a worker comes or goes, and when it is shut down.
    changed: Condvar,
    types: Types,
    lease: Duration,
    limit: usize,
    retention: Duration,
    capacity: usize,
    closing: AtomicBool,
    visits: Mutex<Visits>,
    /// Rung when a visit ends.
    left: Condvar,
}

/// The links of the threads that listen to workers.
#[derive(Debug, Default)]
struct Visits {
    links: HashMap<u64, LinkSender>,
    next: u64,
}

/// One of them, until drop.
struct Visit {
    shared: Arc<Shared>,
    sender: LinkSender,
    number: u64,
}

impl Visit {
    fn new(shared: &Arc<Shared>, sender: LinkSender) -> Self {
        let mut visits = shared.visits();
        visits.next += 1;
        let number = visits.next;
        visits.links.insert(number, sender.clone());
        Self { shared: Arc::clone(shared), sender, number }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.sender.shutdown();
        self.shared.visits().links.remove(&self.number);
        self.shared.left.notify_all();
    }
}

impl TaskServerBuilder {
    /// Links with the default limits, a lease of 10 seconds, 5 attempts, no journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the workers may cost. Messages have at least 512 bytes.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits.at_least(SHORTEST);
        self
    }

    /// For how long the results of a [producer](super::TaskClient) that is cut off or has died are kept for it, or for another with
    /// its name: 10 minutes. Thereafter they come to [the server's queue](TaskServer::get_result_queue).
    pub fn retention(mut self, time: Duration) -> Self {
        self.retention = time;
        self
    }

    /// How many tasks and results there may be at once for [producers](super::TaskClient) to put more: 1,000,000. Else their puts are
    /// [`TaskError::Full`]. The server's own are counted, and not refused.
    ///
    /// Results that producers have left behind, and that nobody has got from [the server's queue](TaskServer::get_result_queue) either, make room
    /// for what is put: the oldest of them are forgotten. So a server that is there for others does not become full of what nobody wants.
    pub fn capacity(mut self, count: usize) -> Self {
        self.capacity = count;
        self
    }

    /// Has all links go through TLS, and shows them this certificate. The key is asked for there.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, tls: TlsServer) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How long a worker may say nothing until its tasks are given to others: 10 seconds, and at least 10 milliseconds. A worker that works
    /// for longer says meanwhile that it is there, without help of the code that works. One that ends is noticed at once.
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time.clamp(Duration::from_millis(10), Duration::from_secs(1 << 32));
        self
    }

    /// How many workers may be lost with a task, until it is given up with [`TaskFailure::Lost`](super::TaskFailure::Lost): 5, and 1 at least. So a task that kills
    /// its workers does not kill all of them. What a worker [gives back](super::Leased::give_back) is not lost.
    pub fn attempts(mut self, count: u32) -> Self {
        self.attempts = count.max(1);
        self
    }

    /// Keeps tasks and results in a file, and begins with those that are in it. It must be on a local disk.
    #[cfg(feature = "persist")]
    pub fn journal(mut self, path: impl AsRef<Path>) -> Self {
        self.journal = Some(path.as_ref().to_owned());
        self
    }

    /// Listens for workers.
    ///
    /// # Errors
    /// As [`Acceptor::bind`]; [`TaskError::Journal`] when the journal cannot be read or another process has it,
    /// [`TaskError::OtherTypes`] when it is of other tasks.
    pub fn bind<T, R>(
        &self,
        endpoint: &Endpoint,
        key: Option<AuthKey>,
    ) -> Result<TaskServer<T, R>, TaskError> {
        let types = Types::of::<T, R>();
        let journal = match &self.journal {
            None => Journal::Nowhere,
            Some(path) => open_journal(path, &types)?,
        };
        let ledger = Ledger::new(journal, crate::net::remote::random_number()?, self.attempts)?;
        let shared = Arc::new(Shared {
            ledger: Mutex::new(ledger),
            changed: Condvar::new(),
            types,
            lease: self.lease,
            limit: self.limits.largest_message(),
            retention: self.retention,
            capacity: self.capacity,
            closing: false.into(),
            visits: Mutex::default(),
            left: Condvar::new(),
        });
        let acceptor = Arc::new(Acceptor::bind_with(endpoint, key, self.limits.clone(), self.tls.clone())?);
        let (serving, accepting) = (Arc::clone(&shared), Arc::clone(&acceptor));
        let serve = move || {
            while let Ok(link) = accepting.accept() {
                let (sender, receiver) = link.split();
                let visit = Visit::new(&serving, sender);
                let serve = move || visit.shared.serve(&visit.sender, receiver);
                // Without a thread the worker is cut off, and comes back later.
                let _no_thread = std::thread::Builder::new().name("tasks of a worker".into()).spawn(serve);
            }
        };
        let thread = std::thread::Builder::new().name("server of tasks".into()).spawn(serve)?;
        Ok(TaskServer { shared, acceptor, thread: Some(thread), types: PhantomData })
    }
}

#[cfg(feature = "persist")]
fn open_journal(path: &Path, types: &Types) -> Result<Journal, TaskError> {
    super::journal::file::File::open(path, types).map(Journal::File)
}

#[cfg(not(feature = "persist"))]
#[allow(clippy::unnecessary_wraps)] // with the feature it can fail
fn open_journal(_path: &Path, _types: &Types) -> Result<Journal, TaskError> {
    Ok(Journal::Nowhere)
}

impl<T: Serialize, R: DeserializeOwned> TaskServer<T, R> {
    /// Listens for workers: see [`builder`](Self::builder) for more.
    ///
    /// # Errors
    /// As [`Acceptor::bind`].
    pub fn bind(endpoint: &Endpoint, key: Option<AuthKey>) -> Result<Self, TaskError> {
        TaskServerBuilder::new().bind(endpoint, key)
    }

    /// Settings for a server.
    pub fn builder() -> TaskServerBuilder {
        TaskServerBuilder::new()
    }

    /// Where it listens: with the port that it has.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.acceptor.endpoint()
    }

    /// Where tasks are put.
    #[must_use]
    pub fn get_task_queue(&self) -> TaskQueue<T> {
        TaskQueue { shared: Arc::clone(&self.shared), types: PhantomData }
    }

    /// Where their results come.
    #[must_use]
    pub fn get_result_queue(&self) -> ResultQueue<R> {
        ResultQueue { shared: Arc::clone(&self.shared), types: PhantomData }
    }

    /// How many tasks, results and workers there are.
    #[must_use]
    pub fn counts(&self) -> TaskCounts {
        self.shared.ledger().counts()
    }

    /// Who was not let in, and why.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        self.acceptor.refusals()
    }

    /// Ends it: tells the workers that there is nothing more to do, and waits until they are gone, at most for the time of a lease. Who waits for
    /// a result gets [`TaskError::Closed`]. Tasks without a result are forgotten, unless there is a journal.
    pub fn shutdown(self) {
        self.shared.close();
        self.acceptor.close();
        let deadline = poller::deadline(Some(self.shared.lease));
        let mut ledger = self.shared.ledger();
        ledger.posts().iter().for_each(|worker| worker.post(frame(&ToWorker::Closing)));
        ledger.posts_of_producers().iter().for_each(|producer| producer.post(frame(&ToProducer::Closing)));
        drop(ledger);
        ledger = self.shared.ledger();
        while ledger.has_visitors() {
            match super::wait(&self.shared.changed, ledger, deadline) {
                Some(woken) => ledger = woken,
                None => break,
            }
        }
    }
}

impl<T, R> Drop for TaskServer<T, R> {
    fn drop(&mut self) {
        self.shared.close();
        self.acceptor.close();
        if let Some(thread) = self.thread.take() {
            let _its_panic_was_printed = thread.join();
        }
        let mut visits = self.shared.visits();
        visits.links.values().for_each(LinkSender::shutdown);
        while !visits.links.is_empty() {
            visits = self.shared.left.wait(visits).unwrap_or_else(PoisonError::into_inner);
        }
        drop(visits);
        self.shared.ledger().close_journal(); // for the next, although queues may still be there
    }
}

impl<T, R> fmt::Debug for TaskServer<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskServer").field("endpoint", self.acceptor.endpoint()).finish_non_exhaustive()
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn visits(&self) -> MutexGuard<'_, Visits> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    fn close(&self) {
        let ledger = self.ledger();
        self.closing.store(true, Ordering::Relaxed);
        drop(ledger);
        self.changed.notify_all();
    }

    /// Changes the ledger for one that was heard, if it was one; sends what is to be sent thereafter, and tells who waits.
    fn change<X>(&self, heard: Option<&Post>, change: impl FnOnce(&mut Ledger) -> X) -> X {
        let mut ledger = self.ledger();
        let done = change(&mut ledger);
        let dispatches = if self.is_closing() { Vec::new() } else { ledger.dispatch() };
        drop(ledger);
        self.changed.notify_all();
        // When a link is over, what it holds is given back by whom listens to it.
        for dispatch in dispatches {
            if heard.is_some_and(|heard| heard.is(&dispatch.to)) {
                let _is_given_back = dispatch.to.send(&dispatch.message);
            } else {
                dispatch.to.post(dispatch.message);
            }
        }
        done
    }

    /// Listens to a worker or a producer until its link ends.
    fn serve(&self, sender: &LinkSender, mut receiver: LinkReceiver) {
        let mut message = Vec::new();
        let hello = receiver.recv_timeout(self.lease).map(|hello| decode::<ToServer>(&hello));
        let (types, holds) = match hello {
            Ok(Ok(ToServer::Hello { types, holds })) => (types, holds),
            Ok(Ok(ToServer::Produce { types, producer })) => {
                return self.serve_producer(sender, receiver, &types, producer);
            }
            _ => return,
        };
        if types != self.types {
            let _is_gone_anyway = sender.send(&frame(&ToWorker::OtherTypes(self.types.clone())));
            let _its_end = receiver.recv_timeout(self.lease);
            return;
        }
        let Ok(post) = Post::new(sender.clone()) else { return };
        let Some(desk) = self.enter(&post, &holds) else { return };
        // Until it ends, or is silent.
        while receiver.recv_timeout_into(&mut message, self.lease).is_ok() {
            let Ok(heard) = decode::<ToServer>(&message) else { break };
            if let Err(error) = self.hear(desk, &post, heard) {
                if matches!(error, TaskError::Journal(_)) {
                    std::thread::sleep(AGAIN); // the worker brings its result again at once
                }
                break;
            }
        }
        // What a journal cannot note has changed all the same; it is noted as open, which it may be again.
        let _is_the_journals = self.change(None, |ledger| ledger.leave(desk));
    }

    fn enter(&self, post: &Post, holds: &[(u64, Number)]) -> Option<Desk> {
        let mut ledger = self.ledger();
        if self.is_closing() {
            return None;
        }
        let lease = u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX);
        let welcome = frame(&ToWorker::Welcome { epoch: ledger.epoch(), lease });
        post.send(&welcome).ok()?; // the first message of a stream finds room
        let desk = ledger.enter(post.clone(), holds);
        drop(ledger);
        self.changed.notify_all();
        Some(desk)
    }

    fn hear(&self, desk: Desk, post: &Post, heard: ToServer) -> Result<(), TaskError> {
        match heard {
            ToServer::Want => self.change(Some(post), |ledger| ledger.want(desk)),
            ToServer::GiveBack { epoch, number, lost } => {
                self.change(Some(post), |ledger| ledger.give_back(desk, (epoch, number), lost))?;
            }
            ToServer::Done { epoch, number, result } => {
                let receipt = self.change(Some(post), |ledger| ledger.done(epoch, number, result))?;
                let message = frame(&ToWorker::Receipt { epoch, number, receipt });
                post.send(&message).map_err(TaskError::NoLink)?;
            }
            ToServer::Beat => {}
            ToServer::Hello { .. }
            | ToServer::Produce { .. }
            | ToServer::Put { .. }
            | ToServer::WantResult
            | ToServer::Got { .. }
            | ToServer::Bye => return Err(TaskError::Decode("no worker says that here".into())),
        }
        Ok(())
    }
}

/// Where tasks are put. It can be cloned, and many threads put.
pub struct TaskQueue<T> {
    shared: Arc<Shared>,
    types: PhantomData<fn(T)>,
}

impl<T: Serialize> TaskQueue<T> {
    /// Puts a task: its number. Workers get tasks in the order in which they were put, but for those that come back.
    ///
    /// # Errors
    /// [`TaskError::Encode`] for a value that cannot travel, [`TaskError::Journal`] when it could not be written down,
    /// [`TaskError::Closed`] when the server is gone. The task is not put then.
    pub fn put(&self, task: &T) -> Result<u64, TaskError> {
        self.put_all([task])
    }

    /// Puts tasks, all or none: the number of the first, the others have those that follow. With a journal this is much faster than
    /// one after the other.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_all<'a>(&self, tasks: impl IntoIterator<Item = &'a T>) -> Result<u64, TaskError>
    where
        T: 'a,
    {
        let encoded = tasks.into_iter().map(|task| self.encode(task)).collect::<Result<_, _>>()?;
        let put = |ledger: &mut Ledger| {
            if self.shared.is_closing() { Err(TaskError::Closed) } else { ledger.put(encoded) }
        };
        self.shared.change(None, put)
    }

    fn encode(&self, task: &T) -> Result<Vec<u8>, TaskError> {
        let encoded = encode(task).map_err(|error| TaskError::Encode(error.to_string()))?;
        let (size, limit) = (encoded.len() + AROUND, self.shared.limit);
        if size > limit {
            let error = RemoteError::TooLarge { size: size as u64, limit: limit as u64 };
            return Err(TaskError::Encode(error.to_string()));
        }
        Ok(encoded)
    }

    /// How many tasks wait for a worker.
    #[must_use]
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.shared.ledger().counts().waiting
    }

    /// Whether no task waits for a worker.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where results come. It can be cloned; each result goes to one who gets.
pub struct ResultQueue<R> {
    shared: Arc<Shared>,
    types: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> ResultQueue<R> {
    /// Waits for a result.
    ///
    /// # Errors
    /// [`TaskError::Closed`] when the server is gone.
    pub fn get(&self) -> Result<Finished<R>, TaskError> {
        self.get_until(None)
    }

    /// Waits at most this long for a result.
    ///
    /// # Errors
    /// [`TaskError::TimedOut`] if none came; else as [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<Finished<R>, TaskError> {
        self.get_until(poller::deadline(Some(timeout)))
    }

    fn get_until(&self, deadline: Option<Instant>) -> Result<Finished<R>, TaskError> {
        let mut ledger = self.shared.ledger();
        loop {
            let next = ledger.expire(self.shared.retention);
            if let Some((number, outcome)) = ledger.take() {
                let home: Arc<dyn Home> = Arc::<Shared>::clone(&self.shared);
                return Ok(Finished::new(home, number, outcome));
            }
            if self.shared.is_closing() {
                return Err(TaskError::Closed);
            }
            if super::remaining(deadline).is_some_and(|left| left.is_zero()) {
                return Err(TaskError::TimedOut);
            }
            let soonest = deadline.into_iter().chain(next).min();
            ledger = match super::wait(&self.shared.changed, ledger, soonest) {
                Some(woken) => woken,
                None => self.shared.ledger(), // a producer's time is over, or this one's
            };
        }
    }

    /// How many results are there.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut ledger = self.shared.ledger();
        ledger.expire(self.shared.retention);
        ledger.counts().results
    }

    /// Whether no result is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Home for Shared {
    fn forget(&self, number: Number) {
        // It comes again after a restart, which is what the journal is there for.
        let _is_the_journals = self.ledger().forget(number);
    }

    fn put_back(&self, number: Number, outcome: Outcome) {
        self.ledger().put_back(number, outcome);
        self.changed.notify_all();
    }
}
