//! Waiting for many things at once: to be `WaitForMultipleObjects`, in groups of 64 for more; for the watcher see the stand-in.

use std::io;
use std::os::windows::io::BorrowedHandle;
use std::time::Instant;

use super::{Object, borrow};
pub(crate) use crate::sys::absent::poller::{Bundle, Poller};
pub(crate) use crate::sys::deadline::deadline;
use crate::sys::unsupported::unsupported;

/// What can be waited for: a handle that becomes signalled.
pub(crate) type Sentinel<'a> = BorrowedHandle<'a>;

/// What becomes ready when an object does.
pub(crate) fn sentinel(object: &Object) -> Sentinel<'_> {
    borrow(object)
}

/// Waits until at least one of the sentinels is ready, or the deadline: which are ready.
///
/// A wait for nothing is a sleep. There is nothing else to wait for yet.
pub(crate) fn wait(sentinels: &[Sentinel<'_>], deadline: Option<Instant>) -> io::Result<Vec<bool>> {
    match (sentinels, deadline) {
        ([], Some(deadline)) => {
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
            Ok(Vec::new())
        }
        _ => Err(unsupported()),
    }
}
