//! The raw fork, and the fork of the start method of that name.

use std::io;

use super::process::{Handle, end_by_number, threads};
pub use crate::sys::unix::fork::{Fork, fork, waitpid};
pub(crate) use crate::sys::unix::fork::{SUPPORTED, enter, generation, on_fork_in_child};

/// A fork for the start method of that name: refused unless the calling thread is the only one, save `ours` threads
/// of this library, which hold no lock outside of the gate.
///
/// Returns the process in the parent, and nothing in the child.
pub(crate) fn fork_alone(ours: usize) -> io::Result<Result<Option<Handle>, usize>> {
    let Some(threads) = threads() else {
        return Err(io::Error::other("the threads of this process cannot be counted on this system"));
    };
    let threads = threads.saturating_sub(ours);
    if threads > 1 {
        return Ok(Err(threads));
    }
    // SAFETY: there is no other thread of the user's, and the gate keeps ours out of every lock meanwhile.
    match unsafe { fork() }? {
        Fork::Parent(pid) => Ok(Ok(Some(Handle::open(pid).inspect_err(|_| end_by_number(pid))?))),
        Fork::Child => Ok(Ok(None)),
    }
}
