//! A pool of worker processes that do tasks.
//!
//! ```
//! use offspring::pool::Pool;
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let pool = Pool::new(2)?;
//!     let squares = pool.try_map(|n: u64| n * n, 0..10)?;
//!     assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
//!
//!     let task = pool.submit(|a: String, b: String| a + &b, ("to".into(), "gether".into()))?;
//!     assert_eq!(task.get()?, "together");
//!     Ok(())
//! }
//! ```
//!
//! # Tasks
//!
//! A task is a call of a function, or of a closure that captures nothing, with arguments that serde can encode: see
//! [`spawn`](crate::spawn). [`map`](Pool::map) calls a function for each of many inputs, [`submit`](Pool::submit) for one; what a task
//! needs beside its arguments a worker can keep from one task to the next ([`with_state`]). Arguments and results may have handles and
//! [`Bytes`](crate::Bytes) in them, as the messages of a [channel](mod@crate::channel) may.
//!
//! Tasks that take microseconds travel in large batches and tasks that take long one by one; a worker that has nothing to do takes over what
//! another has not begun.
//!
//! Of what lies in shared memory nothing has to travel: workers change a [`SharedSlice`](crate::shm::SharedSlice) in place, range by range
//! ([`for_each_mut`](Pool::for_each_mut)), or compute one out of another ([`map_slice`](Pool::map_slice)).
//!
//! # Failure
//!
//! Failure is the task's. A panic, an `exit`, a signal, a [time limit](Builder::task_timeout), arguments or a result that cannot be
//! encoded or decoded: that task has a [`TaskError`] which says what happened, where and to which input; every other task goes on. A worker that
//! has ended is replaced; tasks that it had been given and had not begun are done by others, once. No wait of a pool depends on a worker's goodwill.
//!
//! A pool gives up, and all its tasks with it, if three workers in a row end before they are ready, for an initializer that fails would fail
//! again; if ten in a row end by themselves as soon as they are; and if no worker is left and none can be started. Every error says why.
//!
//! # Looking at it
//!
//! [`progress`](Builder::progress) shows how far a map is, [`stats`](Pool::stats) and [`report`](Pool::report) what became of it and which inputs
//! took longest, a [`timeline`](Builder::timeline) who did what when.
//!
//! # The end
//!
//! [`close`](Pool::close) takes no more tasks and lets those be done that there are, [`join`](Pool::join) waits for that;
//! [`terminate`](Pool::terminate), and dropping the pool, kills the workers: tasks that are not done fail. Workers are
//! daemons: they end with the process that has the pool, however it ends.
//!
//! # Logging
//!
//! With the cargo feature `tracing`, what workers log with [`tracing`](https://docs.rs/tracing) arrives in the subscriber of the process that
//! has the pool: events and spans, with level, target, file, line and fields, in the span that was the current one when the task was submitted. Events
//! have two fields more, `process.name` and `process.pid`.
//!
#![cfg_attr(feature = "tracing", doc = "```")]
#![cfg_attr(not(feature = "tracing"), doc = "```ignore")]
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     tracing_subscriber::fmt().init(); // before the pool is started
//!     let pool = offspring::Pool::new(2)?;
//!     let _span = tracing::info_span!("squares").entered();
//!     pool.try_map(|n: u64| tracing::info!(n, "the square is {}", n * n), 1..=3)?;
//!     // … INFO squares: rust_out: the square is 4 n=2 process.name="Worker-1" process.pid=4711
//!     Ok(())
//! }
//! ```
//!
//! - The subscriber is that of the thread that starts the pool. If it has none then, the workers log to whomever they have.
//! - A thread of the library emits the lines, in the order of each worker, about when they come: perhaps a little after the result of
//!   the task. [`join`](Pool::join), the drop of a pool, and the end of the program wait for what is under way, half a second at most.
//! - A line is sent at once, so those before a crash arrive. The spans of a worker that has ended are closed.
//! - Levels that nobody wants are not even written down in the workers, also when that changes. What a filter refuses by
//!   target is sent first.
//! - A worker waits for a subscriber that does not keep up, but for no longer than a tenth of a second; then lines are dropped, and a warning
//!   says how many.
//! - An initializer that sets a global default of its own keeps its worker out of all this. A task cannot set one.
//! - Only lines of workers travel, not those of processes that are started otherwise.
//!
//! The library's own events have the target `offspring::pool` and the level `DEBUG`: workers that start and end, tasks that fail, pools that close.
//!
//! # Trust
//!
//! Workers share the memory of a channel with each other and with the pool: see [there](mod@crate::channel#trust).

