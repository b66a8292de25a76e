//! How a process ended.

use std::fmt;

/// How a process ended: by a code of its own, or by a signal.
///
/// ```
/// use offspring::ExitStatus;
///
/// let killed = ExitStatus::Signaled { signal: 9, core_dumped: false };
/// assert_eq!(killed.exitcode(), -9);
/// assert_eq!(killed.to_string(), "signal 9 (SIGKILL)");
/// assert!(ExitStatus::Exited(0).success());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExitStatus {
    /// It exited with this code: 0 after `run` returned, 101 after a panic, else what it gave to
    /// [`std::process::exit`], of which Unix keeps the low eight bits.
    Exited(i32),
    /// A signal ended it.
    Signaled {
        /// The number of the signal.
        signal: i32,
        /// Whether the system wrote a core dump.
        core_dumped: bool,
    },
    /// It ended, but somebody else took the status: a `waitpid(-1)` elsewhere in the program, or an ignored
    /// `SIGCHLD` on a kernel that does not keep it. Also when a parent ended before it told others
    /// ([`ProcessHandle`](crate::ProcessHandle#the-exit-status)).
    Lost,
}

impl ExitStatus {
    /// Whether the process exited with code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }

    /// The status as one number, as Python's `exitcode` has it: the code, or `-N` after signal N.
    ///
    /// A lost status gives 255, as the forkserver of Python does.
    #[must_use]
    pub fn exitcode(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled { signal, .. } => -signal,
            Self::Lost => 255,
        }
    }

    /// The code, when the process exited with one.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(code),
            _ => None,
        }
    }

    /// The signal, when one ended the process.
    #[must_use]
    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Signaled { signal, .. } => Some(signal),
            _ => None,
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signaled { signal, core_dumped } => {
                write!(f, "signal {signal}")?;
                if let Some(name) = super::platform::process::signal_name(signal) {
                    write!(f, " ({name})")?;
                }
                if core_dumped { write!(f, ", core dumped") } else { Ok(()) }
            }
            Self::Lost => write!(f, "a status that somebody else took"),
        }
    }
}
