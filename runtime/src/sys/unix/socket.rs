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
    // Asked for by name: Apple's systems look for nothing where nothing is asked for.
    wait_for(socket, PollFlags::POLLHUP, Some(Instant::now()))
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

/// Has no signal sent to those who write to a socket whose peer is gone, where a call cannot say so itself.
#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "dragonfly"))]
pub(crate) fn without_signal(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    #[allow(clippy::cast_possible_truncation)] // four
    let length = size_of_val(&on) as libc::socklen_t;
    let place = (&raw const on).cast();
    let raw = std::os::fd::AsRawFd::as_raw_fd(&socket);
    // SAFETY: the option takes an int, which is valid for reading.
    let result = unsafe { libc::setsockopt(raw, libc::SOL_SOCKET, libc::SO_NOSIGPIPE, place, length) };
    // A socket whose peer is gone already may refuse: `MSG_NOSIGNAL` says the same.
    match Errno::result(result) {
        Ok(_) | Err(Errno::EINVAL) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Has no signal sent to those who write to a socket whose peer is gone: each call says so here.
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "dragonfly"
)))]
#[allow(dead_code, clippy::unnecessary_wraps)] // as elsewhere
pub(crate) fn without_signal(_socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(())
}
