//! Pages that processes share, without a name: a shared memory object (`shm_open(2)`, `shm_unlink(2)`).

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap, shm_open, shm_unlink};
use nix::sys::stat::{Mode, fstat};

use super::descriptor::above_standard;

/// How long memory can become at least: what is never touched takes up nothing.
pub(crate) const CAPACITY: u64 = 1 << 30;

/// A name that nobody has, short enough for every system (31 bytes).
fn name() -> io::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(format!("/offspring.{:016x}", u64::from_ne_bytes(random)))
}

/// Makes so many bytes, all zero.
pub(crate) fn create(size: u64) -> io::Result<OwnedFd> {
    let size = libc::off_t::try_from(size).map_err(|_| Errno::EFBIG)?;
    let object = loop {
        let name = name()?;
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        match shm_open(name.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(object) => {
                shm_unlink(name.as_str())?;
                break above_standard(object)?;
            }
            Err(Errno::EEXIST | Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    };
    nix::unistd::ftruncate(&object, size)?;
    Ok(object)
}

/// How many bytes there are.
pub(crate) fn size(object: &OwnedFd) -> io::Result<u64> {
    u64::try_from(fstat(object)?.st_size).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Whether it can only be read by this descriptor.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_read_only(object: &OwnedFd) -> io::Result<bool> {
    let flags = OFlag::from_bits_retain(nix::fcntl::fcntl(object, nix::fcntl::FcntlArg::F_GETFL)?);
    Ok(flags & OFlag::O_ACCMODE == OFlag::O_RDONLY)
}

/// Where a mapping may begin: at multiples of this.
pub(crate) fn granularity() -> u64 {
    // SAFETY: an integer.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).ok().filter(|size| size.is_power_of_two()).unwrap_or(64 * 1024)
}

/// Pages that are mapped, until drop.
#[derive(Debug)]
pub(crate) struct Pages {
    start: NonNull<u8>,
    length: usize,
}

impl Pages {
    pub(crate) fn map(
        object: &OwnedFd,
        offset: u64,
        length: NonZeroUsize,
        writable: bool,
    ) -> io::Result<Self> {
        let offset = libc::off_t::try_from(offset).map_err(|_| Errno::EINVAL)?;
        let write = if writable { ProtFlags::PROT_WRITE } else { ProtFlags::empty() };
        let protection = ProtFlags::PROT_READ | write;
        // SAFETY: a new mapping at an address of the kernel's choice aliases nothing of ours.
        let start = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, object.as_fd(), offset) }?;
        Ok(Self { start: start.cast(), length: length.get() })
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length; no reference into it outlives this value.
        if let Err(errno) = unsafe { munmap(self.start.cast(), self.length) } {
            debug_assert!(false, "unmapping failed: {errno}");
        }
    }
}
