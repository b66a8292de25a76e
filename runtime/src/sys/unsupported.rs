//! What a start says on a system whose back end cannot start processes yet.

use std::io;

/// The error of everything that would make a process, or a part of one.
pub(crate) fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "offspring cannot start processes on this system yet")
}
