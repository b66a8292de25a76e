//! Bytes out of line: a sealed memory file (`memfd_create(2)`) that outlives its writer.

use std::fs::File;
use std::io::{self, Write};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::memory::{self, Mapping};
use super::{Object, above_standard};
use crate::sys::unix::signal::without_file_size_signal;

/// What makes the bytes of a blob as good as a reader's own: nobody can change them any more.
const SEALS: SealFlag = SealFlag::F_SEAL_SHRINK
    .union(SealFlag::F_SEAL_GROW)
    .union(SealFlag::F_SEAL_WRITE)
    .union(SealFlag::F_SEAL_SEAL);

/// Writes the bytes to a new blob.
pub(crate) fn write(parts: &[&[u8]]) -> io::Result<Object> {
    let fd = memfd_create(c"offspring", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut file = File::from(above_standard(fd)?);
    without_file_size_signal(|| parts.iter().try_for_each(|part| file.write_all(part)))?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(SEALS))?;
    Ok(file.into())
}

/// All bytes of a blob, where they lie. Its pages go when the last holder of a part of them does.
pub(crate) fn read(object: &Object) -> io::Result<bytes::Bytes> {
    let seals = fcntl(object, FcntlArg::F_GET_SEALS)?;
    if !SealFlag::from_bits_truncate(seals).contains(SEALS) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a blob is not sealed: its bytes could change",
        ));
    }
    let length = usize::try_from(memory::length(object)?).map_err(|_| io::ErrorKind::OutOfMemory)?;
    Ok(bytes::Bytes::from_owner(Mapping::read_only(object, length)?))
}
