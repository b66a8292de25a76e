//! Pools of workers at a server, which many clients share.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::wrapper;
use crate::launch::Panic;
use crate::manager::{CallError, Fault, caller, when_cancelled};
use crate::pool::{Pool, Task, TaskError, TaskFailure};
use crate::process::Function;
use crate::sys::{image, runtime};
use crate::wire::codec::{Codec, Wire};
use crate::{Bytes, pool};

/// What runs in a worker.
type WorkFn = fn(&[u8]) -> Result<Vec<u8>, String>;

fn work<F: Function<A>, A: DeserializeOwned>(arguments: &[u8]) -> Result<Vec<u8>, String> {
    let arguments = Wire::decode(arguments).map_err(|error| error.to_string())?;
    let output = runtime::conjure::<F>().call(arguments);
    let mut encoded = Vec::new();
    Wire::append(&output, &mut encoded).map_err(|error| error.to_string())?;
    Ok(encoded)
}

/// What a worker does for a client. The worker is of the same build as its server.
#[allow(clippy::needless_pass_by_value)] // as tasks have them
fn perform(function: u64, arguments: Bytes) -> Result<Bytes, String> {
    let function = image::function_at::<WorkFn>(function).ok_or("the worker has no such function")?;
    function(&arguments).map(Bytes::from)
}

/// Why a task has no result.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Failure {
    Panicked(Panic),
    Other(String),
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        match error.failure() {
            TaskFailure::Panicked(panic) => Self::Panicked((**panic).clone()),
            _ => Self::Other(error.to_string()),
        }
    }
}

/// The service of pools.
pub(super) struct Crew(Pool);

impl Crew {
    /// # Panics
    /// When the pool does not start, so that its client learns why.
    pub(super) fn new(workers: usize) -> Self {
        let pool = pool::Builder::default().workers(workers).start();
        Self(pool.unwrap_or_else(|error| panic!("{error}")))
    }
}

/// Pools of a manager.
#[crate::service(crate = crate)]
impl Crew {
    pub fn workers(&self) -> usize {
        self.0.workers()
    }

    /// Calls a function with each of these arguments. When nobody waits for it any more, what is not done is not.
    pub fn map(
        &self,
        build: Vec<u8>,
        function: u64,
        all: Vec<Bytes>,
    ) -> Result<Vec<Result<Bytes, Failure>>, Fault> {
        if caller().is_some_and(|caller| !caller.may_create()) {
            let why =
                "the server runs no functions for those who come from elsewhere: see `Builder::allow_create`";
            return Err(Fault::Refused(why.into()));
        }
        if build != image::build_id() {
            return Err(Fault::Refused("the server runs another build of the program".into()));
        }
        let tasks: Result<Vec<_>, _> =
            all.into_iter().map(|arguments| self.0.submit(perform, (function, arguments))).collect();
        let tasks = Arc::new(tasks.map_err(|error| Fault::Refused(error.to_string()))?);
        let cancelled = Arc::clone(&tasks);
        let _hook = when_cancelled(move || {
            for task in &*cancelled {
                let _it_is_done = task.cancel();
            }
        });
        let result = |task: &Task<Result<Bytes, String>>| task.get()?.map_err(Failure::Other);
        Ok(tasks.iter().map(result).collect())
    }
}

/// A pool of workers in the manager's process, which all who have this share: made by [`Manager::pool`](crate::Manager::pool).
///
/// The workers are processes, as those of every [`Pool`]; that is faster where one process alone uses it. Functions and closures that capture nothing
/// are called in them, with arguments and results that travel by the server. A call waits for its results; calls of several threads and processes are done beside each other. What a
/// client waits for no more, because it died, cancelled or [limited](crate::manager::Proxy::with_timeout) the call, is
/// cancelled.
///
/// ```
/// use offspring::manager::ManagedPool;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let pool = manager.pool(2)?;
///     let squares = |pool: ManagedPool, from: u64| -> Vec<u64> {
///         let squares = pool.map(|n: u64| n * n, from..from + 3).unwrap();
///         squares.into_iter().map(Result::unwrap).collect()
///     };
///     let child = offspring::spawn(squares, (pool.clone(), 4))?;
///     assert_eq!(squares(pool.clone(), 1), [1, 4, 9]);
///     assert_eq!(child.join()?, [16, 25, 36]);
///     assert_eq!(pool.run(|a: u64, b: u64| a + b, (1, 2))?, 3);
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManagedPool(pub(super) CrewProxy);

wrapper!(ManagedPool, CrewProxy);

/// Why a task of a [`ManagedPool`] has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagedTaskError {
    /// The function panicked; its worker goes on.
    #[error("the task panicked: {}", .0.message)]
    Panicked(Panic),
    /// The worker ended while it worked at the task, or something of the task could not be read.
    #[error("the task failed: {0}")]
    Failed(String),
    /// The call did not get there or back.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl From<Failure> for ManagedTaskError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Panicked(panic) => Self::Panicked(panic),
            Failure::Other(why) => Self::Failed(why),
        }
    }
}

impl ManagedPool {
    /// Has a worker call a function with the elements of a tuple as arguments: what it returns.
    ///
    /// # Errors
    /// See [`ManagedTaskError`].
    #[doc(alias = "apply")]
    pub fn run<F, A>(&self, function: F, arguments: A) -> Result<F::Output, ManagedTaskError>
    where
        F: Function<A>,
        A: Serialize + DeserializeOwned + 'static,
    {
        let gone = || ManagedTaskError::Failed("the server sent no result".into());
        self.starmap(function, [arguments])?.pop().ok_or_else(gone)?
    }

    /// Has workers call a function for each input: the outcomes, in the order of the inputs.
    ///
    /// # Errors
    /// See [`CallError`]; those of the tasks are in their places.
    #[allow(clippy::type_complexity)] // it is a list of outcomes
    pub fn map<F, X>(
        &self,
        function: F,
        inputs: impl IntoIterator<Item = X>,
    ) -> Result<Vec<Result<F::Output, ManagedTaskError>>, CallError>
    where
        F: Function<(X,)>,
        X: Serialize + DeserializeOwned + 'static,
    {
        self.starmap(function, inputs.into_iter().map(|input| (input,)))
    }

    /// As [`map`](Self::map), for functions of several arguments: each input is a tuple of them.
    ///
    /// # Errors
    /// As [`map`](Self::map).
    #[allow(clippy::type_complexity)] // as above
    pub fn starmap<F, A>(
        &self,
        _function: F,
        inputs: impl IntoIterator<Item = A>,
    ) -> Result<Vec<Result<F::Output, ManagedTaskError>>, CallError>
    where
        F: Function<A>,
        A: Serialize + DeserializeOwned + 'static,
    {
        let function = image::offset_of(work::<F, A> as WorkFn).ok_or_else(|| {
            CallError::Refused("the function is in no part of the program that the server has, too".into())
        })?;
        let encode = |input: A| {
            let mut encoded = Vec::new();
            Wire::append(&input, &mut encoded).map_err(|error| CallError::Encode(error.to_string()))?;
            Ok(Bytes::from(encoded))
        };
        let all = inputs.into_iter().map(encode).collect::<Result<_, CallError>>()?;
        let outcomes = self.0.map(image::build_id().to_vec(), function, all)??;
        let decode = |outcome: Result<Bytes, Failure>| {
            Wire::decode(&outcome?).map_err(|error| ManagedTaskError::Failed(error.to_string()))
        };
        Ok(outcomes.into_iter().map(decode).collect())
    }

    /// How many workers there are.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn workers(&self) -> Result<usize, CallError> {
        self.0.workers()
    }
}
