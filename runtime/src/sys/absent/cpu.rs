//! Where this thread runs, and how nice this process is: to be `GetCurrentProcessorNumber` on Windows and `sched_getcpu(3)` on FreeBSD; macOS does not tell.

use std::io;

use crate::sys::unsupported::unsupported;

/// The number of the CPU that this thread runs on, and one; zero where that is not known.
pub(crate) fn current() -> u32 {
    0
}

/// The CPUs that this thread may run on.
pub(crate) fn usable() -> io::Result<Vec<usize>> {
    Err(unsupported())
}

/// Lets this thread run on one CPU alone.
pub(crate) fn pin(_cpu: usize) -> io::Result<()> {
    Err(unsupported())
}

/// Makes this process nicer to others.
pub(crate) fn add_niceness(_more: i32) -> io::Result<()> {
    Err(unsupported())
}
