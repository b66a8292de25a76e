//! Bytes out of line, alive after their writer: to be a section without a name (`CreateFileMappingW` over the paging
//! file), whose handle travels with the message and whose first word is the length of what follows.

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
