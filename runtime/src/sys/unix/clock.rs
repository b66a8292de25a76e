//! The time by a clock that all processes of the machine share.

/// Nanoseconds of the monotonic clock, which is the same in all processes (`clock_gettime(2)`).
pub(crate) fn nanoseconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is valid for writing a time.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    debug_assert_eq!(result, 0, "every system has this clock");
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
