//! Where this thread runs, and how nice this process is.

use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The number of the CPU that this thread runs on, and one (`sched_getcpu(3)`): a moment later it may be another. Zero where that
/// is not known.
#[inline]
pub(crate) fn current() -> u32 {
    // SAFETY: without arguments; it fails, by a number below zero, where the kernel does not tell.
    let number = unsafe { libc::sched_getcpu() };
    u32::try_from(number + 1).unwrap_or(0)
}

/// The CPUs that this thread may run on (`sched_getaffinity(2)`), by their numbers from 0.
pub(crate) fn usable() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|cpu| set.is_set(*cpu) == Ok(true)).collect())
}

/// Lets this thread, and those that it starts, run on one CPU alone (`sched_setaffinity(2)`).
pub(crate) fn pin(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Makes this process nicer to others, or less so (`nice(2)`).
pub(crate) fn add_niceness(more: i32) -> io::Result<()> {
    // SAFETY: getpriority and setpriority take integers; 0 is the calling process.
    let now = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    // SAFETY: as above.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, now.saturating_add(more)) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thread_runs_on_one_of_the_cpus() {
        assert!(super::current() > 0);
    }
}