mod board;
mod crew;
mod desk;
mod engine;
mod error;
mod job;
mod ledger;
mod manager;
mod measure;
mod message;
mod pass;
mod progress;
mod report;
mod slice;
mod stateful;
mod stats;
mod stream;
mod task;
mod timeline;
mod worker;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::iter::FusedIterator;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::{PoolError, TaskError, TaskFailure};
pub use progress::Progress;
pub use report::{Report, SlowTask, Totals};
pub use slice::{RangeError, SliceError};
pub use stateful::{Stateful, StatefulFunction, stateful};
pub use stats::{Stats, WorkerStats};
pub use task::Task;
pub use timeline::{Outcome, Span, Timeline, WorkerLife};
pub use worker::{Initialize, with_state};

use engine::{Engine, Settings};
use job::{Callee, Job, Mailbox, Packing, Payload, Submission};
use ledger::{Range, State};
use stream::Stream;
use worker::{Initializer, Runner};

use crate::launch::StartMethod;
use crate::process::{Function, cpu_count, target};
use crate::sys::{image, poller};
use crate::trace::Context;

/// After how long without a task a worker ends that need not stay.
const IDLE: Duration = Duration::from_secs(60);

/// A pool of worker processes. See [the module](self).
///
/// All methods take `&self`, so threads can share a pool.
#[doc(alias = "ProcessPoolExecutor")]
pub struct Pool {
    engine: Arc<Engine>,
    limit: Option<Duration>,
    retries: u32,
    chunk_size: Option<u64>,
    progress: Progress,
}

/// Settings for a pool.
///
/// ```
/// use std::time::Duration;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let pool = offspring::Pool::builder()
///         .workers(2)
///         .name("decoder")
///         .max_tasks_per_child(1000)
///         .task_timeout(Duration::from_secs(60))
///         .start()?;
///     assert!(pool.submit(|| offspring::current().name, ())?.get()?.starts_with("decoder-"));
///     Ok(())
/// }
/// ```
#[derive(Default)]
#[must_use = "a builder does nothing until `start`"]
pub struct Builder {
    workers: Option<usize>,
    name: Option<String>,
    method: Option<StartMethod>,
    max_tasks: Option<u64>,
    limit: Option<Duration>,
    retries: u32,
    chunk_size: Option<u64>,
    initializer: Option<Result<(u64, Payload), PoolError>>,
    exit: Option<Result<u64, PoolError>>,
    max_memory: Option<u64>,
    least: Option<usize>,
    idle: Option<Duration>,
    cpus: Option<Vec<usize>>,
    nice: Option<i32>,
    timeline: bool,
    progress: Progress,
}

