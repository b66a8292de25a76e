//! Bytes out of line: a sealed memory file (`memfd_create(2)`) that outlives its writer.

use std::fs::File;
use std::io::{self, Write};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::memory::Mapping;
use super::{Object, above_standard};
use crate::sys::unix::signal::without_file_size_signal;

/// What makes the bytes of a blob as good as a reader's own: nobody can change them any more.
const SEALS: SealFlag = SealFlag::F_SEAL_SHRINK
    .union(SealFlag::F_SEAL_GROW)
    .union(SealFlag::F_SEAL_WRITE)
    .union(SealFlag::F_SEAL_SEAL);

/// What `st_blocks` counts in.
const BLOCK: i128 = 512;

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
    let status = nix::sys::stat::fstat(object)?;
    // Bytes that were never written take no memory of their writer's, but would of a reader's, as much as the length says.
    if i128::from(status.st_blocks) * BLOCK < i128::from(status.st_size) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a blob has holes: its length may lie"));
    }
    let length = usize::try_from(status.st_size).map_err(|_| io::ErrorKind::OutOfMemory)?;
    Ok(bytes::Bytes::from_owner(Mapping::read_only(object, length)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory;

    #[test]
    fn what_was_written_is_read_where_it_lies() {
        for length in [0, 1, 4095, 4096, 4097, 1 << 20] {
            let blob = write(&[b"a", &vec![7; length], b"b"]).unwrap();
            let bytes = read(&blob).unwrap();
            drop(blob);
            assert!(bytes[0] == b'a' && bytes[1..=length] == vec![7; length] && bytes[length + 1..] == *b"b");
        }
        assert!(read(&write(&[]).unwrap()).unwrap().is_empty());
    }

    #[test]
    fn what_could_change_or_is_not_there_is_refused() {
        let unsealed = memory::create(10).unwrap();
        assert!(read(&unsealed).unwrap_err().to_string().contains("not sealed"));
        let hollow = memory::create(1 << 40).unwrap();
        fcntl(&hollow, FcntlArg::F_ADD_SEALS(SEALS)).unwrap();
        assert!(read(&hollow).unwrap_err().to_string().contains("has holes"));
        let (pipe, _) = std::io::pipe().unwrap();
        read(&pipe.into()).unwrap_err();
    }
}
