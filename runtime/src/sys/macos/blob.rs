//! Bytes out of line, alive after their writer: in shared memory, which has no name by the time that it is written to, so that
//! nothing is left behind. The kernel does not see to it that nobody changes them: the reader copies before it looks.

use std::io;

use super::Object;
use crate::sys::agreed::{self as memory, Mapping};

/// Writes the bytes to a new blob.
pub(crate) fn write(parts: &[&[u8]]) -> io::Result<Object> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let object = memory::create(length as u64)?;
    let mapping = Mapping::new(&object, 0, length)?;
    let mut offset = 0;
    for part in parts {
        mapping.write(offset, part);
        offset += part.len();
    }
    Ok(object)
}

/// Reads all bytes of a blob.
pub(crate) fn read(object: &Object) -> io::Result<bytes::Bytes> {
    let length = usize::try_from(memory::length(object)?).map_err(|_| io::ErrorKind::OutOfMemory)?;
    Ok(memory::read_at(object, length, 0)?.into())
}
