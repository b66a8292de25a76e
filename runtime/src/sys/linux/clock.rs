//! The time: a clock that is read often and need not be exact, and one that is.

pub(crate) use crate::sys::unix::clock::nanoseconds;

/// Milliseconds of the coarse monotonic clock, which moves every few of them (`clock_gettime(2)`).
pub(crate) fn coarse() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is valid for writing a time.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    debug_assert_eq!(result, 0, "every kernel has this clock");
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}
