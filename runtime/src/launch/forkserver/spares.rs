//! How many processes the forkserver keeps ready.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many spares are kept ready; `usize::MAX` until it is known.
static SPARES: AtomicUsize = AtomicUsize::new(usize::MAX);

/// How many spares are kept ready unless the program or `OFFSPRING_SPARES` says otherwise.
const DEFAULT_SPARES: usize = 0;
/// More than this many are never kept.
const MOST_SPARES: usize = 64;

/// Keeps `count` processes of the forkserver ready, at most 64, so that a start only has to hand over the order.
///
/// A spare costs two descriptors here and some 100 KiB of memory, mostly the kernel's; it uses no processor time. It is
/// made while this process waits for a child, or when a start has used the last, and ends with this process. The environment variable `OFFSPRING_SPARES` sets the
/// number from outside. Has no effect on other start methods.
pub fn set_spares(count: usize) {
    SPARES.store(count.min(MOST_SPARES), Ordering::Relaxed);
}

/// How many spares are wanted.
pub(super) fn wanted() -> usize {
    match SPARES.load(Ordering::Relaxed) {
        usize::MAX => {
            let wished = std::env::var("OFFSPRING_SPARES").ok().and_then(|count| count.parse().ok());
            set_spares(wished.unwrap_or(DEFAULT_SPARES));
            SPARES.load(Ordering::Relaxed)
        }
        known => known,
    }
}
