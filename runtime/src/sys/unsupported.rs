//! What is said on a system whose back end cannot do it yet.

use std::io;

/// The error of everything that would make a process or shared memory, or a part of one.
pub(crate) fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "offspring cannot do this on this system yet")
}
