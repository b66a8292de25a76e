//! Bytes out of line, alive after their writer: to be a shared memory object (`shm_open(2)`) that is unlinked before
//! it is written to, so that nothing is left behind. Without seals the reader copies before it looks.

use std::io;

use super::Object;
use crate::sys::unsupported::unsupported;

/// Writes the bytes to a new blob.
pub(crate) fn write(_parts: &[&[u8]]) -> io::Result<Object> {
    Err(unsupported())
}

/// Reads all bytes of a blob.
pub(crate) fn read(_object: &Object) -> io::Result<bytes::Bytes> {
    Err(unsupported())
}
