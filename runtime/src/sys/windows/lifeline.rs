//! A process dies when its parent does, however that died: to be a Job object of the parent with
//! `JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE`, whose only handle the parent holds, so that the system closes it with the
//! parent. The child has nothing to arm then, and a program that it starts is in the Job as well.

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
