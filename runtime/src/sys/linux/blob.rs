//! Bytes out of line: a sealed memory file (`memfd_create(2)`) that outlives its writer.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::{Object, above_standard};
use crate::sys::unix::signal::without_file_size_signal;

/// Writes the bytes to a new blob.
pub(crate) fn write(parts: &[&[u8]]) -> io::Result<Object> {
    let fd = memfd_create(c"offspring", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut file = File::from(above_standard(fd)?);
    without_file_size_signal(|| parts.iter().try_for_each(|part| file.write_all(part)))?;
    let seals =
        SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

/// Reads all bytes of a blob.
pub(crate) fn read(object: Object) -> io::Result<Vec<u8>> {
    let mut file = File::from(object);
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