impl Builder {
    /// How many workers there are. The default is [`cpu_count`].
    #[doc(alias = "processes")]
    #[doc(alias = "max_workers")]
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count);
        self
    }

    /// How many workers stay when there is nothing to do: the pool starts with these, has more while tasks wait, up to [`workers`](Self::workers), and lets
    /// those go that have had nothing to do for the [`idle_timeout`](Self::idle_timeout). Without this their number stays.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// #[offspring::main]
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let pool = offspring::Pool::builder()
    ///         .workers(4)
    ///         .min_workers(1)
    ///         .idle_timeout(Duration::from_secs(10))
    ///         .start()?;
    ///     assert_eq!(pool.workers(), 1);
    ///     Ok(())
    /// }
    /// ```
    pub fn min_workers(mut self, count: usize) -> Self {
        self.least = Some(count);
        self
    }

    /// After how long without a task a worker ends that is not one of the [`min_workers`](Self::min_workers). The default is a minute.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle = Some(timeout);
        self
    }

    /// Lets each worker run on one CPU alone, of these, by their numbers from 0: no CPU has two workers before each has one. See
    /// [`usable_cpus`](crate::usable_cpus). On Linux.
    pub fn pin_to_cpus(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.cpus = Some(cpus.into_iter().collect());
        self
    }

    /// Makes workers that much nicer to other processes than this one is: see `nice(2)`. On Linux. A number below 0 needs a privilege.
    pub fn nice(mut self, more: i32) -> Self {
        self.nice = Some(more);
        self
    }

    /// What the names of the workers begin with; a number follows. The default is `Worker`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How workers are made, in place of [`start_method()`](crate::start_method()).
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// A function that each worker calls before its first task. What it returns is the worker's state, which tasks reach by
    /// [`with_state`]; it is dropped when the worker ends in good order.
    #[allow(clippy::needless_pass_by_value)] // they are encoded, and their handles closed
    pub fn initializer<F, A, S>(mut self, _function: F, arguments: A) -> Self
    where
        F: Initialize<A, S>,
        A: Serialize + DeserializeOwned + 'static,
        S: 'static,
    {
        let mut packing = Packing::new();
        let packed = packing.add(&arguments).map_err(|error| PoolError::Encode(error.to_string()));
        let offset = image::offset_of(worker::initialize::<F, A, S> as Initializer);
        self.initializer = Some(
            packed
                .and_then(|()| Ok((offset.ok_or_else(|| PoolError::Invalid(foreign()))?, packing.finish()))),
        );
        self
    }

    /// A function that each worker calls with its state when it ends in good order: because the pool is closed or becomes smaller, or because it makes
    /// room for another. What it returns [`Pool::exit_results`] gives. A worker that is killed, or ends in a task, does not call it.
    ///
    /// ```
    /// use offspring::pool::{Pool, stateful};
    ///
    /// #[offspring::main]
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let pool = Pool::builder()
    ///         .workers(2)
    ///         .initializer(|| 0_u64, ())
    ///         .worker_exit(|sum: &mut u64| *sum)
    ///         .start()?;
    ///     pool.try_map(stateful(|sum: &mut u64, n: u64| *sum += n), 0..100)?;
    ///     pool.join();
    ///     let sums = pool.exit_results::<u64>().into_iter().collect::<Result<Vec<_>, _>>()?;
    ///     assert_eq!((sums.len(), sums.iter().sum::<u64>()), (2, 4950));
    ///     Ok(())
    /// }
    /// ```
    pub fn worker_exit<F, S>(mut self, _function: F) -> Self
    where
        F: StatefulFunction<S, ()>,
        S: 'static,
    {
        let offset = image::offset_of(worker::exit::<F, S> as worker::Exit);
        self.exit = Some(offset.ok_or_else(|| PoolError::Invalid(foreign())));
        self
    }

    /// After how many tasks a worker makes room for a new one, so that what it leaks goes back to the system.
    #[doc(alias = "maxtasksperchild")]
    pub fn max_tasks_per_child(mut self, count: u64) -> Self {
        self.max_tasks = Some(count);
        self
    }

    /// With how many bytes of memory of its own a worker makes room for a new one, so that what it leaks goes back to the system. What it shares with others
    /// does not count. It is looked at when a task is done, every few milliseconds: the task has its result, and what the worker had not begun is done by
    /// others. On Linux.
    ///
    /// It is no limit for a task: for that an [initializer](Self::initializer) can set one (`setrlimit(2)`), and a task that meets it fails alone.
    pub fn max_memory_per_child(mut self, bytes: u64) -> Self {
        self.max_memory = Some(bytes);
        self
    }

    /// How long a task may take: then its worker is killed, and the task has [`TaskFailure::TimedOut`]. It is looked at every few milliseconds.
    pub fn task_timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// How often a task is begun anew whose worker ended in the middle of it (0). For tasks that may be done twice. One that ran out of time, or
    /// was cancelled, is not begun anew.
    pub fn retries(mut self, count: u32) -> Self {
        self.retries = count;
        self
    }

    /// How many inputs of a `map` go to a worker at once. The default adapts to how long they take.
    #[doc(alias = "chunksize")]
    pub fn chunk_size(mut self, count: usize) -> Self {
        self.chunk_size = Some(count as u64);
        self
    }

    /// Shows on standard error how far each `map`, `try_map`, `starmap`, `imap` and `imap_unordered` is, with rate, time left and
    /// failures: `true`, or a [style](Progress).
    ///
    /// On a terminal it is a bar if the crate has its feature `indicatif`; otherwise it is a line now and then.
    ///
    /// ```
    /// use offspring::Pool;
    ///
    /// fn cube(n: u64) -> u64 {
    ///     n * n * n
    /// }
    ///
    /// #[offspring::main]
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let pool = Pool::builder().workers(2).progress(true).start()?;
    ///     pool.try_map(cube, 0..1000)?; // cube: 1000 of 1000 (100 %), done after 1.21 ms, 826 k/s
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "tqdm")]
    pub fn progress(mut self, style: impl Into<Progress>) -> Self {
        self.progress = style.into();
        self
    }

    /// Records who does what when, for [`Pool::timeline`]: about 50 bytes for a job, which is many quick tasks or one that takes long.
    pub fn timeline(mut self, record: bool) -> Self {
        self.timeline = record;
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// A setting that cannot be, and when a worker cannot be started: then those that could be have ended.
    pub fn start(self) -> Result<Pool, PoolError> {
        let workers = self.workers.unwrap_or_else(cpu_count);
        let none = |what: &str| PoolError::Invalid(format!("{what}: at least 1"));
        if workers == 0 {
            return Err(none("the number of workers is 0"));
        }
        if self.max_tasks == Some(0) {
            return Err(none("`max_tasks_per_child` is 0"));
        }
        if self.max_memory == Some(0) {
            return Err(PoolError::Invalid("`max_memory_per_child` is 0: more than a worker needs".into()));
        }
        if self.chunk_size == Some(0) {
            return Err(none("`chunk_size` is 0"));
        }
        if self.limit == Some(Duration::ZERO) {
            return Err(PoolError::Invalid("`task_timeout` is 0: longer than a task takes".into()));
        }
        if self.least == Some(0) {
            return Err(none("`min_workers` is 0"));
        }
        if self.least.is_some_and(|least| least > workers) {
            return Err(PoolError::Invalid("`min_workers` is more than `workers`".into()));
        }
        if self.idle.is_some() && self.least.is_none() {
            return Err(PoolError::Invalid(
                "`idle_timeout` without `min_workers`: no worker would end".into(),
            ));
        }
        if self.cpus.as_ref().is_some_and(Vec::is_empty) {
            return Err(none("`pin_to_cpus` without a CPU"));
        }
        let method = self.method.unwrap_or_else(crate::start_method);
        if method == StartMethod::Fork {
            let why = "the workers of a pool cannot be started by `fork`: a pool has a thread, and programs with threads are not forked";
            return Err(PoolError::Invalid(why.into()));
        }
        let name = self.name.unwrap_or_else(|| "Worker".into());
        let start = move |station: worker::Station| {
            let name = format!("{name}-{}", station.number);
            Ok(target(worker::work, (station,)).name(name).daemon(true).start_method(method).start()?)
        };
        let idle = self.idle.unwrap_or(IDLE);
        let settings = Settings {
            workers,
            range: self.least.map(|least| Range { least, most: workers, idle }),
            initializer: self.initializer.transpose()?,
            max_tasks: self.max_tasks,
            max_memory: self.max_memory,
            exit: self.exit.transpose()?,
            cpus: self.cpus.unwrap_or_default(),
            nice: self.nice,
        };
        let engine = Engine::new(settings, Box::new(start))?;
        if self.timeline {
            engine.lock().insight.record();
        }
        // What is made so far ends with it.
        let (limit, retries, chunk_size, progress) =
            (self.limit, self.retries, self.chunk_size, self.progress);
        let pool = Pool { engine, limit, retries, chunk_size, progress };
        while pool.engine.start_missing(&mut pool.engine.lock())? {}
        manager::start(&pool.engine)?;
        Ok(pool)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("workers", &self.workers)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What is said of a function that no worker can find.
fn foreign() -> String {
    crate::launch::StartError::ForeignFunction.to_string()
}

impl Pool {
    /// Starts a pool with so many workers.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn new(workers: usize) -> Result<Self, PoolError> {
        Self::builder().workers(workers).start()
    }

    /// Settings for a pool: workers, initializer, limits and more.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A pool that the whole program shares, with a worker for each processor. It is started at the first call, and ends with the program.
    ///
    /// # Errors
    /// As [`Builder::start`]; the next call tries again.
    pub fn shared() -> Result<&'static Self, PoolError> {
        static SHARED: OnceLock<Pool> = OnceLock::new();
        static STARTING: std::sync::Mutex<()> = std::sync::Mutex::new(());
        if let Some(pool) = SHARED.get() {
            return Ok(pool);
        }
        let _one_at_a_time = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(pool) = SHARED.get() {
            return Ok(pool);
        }
        let pool = Self::builder().start()?;
        Ok(SHARED.get_or_init(|| pool))
    }

    /// How many workers the pool is to have at present. For a moment there may be fewer, or more.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.engine.lock().target
    }

    /// Changes how many workers there are: new ones are started, those that are too many end when they have done what they have. From
    /// then on their number does not follow the work.
    ///
    /// # Errors
    /// [`PoolError::Invalid`] for none at all.
    pub fn resize(&self, workers: usize) -> Result<(), PoolError> {
        if workers == 0 {
            return Err(PoolError::Invalid("the number of workers is 0: at least 1".into()));
        }
        self.engine.resize(workers);
        Ok(())
    }

    /// What the pool has done, and who its workers are.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.engine.look(|state| state.stats());
        // Without the lock: the system takes its time.
        stats.workers.iter_mut().for_each(WorkerStats::weigh);
        stats
    }

    /// What the pool has done since it was started, by all its workers, those included that have ended, and which inputs took longest. Print
    /// it: it is a table. It costs nothing until it is asked for.
    ///
    /// ```
    /// # #[offspring::main]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = offspring::Pool::new(2)?;
    /// pool.try_map(|n: u64| n * n, 0..1000)?;
    /// println!("{}", pool.report());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn report(&self) -> Report {
        self.engine.look(|state| state.report()).weighed()
    }

    /// Who did what when since the pool was started, if that [is recorded](Builder::timeline).
    #[must_use]
    pub fn timeline(&self) -> Option<Timeline> {
        self.engine.look(State::timeline)
    }

    fn submission(
        &self,
        function: Callee,
        payload: Payload,
        index: u64,
        mailbox: Arc<Mailbox>,
    ) -> Submission {
        let (limit, retries) = (self.limit, self.retries);
        Submission {
            function,
            payload,
            index,
            mailbox,
            limit,
            retries,
            is_leisurely: false,
            is_pinned: false,
            has_index: false,
            context: Context::here(),
        }
    }

    /// Has a worker call a function with the elements of a tuple as arguments, as [`spawn`](crate::spawn) does.
    ///
    /// # Errors
    /// [`PoolError::Encode`] when the arguments cannot be encoded, [`PoolError::Closed`] when the pool takes no more tasks.
    #[doc(alias = "apply_async")]
    #[allow(clippy::needless_pass_by_value)] // as above
    pub fn submit<F, A>(&self, _function: F, arguments: A) -> Result<Task<F::Output>, PoolError>
    where
        F: Function<A>,
        A: Serialize + DeserializeOwned + 'static,
    {
        let (function, payload) = call::<F, A>(&arguments)?;
        let mailbox = Arc::<Mailbox>::default();
        let submission = self.submission(function, payload, 0, Arc::clone(&mailbox));
        self.engine.submit(Job::of(submission), 1)?;
        Ok(Task::new(Arc::clone(&self.engine), mailbox))
    }

    /// Submits a call of a function for each of several tuples of arguments.
    ///
    /// # Errors
    /// As [`submit`](Self::submit): those that were submitted before are done all the same.
    pub fn submit_batch<F, A>(
        &self,
        function: F,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Vec<Task<F::Output>>, PoolError>
    where
        F: Function<A>,
        A: Serialize + DeserializeOwned + 'static,
    {
        arguments.into_iter().map(|arguments| self.submit(function, arguments)).collect()
    }

    /// Has every worker call a function: the results, in no order.
    ///
    /// # Errors
    /// As [`submit`](Self::submit). A worker that ends before it does so has an error in its place.
    #[allow(clippy::needless_pass_by_value)] // as above
    pub fn broadcast<F, A>(
        &self,
        _function: F,
        arguments: A,
    ) -> Result<Vec<Result<F::Output, TaskError>>, PoolError>
    where
        F: Function<A>,
        A: Serialize + DeserializeOwned + 'static,
    {
        let (function, payload) = call::<F, A>(&arguments)?;
        let mailbox = Arc::<Mailbox>::default();
        let submission = self.submission(function, payload, 0, Arc::clone(&mailbox));
        let count = self.engine.submit_to_all(&Job::of(Submission { is_pinned: true, ..submission }))?;
        let mut results = Vec::with_capacity(count);
        let mut deliveries = VecDeque::new();
        while results.len() < count {
            self.engine.attend(None, |_| mailbox.has_mail());
            mailbox.take_all(&mut deliveries);
            for delivery in deliveries.drain(..) {
                task::open(delivery, |_, outcome: Result<_, TaskError>| {
                    results.push(outcome.map_err(|error| error.at(None)));
                });
            }
        }
        Ok(results)
    }

    /// Calls a function for each input: the outcomes, in the order of the inputs.
    ///
    /// It waits for all of them. An input that fails does no harm to others; see [`try_map`](Self::try_map) for the first error.
    #[must_use = "tasks may have failed"]
    pub fn map<F, X, I>(&self, function: F, inputs: I) -> Vec<Result<F::Output, TaskError>>
    where
        F: Function<(X,)>,
        X: Serialize + DeserializeOwned + 'static,
        I: IntoIterator<Item = X>,
    {
        self.starmap(function, inputs.into_iter().map(|input| (input,)))
    }

    /// As [`map`](Self::map), for functions of several arguments: each input is a tuple of them.
    #[must_use = "tasks may have failed"]
    pub fn starmap<F, A, I>(&self, function: F, inputs: I) -> Vec<Result<F::Output, TaskError>>
    where
        F: Function<A>,
        A: Serialize + DeserializeOwned + 'static,
        I: IntoIterator<Item = A>,
    {
        self.stream(function, inputs.into_iter()).collect(Ok).unwrap_or_default()
    }

    /// Calls a function for each input: the results, in the order of the inputs.
    ///
    /// # Errors
    /// The first that fails, in time; what was not begun by then is not done.
    pub fn try_map<F, X, I>(&self, function: F, inputs: I) -> Result<Vec<F::Output>, TaskError>
    where
        F: Function<(X,)>,
        X: Serialize + DeserializeOwned + 'static,
        I: IntoIterator<Item = X>,
    {
        self.stream(function, inputs.into_iter().map(|input| (input,))).collect(|outcome| outcome)
    }

    /// Calls a function for each input, as the iterator is advanced: the outcomes, in the order of the inputs.
    ///
    /// Inputs are taken a little ahead of the results, so there may be infinitely many. Dropping the iterator stops the work: what was
    /// not begun is not done.
    pub fn imap<F, X, I>(&self, function: F, inputs: I) -> Imap<'_, I::IntoIter, X, F::Output>
    where
        F: Function<(X,)>,
        X: Serialize + DeserializeOwned + 'static,
        I: IntoIterator<Item = X>,
    {
        let inputs = Tuples(inputs.into_iter());
        Imap { stream: self.stream(function, inputs), early: BTreeMap::new(), next: 0 }
    }

    /// As [`imap`](Self::imap), with the outcomes in the order in which they come, each with the index of its input.
    pub fn imap_unordered<F, X, I>(
        &self,
        function: F,
        inputs: I,
    ) -> ImapUnordered<'_, I::IntoIter, X, F::Output>
    where
        F: Function<(X,)>,
        X: Serialize + DeserializeOwned + 'static,
        I: IntoIterator<Item = X>,
    {
        let mut stream = self.stream(function, Tuples(inputs.into_iter()));
        stream.want(u64::MAX);
        ImapUnordered { stream }
    }

    fn stream<F, A, I>(&self, _function: F, inputs: I) -> Stream<'_, I, A, F::Output>
    where
        F: Function<A>,
        A: Serialize + DeserializeOwned + 'static,
        I: Iterator<Item = A>,
    {
        Stream::new(self, runner::<F, A>(), inputs)
    }

    /// Takes no more tasks. Those that there are will be done, and then the workers end.
    pub fn close(&self) {
        self.engine.close();
    }

    /// Closes the pool, and waits until its tasks are done, their [callbacks](Task::on_done) called, and its workers have ended.
    pub fn join(&self) {
        self.close();
        self.engine.join();
        self.engine.trace.settle();
    }

    /// What the [exit functions](Builder::worker_exit) of workers have returned since the last time, in no order; after [`join`](Self::join) those of all
    /// that were there.
    ///
    /// # Errors
    /// In the place of a worker's result: when it panicked or ended in the function, and when an `R` is not what the function returned, if that can be
    /// seen.
    #[must_use]
    pub fn exit_results<R: DeserializeOwned>(&self) -> Vec<Result<R, TaskError>> {
        let exits = self.engine.take_exits();
        let mut results = Vec::with_capacity(exits.len());
        for exit in exits {
            task::open(exit, |_, outcome| results.push(outcome.map_err(|error: TaskError| error.at(None))));
        }
        results
    }

    /// Kills the workers. Tasks that are not done have [`TaskFailure::Pool`].
    pub fn terminate(&self) {
        self.stop("`terminate` was called");
    }

    fn stop(&self, why: &str) {
        if !self.engine.is_ours() {
            return; // the workers are another's
        }
        self.engine.end(&mut self.engine.lock(), why.into());
        // Killed processes end as soon as the system lets them.
        self.engine.attend(poller::deadline(Some(Duration::from_secs(5))), |state| state.is_deserted());
        self.engine.trace.settle();
    }
}

