//! The raw fork and its waits, under the names that they have on Unix: Windows has none.

use std::io;

use super::process::Handle;
use crate::sys::ExitStatus;

/// Whether this system has fork.
pub(crate) const SUPPORTED: bool = false;

/// Which side of a [`fork`](fork) this is: the call returns twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// In the parent: the process id of the new child.
    Parent(u32),
    /// In the child.
    Child,
}

fn no_fork() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "Windows has no fork: use a process class")
}

/// `fork(2)`: unsupported on Windows. Use a process class.
///
/// # Errors
/// Always: [`Unsupported`](io::ErrorKind::Unsupported).
///
/// # Safety
/// It does nothing. On Unix, in a program with other threads, the child may only call async-signal-safe functions.
pub unsafe fn fork() -> io::Result<Fork> {
    Err(no_fork())
}

/// `waitpid(2)`: unsupported on Windows, where [`fork`] makes no children.
///
/// # Errors
/// Always: [`Unsupported`](io::ErrorKind::Unsupported).
pub fn waitpid(_pid: u32, _block: bool) -> io::Result<Option<ExitStatus>> {
    Err(no_fork())
}

/// A section that no fork interrupts: any.
#[derive(Debug)]
pub(crate) struct Section;

/// Enters a section that no fork interrupts.
pub(crate) fn enter() -> Section {
    Section
}

/// A number that is another after each fork, which there is none of.
pub(crate) fn generation() -> u64 {
    0
}

/// Makes every later fork leave the copy without our children: none comes.
pub(crate) fn on_fork_in_child(_forget: fn()) {}

/// A fork for the start method of that name.
pub(crate) fn fork_alone(_ours: usize) -> io::Result<Result<Option<Handle>, usize>> {
    Err(no_fork())
}
