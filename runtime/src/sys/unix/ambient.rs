//! What surrounds a process on every Unix: standard streams, terminal, directory, process group.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::descriptor::above_standard;
use super::signal;

/// The descriptor of a standard stream, if it is open.
pub(crate) fn standard(number: usize) -> Option<BorrowedFd<'static>> {
    let fd = RawFd::try_from(number).ok()?;
    // SAFETY: fcntl takes integers.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return None;
    }
    // SAFETY: open, and the standard streams are not closed behind the back of a running call in sound programs.
    Some(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Makes the three standard streams these; `None` closes one.
pub(crate) fn install_standard(streams: [Option<OwnedFd>; 3]) -> io::Result<()> {
    for (number, stream) in streams.into_iter().enumerate() {
        let target = RawFd::try_from(number).map_err(io::Error::other)?;
        match stream {
            Some(stream) if stream.as_raw_fd() == target => {
                // SAFETY: fcntl takes integers; the stream stays open over exec like any standard stream.
                unsafe { libc::fcntl(target, libc::F_SETFD, 0) };
                std::mem::forget(stream); // it is the standard stream now
            }
            Some(stream) => {
                // SAFETY: dup2 takes integers; what was at the target is closed, which is what a new stream means.
                if unsafe { libc::dup2(stream.as_raw_fd(), target) } < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            None => {
                // SAFETY: close takes an integer; an already closed stream is no harm.
                unsafe { libc::close(target) };
            }
        }
    }
    Ok(())
}

/// `/dev/null`, for reading and writing.
pub(crate) fn null_device() -> io::Result<OwnedFd> {
    above_standard(std::fs::File::options().read(true).write(true).open("/dev/null")?.into())
}

/// Whether a stream is a terminal.
pub(crate) fn is_terminal(stream: BorrowedFd<'_>) -> bool {
    std::io::IsTerminal::is_terminal(&stream)
}

/// Reading a terminal from a group in the background stops a process; with this it fails with `EIO` instead.
pub(crate) fn refuse_terminal_stops() {
    signal::set_ignored(libc::SIGTTIN, true);
}

/// Makes a directory the current one.
pub(crate) fn enter(directory: &OwnedFd) -> io::Result<()> {
    Ok(nix::unistd::fchdir(directory)?)
}

/// Puts this process into a group of its own, or into a session of its own.
pub(crate) fn separate(session: bool) {
    if session {
        // SAFETY: no arguments; it fails only for a leader of a group, which a new process is not.
        unsafe { libc::setsid() };
    } else {
        // SAFETY: integers; for the calling process this fails only for a session leader, which needs no group.
        unsafe { libc::setpgid(0, 0) };
    }
}
