//! A clock that is read often and need not be exact, where the system has none that is cheaper for it.

use std::sync::OnceLock;
use std::time::Instant;

/// Milliseconds of the monotonic clock since this was first called, and one.
pub(crate) fn coarse() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}