/// A single call: where its function lies, and its arguments.
fn call<F, A>(arguments: &A) -> Result<(Callee, Payload), PoolError>
where
    F: Function<A>,
    A: Serialize + DeserializeOwned,
{
    let mut packing = Packing::new();
    packing.add(arguments).map_err(|error| PoolError::Encode(error.to_string()))?;
    let function = runner::<F, A>().ok_or_else(|| PoolError::Invalid(foreign()))?;
    Ok((function, packing.finish()))
}

fn runner<F, A>() -> Option<Callee>
where
    F: Function<A>,
    A: DeserializeOwned,
{
    let offset = image::offset_of(worker::runner::<F, A> as Runner)?;
    Some(Callee { offset, name: std::any::type_name::<F> })
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop("it was dropped");
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("workers", &self.workers()).finish_non_exhaustive()
    }
}

/// Inputs as tuples of one argument.
struct Tuples<I>(I);

impl<I: Iterator> Iterator for Tuples<I> {
    type Item = (I::Item,);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|input| (input,))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// The iterator of [`Pool::imap`].
#[must_use = "inputs are taken as the iterator is advanced"]
pub struct Imap<'a, I, X, R> {
    stream: Stream<'a, Tuples<I>, (X,), R>,
    /// Results that came before their turn.
    early: BTreeMap<u64, Result<R, TaskError>>,
    next: u64,
}

