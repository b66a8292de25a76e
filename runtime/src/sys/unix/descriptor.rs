//! Where descriptors lie.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Moves a descriptor out of 0 to 2, where it lands in a program that closed its standard streams: there it would be
/// taken for one, by this program and by its children.
pub(crate) fn above_standard(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    // SAFETY: fcntl takes integers.
    let moved = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) };
    if moved < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}
