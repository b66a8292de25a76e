//! Moments until which somebody waits.

use std::time::{Duration, Instant};

/// A moment that may never come; timeouts too far away to be represented never come either.
pub(crate) fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}