impl<I, X, R> Iterator for Imap<'_, I, X, R>
where
    I: Iterator<Item = X>,
    X: Serialize,
    R: DeserializeOwned,
{
    type Item = Result<R, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(outcome) = self.early.remove(&self.next) {
                self.next += 1;
                self.stream.want(self.next);
                return Some(outcome);
            }
            let (index, outcome) = self.stream.next()?;
            self.early.insert(index, outcome);
        }
    }
}

impl<I: Iterator<Item = X>, X: Serialize, R: DeserializeOwned> FusedIterator for Imap<'_, I, X, R> {}

/// The iterator of [`Pool::imap_unordered`].
#[must_use = "inputs are taken as the iterator is advanced"]
pub struct ImapUnordered<'a, I, X, R> {
    stream: Stream<'a, Tuples<I>, (X,), R>,
}

impl<I, X, R> Iterator for ImapUnordered<'_, I, X, R>
where
    I: Iterator<Item = X>,
    X: Serialize,
    R: DeserializeOwned,
{
    type Item = (usize, Result<R, TaskError>);

    fn next(&mut self) -> Option<Self::Item> {
        let (index, outcome) = self.stream.next()?;
        Some((usize::try_from(index).unwrap_or(usize::MAX), outcome))
    }
}

impl<I: Iterator<Item = X>, X: Serialize, R: DeserializeOwned> FusedIterator for ImapUnordered<'_, I, X, R> {}

