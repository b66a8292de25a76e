//! Sleeping until a word of shared memory changes. `WaitOnAddress` sees threads of one process only, so whoever sleeps here
//! [looks](crate::sys::naps) at the word, at first often and then seldom: a wake-up comes up to a few milliseconds late.

use std::io;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use crate::sys::naps;

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The word may be another: look again.
    LookAgain,
    /// The deadline has passed.
    TimedOut,
}

/// Sleeps while the word has this value, or until the deadline.
#[allow(clippy::unnecessary_wraps)] // elsewhere it can fail
pub(crate) fn wait(word: &AtomicU32, value: u32, deadline: Option<Instant>) -> io::Result<Woken> {
    Ok(if naps::wait(word, value, deadline) { Woken::TimedOut } else { Woken::LookAgain })
}

/// Sleeps while the word has this value, or for so long.
pub(crate) fn wait_for(word: &AtomicU32, value: u32, time: Option<Duration>) -> io::Result<Woken> {
    wait(word, value, time.and_then(|time| Instant::now().checked_add(time)))
}

/// Wakes sleepers: they look for themselves, and are not counted.
pub(crate) fn wake(_word: &AtomicU32, _count: u32) -> usize {
    0
}
