//! What nobody can do to a memory file any more, whoever holds it (`F_ADD_SEALS` in `fcntl(2)`), and a descriptor that can
//! only read.

use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl, open};
use nix::sys::stat::{Mode, fchmod};

use super::{Object, above_standard};

/// What is ruled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    /// Becoming shorter: a mapping of it is never cut off.
    Shrinking,
    /// A change of its length, or of its seals.
    Resizing,
    /// Any change.
    Writing,
}

impl Seal {
    fn flags(self) -> SealFlag {
        let fixed = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        match self {
            Self::Shrinking => SealFlag::F_SEAL_SHRINK,
            Self::Resizing => fixed,
            Self::Writing => fixed | SealFlag::F_SEAL_WRITE,
        }
    }
}

/// Rules something out for ever. Writing can be ruled out only while nobody has the file mapped for writing: `ResourceBusy`.
pub(crate) fn seal(object: &Object, seal: Seal) -> io::Result<()> {
    fcntl(object, FcntlArg::F_ADD_SEALS(seal.flags()))?;
    Ok(())
}

/// Whether something is ruled out.
pub(crate) fn is_sealed(object: &Object, seal: Seal) -> io::Result<bool> {
    match fcntl(object, FcntlArg::F_GET_SEALS) {
        Ok(seals) => Ok(SealFlag::from_bits_truncate(seals).contains(seal.flags())),
        Err(Errno::EINVAL) => Ok(false), // it is no memory file
        Err(errno) => Err(errno.into()),
    }
}

/// A descriptor of the same file that can only read, and map for reading. It needs `/proc`.
pub(crate) fn read_only(object: &Object) -> io::Result<Object> {
    // Who receives it cannot get back by the same way what it was denied, unless by a privilege.
    fchmod(object, Mode::S_IRUSR | Mode::S_IRGRP | Mode::S_IROTH)?;
    let path = format!("/proc/self/fd/{}", object.as_raw_fd());
    above_standard(open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// Whether a descriptor can only read.
pub(crate) fn is_read_only(object: &Object) -> io::Result<bool> {
    let flags = OFlag::from_bits_retain(fcntl(object, FcntlArg::F_GETFL)?);
    Ok(flags & OFlag::O_ACCMODE == OFlag::O_RDONLY)
}
