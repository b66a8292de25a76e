//! The time: a clock that is read often, and one that processes share.

use std::sync::OnceLock;
use std::time::Instant;

pub(crate) use crate::sys::ticks::coarse;

/// Nanoseconds of the monotonic clock: since the system began once processes start here (`QueryPerformanceCounter`), until then since this
/// was first called.
pub(crate) fn nanoseconds() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}
