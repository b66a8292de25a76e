//! What a socket is ready for (`poll(2)`).

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::poll::milliseconds;

/// Waits until a socket can be written to or its peer is gone, or the deadline: whether it has not passed.
pub(crate) fn wait_writable(socket: BorrowedFd<'_>, deadline: Option<Instant>) -> io::Result<bool> {
    wait_for(socket, PollFlags::POLLOUT, deadline)
}

/// Whether the peer of a socket is gone.
pub(crate) fn is_hung_up(socket: BorrowedFd<'_>) -> io::Result<bool> {
    wait_for(socket, PollFlags::empty(), Some(Instant::now()))
}

fn wait_for(socket: BorrowedFd<'_>, events: PollFlags, deadline: Option<Instant>) -> io::Result<bool> {
    let mut fds = [PollFd::new(socket, events)];
    loop {
        let timeout = milliseconds(deadline);
        match poll(&mut fds, PollTimeout::try_from(timeout).unwrap_or(PollTimeout::NONE)) {
            Ok(0) if deadline.is_none_or(|deadline| Instant::now() < deadline) => {}
            Err(Errno::EINTR) => {}
            Ok(count) => return Ok(count > 0),
            Err(errno) => return Err(errno.into()),
        }
    }
}
