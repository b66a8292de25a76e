//! Why a process could not be started, and the panic that one came back with.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sys::ExitStatus;

/// Why a process could not be started. No process is left behind, and the value is still the caller's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// `main` has no guard, so a child would run `main` again.
    #[error(
        "offspring::init() has not run in this program: put #[offspring::main] on `fn main` (or call \
         offspring::init() as its first line), and #[offspring::test] in place of #[test] on tests that start processes"
    )]
    NoGuard,
    /// Processes started processes too deeply.
    #[error(
        "process `{name}` would be nested {depth} deep, the limit is {limit}: if this is no runaway recursion, \
         raise it with OFFSPRING_MAX_DEPTH"
    )]
    TooDeep {
        /// The process that was not started.
        name: String,
        /// How deep it would have been.
        depth: u32,
        /// The limit: 16, or what `OFFSPRING_MAX_DEPTH` says.
        limit: u32,
    },
    /// Two classes have one key, so a child could not tell which is meant.
    #[error(
        "two process classes have the key `{key}`: one at {first}, one at {second}; tell them apart with \
         #[process(name = \"…\")]"
    )]
    DuplicateClass {
        /// The key.
        key: String,
        /// Where the first is defined.
        first: String,
        /// Where the second is defined.
        second: String,
    },
    /// The function is not part of this program's own image, so no other process could find it.
    #[error("the function lies in a plug-in and not in this program: make it a process class")]
    ForeignFunction,
    /// `fork` was asked for, and other threads run.
    #[error(
        "fork is refused: {threads} threads run in this process, and a copy would have only one of them while \
         locks of the others stay locked; use forkserver or spawn"
    )]
    ForkWithThreads {
        /// How many threads run.
        threads: usize,
    },
    /// This system does not have the start method.
    #[error("start method {0} does not exist on this system")]
    UnsupportedMethod(super::StartMethod),
    /// The value could not be encoded.
    #[error("cannot encode the arguments of process `{name}`: {reason}")]
    Encode {
        /// The process that was not started.
        name: String,
        /// What serde says.
        reason: String,
    },
    /// The directory cannot be entered.
    #[error("cannot start in directory `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A name or a variable cannot be given to a process.
    #[error("{0}")]
    Invalid(String),
    /// The forkserver died again and again while it was asked.
    #[error("the forkserver ended {attempts} times while a process was being started")]
    ForkServer {
        /// How often.
        attempts: u32,
    },
    /// The forkserver did not come up. (A spawned process that does not is found out when it is joined.)
    #[error("the forkserver did not come up: {0}")]
    Boot(BootError),
    /// The process is ending: its exit hooks have run, and its children are being waited for.
    #[error("this process is ending, and starts no others")]
    Ending,
    /// There is no back end for this system yet.
    #[error("offspring cannot start processes on this system yet")]
    UnsupportedSystem,
    /// The system refused: too many processes, too many descriptors, too little memory.
    #[error("the system refused to {what}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

impl StartError {
    /// Names what was attempted when the system refused.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::Unsupported => Self::UnsupportedSystem,
            _ => Self::System { what, source },
        }
    }
}

/// How long a process that was executed may take to reach the guard: 30 s, or the seconds in
/// `OFFSPRING_BOOT_TIMEOUT`.
pub(crate) fn boot_timeout() -> Duration {
    static TIMEOUT: OnceLock<Duration> = OnceLock::new();
    *TIMEOUT.get_or_init(|| {
        let seconds = std::env::var("OFFSPRING_BOOT_TIMEOUT").ok().and_then(|seconds| seconds.parse().ok());
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or(Duration::from_secs(30))
    })
}

/// Why a process did not come as far as its `run`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// It ended before the guard: in a constructor, or in what stands before the guard in `main`.
    #[error("it ended with {0} before offspring::init()")]
    Ended(ExitStatus),
    /// It did not reach the guard: `main` has it on a path that this process did not take. It was killed.
    #[error("it did not call offspring::init() within {0:?}: does every path through main begin with it?")]
    TimedOut(Duration),
    /// The program's file was replaced by another build.
    #[error("it is another build of the program")]
    OtherBuild,
    /// The child does not know the class.
    #[error("it does not know the class `{0}`: is its crate linked? (`use the_crate as _;` links it)")]
    UnknownClass(String),
    /// The process could not take on its surroundings.
    #[error("it could not be set up: {0}")]
    Setup(String),
}

/// A panic in a child, as it comes back: whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Panic {
    /// What was given to `panic!`, if it was text.
    pub message: String,
    /// The source file, line and column.
    pub location: Option<Location>,
    /// The thread of the child that panicked, if it has a name.
    pub thread: Option<String>,
    /// The backtrace, unless `RUST_BACKTRACE=0` or `RUST_LIB_BACKTRACE=0` forbids it.
    pub backtrace: Option<String>,
}

/// Where in the source something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Location {
    /// The file, as the compiler saw it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        match &self.location {
            Some(location) => write!(f, " at {location}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
