//! Why there is no document.

use std::time::Duration;

use offspring::{ExitStatus, JoinError, StartError};
use serde::{Deserialize, Serialize};

/// Why there is no document. Whatever it is, the application is unharmed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input is not in the format.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The input crashed the decoder: it overflowed the stack, ran out of memory, or aborted.
    #[error("the input crashed the decoder: {0}")]
    Crashed(ExitStatus),
    /// The input made the decoder panic.
    #[error("the input made the decoder panic: {0}")]
    Panicked(String),
    /// The decoder was stopped because it took too long.
    #[error("the input kept the decoder busy for more than {0:?}")]
    TimedOut(Duration),
    /// The application's `main` does not begin with [`init`](crate::init).
    #[error("safe_decoder::init() must be the first line of `main`")]
    NotInitialised(#[source] StartError),
    /// The system refused a process for the decoder.
    #[error("cannot start the decoder")]
    NotStarted(#[source] StartError),
    /// What became of the decoder's work is not known.
    #[error("the decoder's work was lost")]
    Lost(#[source] JoinError),
}

/// Where the input is not in the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("at byte {offset} of the input there should be {expected}")]
#[non_exhaustive]
pub struct SyntaxError {
    /// How many bytes are before it.
    pub offset: usize,
    /// What should be there.
    pub expected: String,
}

impl From<StartError> for DecodeError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::NoGuard => Self::NotInitialised(error),
            _ => Self::NotStarted(error),
        }
    }
}

impl From<JoinError> for DecodeError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Ended { status, .. } => Self::Crashed(status),
            JoinError::Panicked { panic, .. } => Self::Panicked(panic.message),
            other => Self::Lost(other),
        }
    }
}