/// Waits until one of several tasks is done: its index.
///
/// `None` without tasks, and when none is done after the timeout.
///
/// # Panics
/// When the tasks are of several pools.
#[must_use = "it may have timed out"]
pub fn wait_any<R>(tasks: &[Task<R>], timeout: Option<Duration>) -> Option<usize> {
    let first = tasks.first()?;
    check_of_one_pool(tasks.iter());
    let mut done = None;
    let mut look = || {
        done = tasks.iter().position(|task| task.mailbox.is_settled());
        done.is_some()
    };
    first.engine.attend(poller::deadline(timeout), |_| look());
    done
}

fn check_of_one_pool<'a, R: 'a>(mut tasks: impl Iterator<Item = &'a Task<R>>) {
    let first = tasks.next();
    let of_one = first.is_none_or(|first| tasks.all(|task| Arc::ptr_eq(&task.engine, &first.engine)));
    assert!(of_one, "tasks of several pools cannot be waited for together");
}

/// The results of tasks of one pool, about in the order in which they are done, each with the task's index.
///
/// # Panics
/// When the tasks are of several pools.
pub fn as_completed<R: DeserializeOwned>(
    tasks: Vec<Task<R>>,
) -> impl Iterator<Item = (usize, Result<R, TaskError>)> {
    check_of_one_pool(tasks.iter());
    let mut left: Vec<(usize, Task<R>)> = tasks.into_iter().enumerate().collect();
    std::iter::from_fn(move || {
        let (_, first) = left.first()?;
        let engine = Arc::clone(&first.engine);
        let mut done = None;
        engine.attend(None, |_| {
            done = left.iter().position(|(_, task)| task.mailbox.is_settled());
            done.is_some()
        });
        let (index, task) = left.swap_remove(done?);
        Some((index, task.get()))
    })
}
