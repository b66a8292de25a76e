//! Sleeping until a word of shared memory changes: to be `os_sync_wait_on_address(2)` with
//! `OS_SYNC_WAIT_ON_ADDRESS_SHARED` on macOS, and `_umtx_op(2)` on FreeBSD. `WaitOnAddress` of Windows sees threads of one
//! process: there a semaphore is to travel along with the memory.

use std::io;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use crate::sys::unsupported::unsupported;

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(dead_code, reason = "nobody sleeps yet")]
pub(crate) enum Woken {
    /// Somebody woke this thread, or the word was another already, or a signal came: look again.
    LookAgain,
    /// The deadline has passed.
    TimedOut,
}

/// Sleeps while the word has this value, until somebody wakes the sleepers, or the deadline.
pub(crate) fn wait(_word: &AtomicU32, _value: u32, _deadline: Option<Instant>) -> io::Result<Woken> {
    Err(unsupported())
}

/// Sleeps while the word has this value, until somebody wakes the sleepers, or for so long.
pub(crate) fn wait_for(_word: &AtomicU32, _value: u32, _time: Option<Duration>) -> io::Result<Woken> {
    Err(unsupported())
}

/// Wakes sleepers, at most this many: how many were woken. Nobody sleeps yet.
pub(crate) fn wake(_word: &AtomicU32, _count: u32) -> usize {
    0
}
