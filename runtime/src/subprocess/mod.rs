//! Other programs as children, members of the same tree as process classes.
//!
//! What Python's `subprocess` has, over [`std::process::Command`]: a program is started as a process of this library, which then
//! becomes the program. So it is made as cheaply from a process with a large heap as from a small one, it dies when its parent
//! dies, however that dies (unless [detached](Command::detached)), it can be waited for together with process classes, and
//! [`terminate_tree`](Popen::terminate_tree) takes its descendants along. What it leaves running in its process group lives no
//! longer than this process either.
//!
//! ```
//! use offspring::subprocess;
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let listing = subprocess::check_output(["echo", "hello"])?;
//!     assert_eq!(listing, b"hello\n");
//!
//!     let sorted = subprocess::Command::new("sort").input("b\na\n").capture_output().run()?;
//!     assert_eq!(sorted.stdout, b"a\nb\n");
//!
//!     assert_eq!(subprocess::call(["sh", "-c", "exit 3"])?.exitcode(), 3);
//!     Ok(())
//! }
//! ```

mod command;
mod communicate;
mod error;
mod popen;
mod program;

use std::ffi::OsStr;

pub use command::{Command, CompletedProcess};
pub use error::SubprocessError;
pub use popen::Popen;

use crate::sys::ExitStatus;

/// Runs a program, given with its arguments, and waits for it: how it ended.
///
/// # Errors
/// When it cannot be started. Ending with another code than 0 is no error.
pub fn call<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<ExitStatus, SubprocessError> {
    Ok(Command::from_arguments(arguments).run()?.status)
}

/// Runs a program, given with its arguments, and waits for it.
///
/// # Errors
/// When it cannot be started, or ends with anything but code 0.
pub fn check_call<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<(), SubprocessError> {
    Command::from_arguments(arguments).check().run().map(drop)
}

/// Runs a program, given with its arguments, and returns what it writes to standard output.
///
/// # Errors
/// When it cannot be started, or ends with anything but code 0; what it wrote is in the error.
pub fn check_output<S: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = S>,
) -> Result<Vec<u8>, SubprocessError> {
    let mut command = Command::from_arguments(arguments).check();
    command = command.stdout(crate::Stdio::piped());
    Ok(command.run()?.stdout)
}

/// Runs a program, given with its arguments, and waits for it. [`Command::run`] has the options.
///
/// # Errors
/// When it cannot be started. Ending with another code than 0 is no error.
pub fn run<S: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = S>,
) -> Result<CompletedProcess, SubprocessError> {
    Command::from_arguments(arguments).run()
}
