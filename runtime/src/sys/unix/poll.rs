//! Waiting for many descriptors in one call (`poll(2)`).

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

pub(crate) use crate::sys::deadline::deadline;

/// What can be waited for: a descriptor that becomes readable.
pub(crate) type Sentinel<'a> = BorrowedFd<'a>;

/// What becomes ready when an object can be read.
pub(crate) fn sentinel(object: &crate::sys::Object) -> Sentinel<'_> {
    std::os::fd::AsFd::as_fd(object)
}

/// Milliseconds until `deadline`, rounded up, clamped to what `poll` takes; -1 for never.
pub(crate) fn milliseconds(deadline: Option<Instant>) -> i32 {
    let Some(deadline) = deadline else { return -1 };
    let left = deadline.saturating_duration_since(Instant::now());
    i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
}

/// Waits until at least one of the sentinels is ready, or the deadline: which are ready.
pub(crate) fn wait(sentinels: &[Sentinel<'_>], deadline: Option<Instant>) -> io::Result<Vec<bool>> {
    let mut fds: Vec<PollFd<'_>> =
        sentinels.iter().map(|sentinel| PollFd::new(*sentinel, PollFlags::POLLIN)).collect();
    loop {
        let timeout = milliseconds(deadline);
        match poll(&mut fds, PollTimeout::try_from(timeout).unwrap_or(PollTimeout::NONE)) {
            // A clamped or early time-out is not the end: only the deadline is.
            Ok(0) if deadline.is_none_or(|deadline| Instant::now() < deadline) => {}
            Err(Errno::EINTR) => {}
            Ok(_) => return Ok(fds.iter().map(|fd| fd.any().unwrap_or(true)).collect()),
            Err(errno) => return Err(errno.into()),
        }
    }
}
