//! Why a child gave no output.

use std::io;

use crate::launch::{BootError, Failure, Panic};
use crate::sys::ExitStatus;

/// Why a child gave no output: what [`Child::join`](crate::Child::join) fails with.
///
/// ```
/// use offspring::JoinError;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     fn boom() {
///         panic!("out of cheese");
///     }
///     let child = offspring::spawn(boom, ())?;
///     match child.join() {
///         Err(JoinError::Panicked { panic, .. }) => {
///             assert_eq!(panic.message, "out of cheese");
///             assert!(panic.location.unwrap().line > 0);
///             assert!(panic.backtrace.is_some());
///         }
///         other => panic!("{other:?}"),
///     }
///     assert_eq!(child.exitcode(), Some(101));
///     Ok(())
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// `run` panicked.
    #[error("process `{name}` (pid {pid}) panicked: {panic}")]
    #[non_exhaustive]
    Panicked {
        /// The name of the process.
        name: String,
        /// Its process id.
        pid: u32,
        /// Message, location and backtrace.
        panic: Box<Panic>,
        /// How the process ended after it: with code 101, or aborted.
        status: ExitStatus,
    },
    /// The process ended before `run` returned: it called `exit`, or a signal ended it.
    #[error("process `{name}` (pid {pid}) ended without a result: {status}")]
    #[non_exhaustive]
    Ended {
        /// The name of the process.
        name: String,
        /// Its process id.
        pid: u32,
        /// How it ended.
        status: ExitStatus,
    },
    /// The process did not come as far as its `run`.
    #[error("process `{name}` (pid {pid}) did not begin: {reason}")]
    #[non_exhaustive]
    Boot {
        /// The name of the process.
        name: String,
        /// Its process id.
        pid: u32,
        /// What was in its way.
        reason: BootError,
    },
    /// The value that was started could not be decoded in the child.
    #[error("process `{name}` (pid {pid}) could not decode its arguments: {reason}")]
    #[non_exhaustive]
    Argument {
        /// The name of the process.
        name: String,
        /// Its process id.
        pid: u32,
        /// What serde says.
        reason: String,
    },
    /// The output could not be encoded, handed over or decoded.
    #[error("the output of process `{name}` (pid {pid}) was lost: {reason}")]
    #[non_exhaustive]
    Output {
        /// The name of the process.
        name: String,
        /// Its process id.
        pid: u32,
        /// What went wrong.
        reason: String,
    },
    /// The output has been taken by an earlier join.
    #[error("the output of process `{name}` (pid {pid}) has been taken by an earlier join")]
    #[non_exhaustive]
    AlreadyJoined {
        /// The name of the process.
        name: String,
        /// Its process id.
        pid: u32,
    },
    /// This process is a copy, made by `fork`, of the one that started the child.
    #[error("process `{name}` (pid {pid}) is not a child of this process, but of the one it was forked from")]
    #[non_exhaustive]
    NotAChild {
        /// The name of the process.
        name: String,
        /// Its process id.
        pid: u32,
    },
    /// The system refused to wait.
    #[error("cannot wait for process `{name}` (pid {pid})")]
    #[non_exhaustive]
    Wait {
        /// The name of the process.
        name: String,
        /// Its process id.
        pid: u32,
        /// What the system says.
        source: io::Error,
    },
}

impl JoinError {
    /// Puts a failure that the child reported into words.
    pub(crate) fn of_failure(name: String, pid: u32, failure: Failure, status: ExitStatus) -> Self {
        let boot = |name, reason| Self::Boot { name, pid, reason };
        match failure {
            Failure::Panicked(panic) => Self::Panicked { name, pid, panic: Box::new(panic), status },
            Failure::Argument(reason) => Self::Argument { name, pid, reason },
            Failure::Output(reason) => Self::Output { name, pid, reason },
            Failure::UnknownClass(key) => boot(name, BootError::UnknownClass(key)),
            Failure::OtherBuild => boot(name, BootError::OtherBuild),
            Failure::Setup(reason) => boot(name, BootError::Setup(reason)),
        }
    }
}
