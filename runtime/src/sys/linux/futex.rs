//! Sleeping until a word of shared memory changes (`futex(2)`, between processes).

use std::io;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use nix::errno::Errno;

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Somebody woke this thread, or the word was another already, or a signal came: look again.
    LookAgain,
    /// The deadline has passed.
    TimedOut,
}

/// Sleeps while the word has this value, until somebody wakes the sleepers, or the deadline.
pub(crate) fn wait(word: &AtomicU32, value: u32, deadline: Option<Instant>) -> io::Result<Woken> {
    match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
        Some(left) if left.is_zero() => Ok(Woken::TimedOut),
        left => wait_for(word, value, left),
    }
}

/// Sleeps while the word has this value, until somebody wakes the sleepers, or for so long.
pub(crate) fn wait_for(word: &AtomicU32, value: u32, time: Option<Duration>) -> io::Result<Woken> {
    let timeout = time.map(|left| libc::timespec {
        tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: left.subsec_nanos() as _,
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the word is valid for the call, the timeout is null or valid; the kernel only reads both.
    let result = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, value, timeout) };
    if result == 0 {
        return Ok(Woken::LookAgain);
    }
    match Errno::last() {
        Errno::EAGAIN | Errno::EINTR => Ok(Woken::LookAgain),
        Errno::ETIMEDOUT => Ok(Woken::TimedOut),
        errno => Err(errno.into()),
    }
}

/// Wakes sleepers, at most this many: how many were woken.
pub(crate) fn wake(word: &AtomicU32, count: u32) -> usize {
    let count = libc::c_int::try_from(count).unwrap_or(libc::c_int::MAX);
    // SAFETY: the kernel only looks who sleeps at the address, which is valid.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
    usize::try_from(woken).unwrap_or(0)
}
