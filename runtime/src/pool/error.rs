//! Why a task has no result.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::launch::{Failure, Panic, StartError};
use crate::sys::ExitStatus;

/// Why a task has no result, which task that was, and who worked at it.
///
/// ```
/// use offspring::pool::{Pool, TaskFailure};
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let pool = Pool::new(2)?;
///     let half = |n: u32| if n % 2 == 0 { n / 2 } else { panic!("{n} is odd") };
///     let error = pool.try_map(half, [2, 4, 7, 8]).unwrap_err();
///     assert_eq!(error.index(), Some(2));
///     assert!(matches!(error.failure(), TaskFailure::Panicked(panic) if panic.message == "7 is odd"));
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct TaskError(Box<Details>);

/// What there is to tell, kept elsewhere: results are moved about more often than they fail.
#[derive(Clone)]
struct Details {
    index: Option<u64>,
    worker: Option<Arc<Who>>,
    failure: TaskFailure,
}

/// Which worker it was.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) name: String,
    pub(super) pid: u32,
}

/// What happened to a task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TaskFailure {
    /// The function panicked; its worker goes on.
    Panicked(Box<Panic>),
    /// The arguments could not be encoded, handed over or decoded.
    Argument(String),
    /// The result could not be encoded, handed over or decoded.
    Output(String),
    /// The worker ended while it worked at the task: it called `exit`, or a signal ended it. Another one takes its place.
    Ended(ExitStatus),
    /// The task ran for longer than its time limit, and its worker was killed.
    TimedOut(Duration),
    /// The task was cancelled.
    Cancelled,
    /// The pool ended, or could not go on, before the task was done: why.
    Pool(String),
    /// The result has been taken before.
    Taken,
}

impl TaskError {
    pub(super) fn new(failure: TaskFailure) -> Self {
        Self::of(failure, None)
    }

    /// What happened to a task of a worker's.
    pub(super) fn of(failure: TaskFailure, worker: Option<Arc<Who>>) -> Self {
        Self(Box::new(Details { index: None, worker, failure }))
    }

    /// Says which of several it was.
    pub(super) fn at(mut self, index: Option<u64>) -> Self {
        self.0.index = index;
        self
    }

    /// What happened.
    #[must_use]
    pub fn failure(&self) -> &TaskFailure {
        &self.0.failure
    }

    /// Which of the inputs of a `map` it was, from 0; `None` for a task that was submitted by itself.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.0.index.and_then(|index| usize::try_from(index).ok())
    }

    /// The name of the worker that had the task, if one had.
    #[must_use]
    pub fn worker(&self) -> Option<&str> {
        self.0.worker.as_ref().map(|who| &*who.name)
    }

    /// The process id of that worker.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.0.worker.as_ref().map(|who| who.pid)
    }
}

impl From<Failure> for TaskFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Panicked(panic) => Self::Panicked(Box::new(panic)),
            Failure::Argument(reason) => Self::Argument(reason),
            Failure::Output(reason) => Self::Output(reason),
            Failure::UnknownClass(reason) | Failure::Setup(reason) => Self::Pool(reason),
            Failure::OtherBuild => Self::Pool("the worker is another build of the program".into()),
        }
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => write!(f, "panicked: {panic}"),
            Self::Argument(reason) => write!(f, "did not get its arguments: {reason}"),
            Self::Output(reason) => write!(f, "could not hand over its result: {reason}"),
            Self::Ended(status) => write!(f, "ended its worker: {status}"),
            Self::TimedOut(limit) => write!(f, "took longer than {limit:?}, and was killed"),
            Self::Cancelled => f.write_str("was cancelled"),
            Self::Pool(reason) => write!(f, "was not done by the pool: {reason}"),
            Self::Taken => f.write_str("has given its result already"),
        }
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { index, worker, failure } = &*self.0;
        let mut debug = f.debug_struct("TaskError");
        debug.field("index", index).field("worker", worker).field("failure", failure).finish()
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.index {
            Some(index) => write!(f, "task {index}")?,
            None => f.write_str("the task")?,
        }
        if let Some(Who { name, pid }) = self.0.worker.as_deref() {
            write!(f, " in worker `{name}` (pid {pid})")?;
        }
        write!(f, " {}", self.0.failure)
    }
}

impl std::error::Error for TaskError {}

/// Why there is no pool, or no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A setting cannot be: which, and what can.
    #[error("{0}")]
    Invalid(String),
    /// A worker could not be started.
    #[error("cannot start the workers of the pool")]
    Start(#[from] StartError),
    /// The initializer failed in a worker.
    #[error("the initializer of the pool's workers failed: {0}")]
    Initializer(TaskFailure),
    /// A worker ended before it took a task.
    #[error("a worker of the pool ended before it took a task: {0}")]
    Ended(ExitStatus),
    /// The system lacks what a pool needs.
    #[error("cannot make what the pool needs")]
    System(#[from] std::io::Error),
    /// The pool takes no more tasks.
    #[error("the pool is closed: {0}")]
    Closed(String),
    /// The arguments of a task cannot be encoded.
    #[error("the arguments of the task cannot be encoded: {0}")]
    Encode(String),
}
