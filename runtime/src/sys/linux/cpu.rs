//! Where this thread runs.

/// The number of the CPU that this thread runs on, and one (`sched_getcpu(3)`): a moment later it may be another. Zero where that
/// is not known.
#[inline]
pub(crate) fn current() -> u32 {
    // SAFETY: without arguments; it fails, by a number below zero, where the kernel does not tell.
    let number = unsafe { libc::sched_getcpu() };
    u32::try_from(number + 1).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thread_runs_on_one_of_the_cpus() {
        assert!(super::current() > 0);
    }
}
