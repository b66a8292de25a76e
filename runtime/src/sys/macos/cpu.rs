//! Where this thread runs, which macOS does not tell, and how nice this process is.

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

/// Makes this process nicer to others, or less so (`setpriority(2)`).
pub(crate) fn add_niceness(more: i32) -> io::Result<()> {
    // SAFETY: getpriority and setpriority take integers; 0 is the calling process.
    let now = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    // SAFETY: as above.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, now.saturating_add(more)) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
