//! What can go wrong with another program.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use crate::launch::StartError;
use crate::process::JoinError;
use crate::sys::ExitStatus;

/// What can go wrong with another program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubprocessError {
    /// The list of arguments is empty: its first is the program.
    #[error("no program: the first of the arguments names it")]
    NoProgram,
    /// Both a standard stream and what is to happen with it were given.
    #[error("{0}")]
    Conflict(&'static str),
    /// The process could not be made.
    #[error("cannot start `{}`", program.to_string_lossy())]
    Start {
        /// The program.
        program: OsString,
        /// Why not.
        source: Box<StartError>,
    },
    /// The process could not become the program: it does not exist, or may not be executed.
    #[error("cannot execute `{}`", program.to_string_lossy())]
    Execute {
        /// The program.
        program: OsString,
        /// What the system says.
        source: io::Error,
    },
    /// The program did not end in time. What [`run`](super::Command::run) started has been ended, with its descendants;
    /// after [`communicate`](super::Popen::communicate) it still runs.
    #[error("`{}` did not end within {timeout:?}", program.to_string_lossy())]
    #[non_exhaustive]
    TimedOut {
        /// The program.
        program: OsString,
        /// How long it had.
        timeout: Duration,
        /// What it had written to standard output, if that was captured.
        stdout: Vec<u8>,
        /// What it had written to standard error, if that was captured.
        stderr: Vec<u8>,
    },
    /// The program ended with anything but code 0, and [`check`](super::Command::check) was asked for.
    #[error("`{}` ended with {status}", program.to_string_lossy())]
    #[non_exhaustive]
    Failed {
        /// The program.
        program: OsString,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to standard output, if that was captured.
        stdout: Vec<u8>,
        /// What it wrote to standard error, if that was captured.
        stderr: Vec<u8>,
    },
    /// The system refused to wait.
    #[error(transparent)]
    Wait(#[from] JoinError),
    /// The system refused to read, to write or to signal.
    #[error(transparent)]
    Io(#[from] io::Error),
}
