//! The handle of another program.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::Mutex;
use std::time::Duration;

use super::command::CompletedProcess;
use super::communicate::Exchange;
use super::error::SubprocessError;
use crate::process::{Child, JoinError, ProcessHandle, Sentinel, Waitable};
use crate::sys::ExitStatus;

/// The handle of a program that was started: what [`Child`] is for a process class.
///
/// ```
/// use offspring::{Stdio, subprocess::Command};
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).start()?;
///     let done = cat.communicate(Some(b"meow"), None)?;
///     assert_eq!(done.stdout, b"meow");
///     assert!(done.status.success());
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Popen {
    child: Child<()>,
    program: OsString,
    exchange: Mutex<Option<Exchange>>,
}

impl Popen {
    pub(super) fn new(child: Child<()>, program: OsString) -> Self {
        Self { child, program, exchange: Mutex::new(None) }
    }

    /// The program, as it was given.
    #[must_use]
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// The name of the process: `Program-1`, or what the command was given.
    #[must_use]
    pub fn name(&self) -> &str {
        self.child.name()
    }

    /// The process id.
    #[must_use]
    #[doc(alias = "id")]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Whether the program still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.child.is_alive()
    }

    /// How the program ended; `None` while it runs.
    #[must_use]
    #[doc(alias = "poll")]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.child.exit_status()
    }

    /// How the program ended, as Python's `returncode` has it: its code, or `-N` after signal N; `None` while it runs.
    #[must_use]
    #[doc(alias = "returncode")]
    pub fn exitcode(&self) -> Option<i32> {
        self.child.exitcode()
    }

    /// Waits until the program has ended. One that writes into a pipe that nobody reads does not end: see
    /// [`communicate`](Self::communicate).
    ///
    /// # Errors
    /// When the system refuses to wait.
    #[doc(alias = "wait")]
    pub fn join(&self) -> Result<ExitStatus, JoinError> {
        self.child.wait()
    }

    /// Waits until the program has ended, but at most this long: `None` if it still runs.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub fn join_timeout(&self, timeout: Duration) -> Result<Option<ExitStatus>, JoinError> {
        self.child.wait_timeout(timeout)
    }

    /// Writes the input to the program's standard input and closes that, reads what it writes to the streams that are
    /// piped, all at once, and waits until it has ended.
    ///
    /// After a time-out the program still runs, nothing is lost, and the call can be repeated: with no input, as the first
    /// one is still being written.
    ///
    /// # Errors
    /// When it takes longer than `timeout`; what was read by then is in the error. When there is input, and standard
    /// input is not piped. A program that ends without reading its input is no error.
    pub fn communicate(
        &self,
        input: Option<&[u8]>,
        timeout: Option<Duration>,
    ) -> Result<CompletedProcess, SubprocessError> {
        let deadline = crate::sys::poller::deadline(timeout);
        let mut exchange = self.exchange.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let exchange = match &mut *exchange {
            Some(_) if input.is_some() => {
                return Err(SubprocessError::Conflict(
                    "the input of an earlier `communicate` is still being written",
                ));
            }
            Some(exchange) => exchange,
            none => {
                let stdin = self.child.stdin();
                if input.is_some() && stdin.is_none() {
                    return Err(SubprocessError::Conflict("there is input, but standard input is not piped"));
                }
                none.insert(Exchange::begin(stdin, input, self.child.stdout(), self.child.stderr())?)
            }
        };
        let drained = exchange.wait(deadline);
        let left = deadline.map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
        let status = match (drained, left) {
            (false, _) => None,
            (true, None) => Some(self.child.wait()?),
            (true, Some(left)) => self.child.wait_timeout(left)?,
        };
        match status {
            Some(status) => {
                let (stdout, stderr) = exchange.finish()?;
                Ok(CompletedProcess { status, stdout, stderr })
            }
            None => {
                let (stdout, stderr) = exchange.so_far();
                let timeout = timeout.unwrap_or(Duration::MAX);
                Err(SubprocessError::TimedOut { program: self.program.clone(), timeout, stdout, stderr })
            }
        }
    }

    /// Asks the program to stop, as Ctrl-C does: SIGINT. No error when it has ended.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn interrupt(&self) -> io::Result<()> {
        self.child.interrupt()
    }

    /// Tells the program to end: SIGTERM. No error when it has ended.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn terminate(&self) -> io::Result<()> {
        self.child.terminate()
    }

    /// Makes the program end: SIGKILL. No error when it has ended.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&self) -> io::Result<()> {
        self.child.kill()
    }

    /// Ends the program and everything that descends from it; see [`Child::terminate_tree`].
    ///
    /// # Errors
    /// When the system refuses.
    pub fn terminate_tree(&self, grace: Duration) -> Result<ExitStatus, JoinError> {
        self.child.terminate_tree(grace)
    }

    /// Makes a handle of the program that can be sent to other processes; see [`Child::handle`].
    ///
    /// # Errors
    /// When the system lacks descriptors.
    pub fn handle(&self) -> io::Result<ProcessHandle> {
        self.child.handle()
    }

    /// What becomes ready when the program ends.
    #[must_use]
    pub fn sentinel(&self) -> Sentinel<'_> {
        self.child.sentinel()
    }

    /// Takes the end to write to of the program's standard input, if that is piped.
    #[must_use]
    pub fn stdin(&self) -> Option<ChildStdin> {
        self.child.stdin()
    }

    /// Takes the end to read from of the program's standard output, if that is piped.
    #[must_use]
    pub fn stdout(&self) -> Option<ChildStdout> {
        self.child.stdout()
    }

    /// Takes the end to read from of the program's standard error, if that is piped.
    #[must_use]
    pub fn stderr(&self) -> Option<ChildStderr> {
        self.child.stderr()
    }
}

impl Waitable for Popen {
    fn sentinel(&self) -> Sentinel<'_> {
        self.sentinel()
    }
}
