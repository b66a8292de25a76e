//! What can go wrong with tasks.

use std::io;
use std::sync::Arc;

use crate::net::remote::RemoteError;

/// Why a call of a [`TaskServer`](super::TaskServer), a [`TaskWorker`](super::TaskWorker) or one of their queues failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// Nothing came in time.
    #[error("nothing came until the timeout")]
    #[doc(alias = "Empty")]
    TimedOut,
    /// The server was shut down, or this end was.
    #[error("the server of tasks was shut down")]
    Closed,
    /// There is no link to the server, and it could not be made again for as long as the worker is to try.
    #[error("there is no link to the server of tasks: {0}")]
    NoLink(#[source] RemoteError),
    /// The server has as many tasks and results as it takes. The tasks are not put: get results, or try again later.
    #[error("the server of tasks is full: get results, or see `TaskServerBuilder::capacity`")]
    #[doc(alias = "queue.Full")]
    Full,
    /// Another producer has come with the same name, and the server sends the results there.
    #[error("another producer has come with the same name: see `TaskClientBuilder::name`")]
    Replaced,
    /// The server's tasks or results are of other types.
    #[error("the server has tasks `{task}` and results `{result}`: take both types from one crate")]
    OtherTypes {
        /// The type of its tasks.
        task: String,
        /// The type of its results.
        result: String,
    },
    /// The value cannot travel: it cannot be encoded, or is longer than [`Limits::max_message`](crate::net::remote::Limits::max_message).
    #[error("the value cannot travel: {0}")]
    Encode(String),
    /// What came cannot be decoded. A worker gives the task back, and it counts as lost there.
    #[error("what came cannot be decoded: {0}")]
    Decode(String),
    /// The journal could not be read or written. What was to be done is not done.
    #[error("the journal of tasks failed: {0}")]
    Journal(String),
    /// The system refused something: memory, descriptors, an address.
    #[error("the system refused: {0}")]
    System(#[source] Arc<io::Error>),
}

impl TaskError {
    /// Whether only a time is over.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut)
    }

    /// Whether the server was shut down in order, so that a worker is done.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl From<io::Error> for TaskError {
    fn from(error: io::Error) -> Self {
        Self::System(Arc::new(error))
    }
}

/// Why a task has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum TaskFailure {
    /// So many workers had it and ended, were cut off, or dropped it.
    #[error("{times} workers had the task, and each was lost with it: see `TaskServerBuilder::attempts`")]
    Lost {
        /// How many.
        times: u32,
    },
    /// The task is longer than the worker takes that was to have it, or the result than the producer takes.
    #[error("the task or its result is longer than who was to have it takes: {0}")]
    TooLarge(String),
    /// The server was started again without a journal, or the producer was gone for longer than
    /// [the retention](super::TaskServerBuilder::retention).
    #[error("the server no longer knows the task")]
    Forgotten,
    /// The result that came cannot be decoded.
    #[error("the result cannot be decoded: {0}")]
    Decode(String),
}
