//! The raw fork, which works, and the fork of the start method of that name, which is to count threads with
//! `proc_pidinfo(PROC_PIDTASKINFO)` and to hold the copy by a [`Handle`].

use std::io;

use super::process::Handle;
pub use crate::sys::unix::fork::{Fork, fork, waitpid};
pub(crate) use crate::sys::unix::fork::{SUPPORTED, enter, generation, on_fork_in_child};
use crate::sys::unsupported::unsupported;

/// A fork for the start method of that name: refused unless the calling thread is the only one, save `ours` threads
/// of this library. No copy is made that could not be held.
pub(crate) fn fork_alone(_ours: usize) -> io::Result<Result<Option<Handle>, usize>> {
    Err(unsupported())
}
