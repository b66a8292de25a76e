//! What became of a task, in the hands of whoever got it.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::error::TaskFailure;
use super::message::{Number, Outcome, decode};

/// Where a result comes from.
pub(super) trait Home: fmt::Debug + Send + Sync {
    /// It has arrived where it is wanted.
    fn forget(&self, number: Number);

    /// It has not arrived: it is the next again.
    fn put_back(&self, number: Number, outcome: Outcome);
}

/// What became of a task.
///
/// With a journal its result is in there until this is dropped: who is killed with it in hand gets it again after the restart, and so does the next
/// who gets one when a panic drops it.
#[derive(Debug)]
pub struct Finished<R> {
    home: Arc<dyn Home>,
    number: Number,
    /// Given back if it is dropped by a panic.
    encoded: Option<Outcome>,
    result: Option<Result<R, TaskFailure>>,
}

impl<R: DeserializeOwned> Finished<R> {
    pub(super) fn new(home: Arc<dyn Home>, number: Number, outcome: Outcome) -> Self {
        let decoded = match &outcome {
            Ok(bytes) => decode(bytes).map_err(|error| TaskFailure::Decode(error.to_string())),
            Err(failure) => Err(failure.clone()),
        };
        Self { home, number, encoded: Some(outcome), result: Some(decoded) }
    }
}

impl<R> Finished<R> {
    /// The number of the task, which [`TaskQueue::put`](super::TaskQueue::put) or [`ClientTasks::put`](super::ClientTasks::put) returned.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its result, or why there is none.
    ///
    /// # Errors
    /// When so many workers were lost with it that it was given up, or the result cannot be decoded.
    ///
    /// # Panics
    /// Never: the result is there until this is gone.
    pub fn result(&self) -> Result<&R, &TaskFailure> {
        self.result.as_ref().expect("it is taken with all of this").as_ref()
    }

    /// Its result, which is forgotten at the server.
    ///
    /// # Errors
    /// As [`result`](Self::result).
    ///
    /// # Panics
    /// Never, as there.
    pub fn into_result(mut self) -> Result<R, TaskFailure> {
        self.result.take().expect("it is taken with all of this")
    }
}

impl<R> Drop for Finished<R> {
    fn drop(&mut self) {
        let Some(outcome) = self.encoded.take() else { return };
        if std::thread::panicking() {
            self.home.put_back(self.number, outcome);
        } else {
            self.home.forget(self.number);
        }
    }
}
