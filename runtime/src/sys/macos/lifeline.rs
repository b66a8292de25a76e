//! A process dies when its parent does, however that died: to be a thread, with all signals blocked and a small
//! stack, that sleeps until the pipe from the parent is at its end, and then ends the process by SIGKILL. macOS has
//! neither a parent-death signal nor `F_SETSIG`. Over an exec the thread is lost: there a small process of the same
//! group keeps watch.

use std::io;
use std::sync::Arc;

use super::Object;
use crate::sys::unsupported::unsupported;

/// What a child of this process is given, to [`arm`] it.
pub(crate) fn end() -> io::Result<Arc<Object>> {
    Err(unsupported())
}

/// In a copy of this process: its children are the original's.
pub(crate) fn forget() {}

/// From now on this process, with the group that it leads, is killed when its parent is gone.
pub(crate) fn arm(_end: &Object, _group: bool) -> io::Result<()> {
    Err(unsupported())
}

/// Lets the lifeline live on in the program that this process is about to become.
pub(crate) fn keep_over_exec() -> io::Result<()> {
    Err(unsupported())
}
