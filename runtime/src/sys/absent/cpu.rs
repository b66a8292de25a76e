//! Where this thread runs: to be `GetCurrentProcessorNumber` on Windows and `sched_getcpu(3)` on FreeBSD; macOS does not tell.

/// The number of the CPU that this thread runs on, and one; zero where that is not known.
pub(crate) fn current() -> u32 {
    0
}
