//! Memory that processes share: a memory file (`memfd_create(2)`), which has no name anywhere and is gone with the last who
//! holds or maps it, and mappings of it.

use std::io;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, munmap};

use super::{Object, above_standard};
use crate::sys::Shareable;
use crate::sys::unix::signal::without_file_size_signal;

/// Makes a memory file of this many bytes, all zero. Pages take up memory when they are first written.
pub(crate) fn create(length: u64) -> io::Result<Object> {
    let object =
        above_standard(memfd_create(c"offspring", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?)?;
    set_length(&object, length)?;
    Ok(object)
}

/// Makes a memory file longer or shorter.
pub(crate) fn set_length(object: &Object, length: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(without_file_size_signal(|| nix::unistd::ftruncate(object, length))?)
}

/// How long a memory file is.
pub(crate) fn length(object: &Object) -> io::Result<u64> {
    let status = nix::sys::stat::fstat(object)?;
    u64::try_from(status.st_size).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Fixes the length of a memory file for good (`F_ADD_SEALS`): who maps it needs not fear that it becomes shorter.
pub(crate) fn fix_length(object: &Object) -> io::Result<()> {
    fcntl(object, FcntlArg::F_ADD_SEALS(FIXED))?;
    Ok(())
}

/// Whether the length of a file is fixed. One that is no memory file has none that is.
pub(crate) fn has_fixed_length(object: &Object) -> bool {
    let seals = fcntl(object, FcntlArg::F_GET_SEALS);
    seals.is_ok_and(|seals| SealFlag::from_bits_truncate(seals).contains(FIXED))
}

/// How long memory can become, as far as anybody here wants to know: 2 TiB, of which what is written takes up memory.
pub(crate) const REACH: u64 = 1 << 41;

const FIXED: SealFlag = SealFlag::F_SEAL_SHRINK.union(SealFlag::F_SEAL_GROW).union(SealFlag::F_SEAL_SEAL);

/// Reserves memory for part of a file: what fails here would else be a SIGBUS at the first write.
pub(crate) fn reserve(object: &Object, offset: u64, length: u64) -> io::Result<()> {
    allocate(object, FallocateFlags::FALLOC_FL_KEEP_SIZE, offset, length)
}

/// Gives the memory of part of a file back; it reads as zero from then on.
pub(crate) fn release(object: &Object, offset: u64, length: u64) -> io::Result<()> {
    let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    allocate(object, hole, offset, length)
}

fn allocate(object: &Object, flags: FallocateFlags, offset: u64, length: u64) -> io::Result<()> {
    let range =
        |number: u64| libc::off_t::try_from(number).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
    let (offset, length) = (range(offset)?, range(length)?);
    loop {
        match without_file_size_signal(|| fallocate(object.as_fd(), flags, offset, length)) {
            Err(nix::errno::Errno::EINTR) => {}
            done => return Ok(done?),
        }
    }
}

/// Writes to a memory file by its descriptor: pages that are not there yet are made and filled at once, which takes half
/// of what it takes through a mapping, and memory that is not to be had is an error and no signal.
pub(crate) fn write_at(object: &Object, bytes: &[u8], offset: u64) -> io::Result<()> {
    let file = std::fs::File::from(object.try_clone()?);
    without_file_size_signal(|| file.write_all_at(bytes, offset))
}

/// Reads from a memory file by its descriptor.
pub(crate) fn read_at(object: &Object, length: usize, offset: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.resize(length, 0);
    std::fs::File::from(object.try_clone()?).read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// What pages are populated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Populate {
    ToRead,
    ToWrite,
}

/// A mapped part of a memory file.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory is mapped until drop, wherever that happens; access goes through the methods, which say what they hold for.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps part of a file for reading and writing; the offset is a multiple of the page size.
    pub(crate) fn new(object: &Object, offset: u64, length: usize) -> io::Result<Self> {
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        Self::map(object, offset, length, protection, MapFlags::MAP_SHARED)
    }

    /// Maps a file that nobody can write any more, from its beginning.
    pub(crate) fn read_only(object: &Object, length: usize) -> io::Result<Self> {
        // Shared it would be as well, and the pages are the same; but before Linux 6.7 a descriptor that could write,
        // were the file not sealed, cannot be mapped so.
        Self::map(object, 0, length, ProtFlags::PROT_READ, MapFlags::MAP_PRIVATE)
    }

    /// Maps part of a file for reading while others write it. With a descriptor that can only read, this does not count as a
    /// mapping that could write.
    pub(crate) fn view(object: &Object, offset: u64, length: usize) -> io::Result<Self> {
        Self::map(object, offset, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED)
    }

    fn map(
        object: &Object,
        offset: u64,
        length: usize,
        protection: ProtFlags,
        kind: MapFlags,
    ) -> io::Result<Self> {
        // An empty mapping is refused by the kernel: one page stands for it.
        let mapped = NonZeroUsize::new(length).unwrap_or(NonZeroUsize::MIN);
        let offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping at an address of the kernel's choice aliases nothing of ours.
        let start = unsafe { mmap(None, mapped, protection, kind, object, offset) }?;
        Ok(Self { start: start.cast(), length })
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Asks for huge pages where memory of this mapping is yet to be taken. A hint: the system may have none to give.
    pub(crate) fn prefer_huge_pages(&self) {
        let advice = MmapAdvise::MADV_HUGEPAGE;
        // SAFETY: advice on a range that is ours changes nothing of what is in it.
        let _a_kernel_without_them_refuses = unsafe { madvise(self.start.cast(), self.length, advice) };
    }

    /// Touches the pages of a range at once: they are in the page table then, and what is written has its memory, or there is an error, where the first write would be a SIGBUS.
    /// `Unsupported` before Linux 5.14. The offset is a multiple of the page size.
    pub(crate) fn populate(&self, offset: usize, length: usize, purpose: Populate) -> io::Result<()> {
        let advice = match purpose {
            Populate::ToRead => libc::MADV_POPULATE_READ,
            Populate::ToWrite => libc::MADV_POPULATE_WRITE,
        };
        let place = self.place(offset, length);
        loop {
            // SAFETY: the range is ours; its pages are touched and not changed.
            if unsafe { libc::madvise(place.as_ptr().cast(), length, advice) } == 0 {
                return Ok(());
            }
            match nix::errno::Errno::last() {
                nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN => {}
                nix::errno::Errno::EINVAL => return Err(io::ErrorKind::Unsupported.into()),
                errno => return Err(errno.into()),
            }
        }
    }

    /// What lies at an offset, as the type that the other processes know it to be.
    ///
    /// # Panics
    /// When it does not lie within the mapping, or not aligned: the offset is our own.
    pub(crate) fn at<T: Shareable>(&self, offset: usize) -> &T {
        let within = offset.checked_add(size_of::<T>()).is_some_and(|end| end <= self.length);
        assert!(within && offset % align_of::<T>() == 0, "a shared value lies outside its memory");
        // SAFETY: within the mapping, as checked.
        let place = unsafe { self.start.add(offset) }.cast::<T>();
        // SAFETY: mapped until drop, aligned (mappings begin at a page), and of a type whose bytes any process may have written.
        unsafe { place.as_ref() }
    }

    /// Values that lie side by side from an offset on, as [`at`](Self::at) has one.
    ///
    /// # Panics
    /// When they do not lie within the mapping, or not aligned: the offset is our own.
    pub(crate) fn slice<T: Shareable>(&self, offset: usize, count: usize) -> &[T] {
        let length = size_of::<T>().checked_mul(count).expect("shared values lie outside their memory");
        assert!(offset % align_of::<T>() == 0, "shared values are not aligned");
        let place = self.place(offset, length).cast::<T>();
        // SAFETY: as many as lie within the mapping, which is there until drop, and aligned; of a type whose bytes any process may
        // have written.
        unsafe { std::slice::from_raw_parts(place.as_ptr(), count) }
    }

    /// Values as [`slice`](Self::slice) has them, which nobody else reads or writes while they are borrowed, by agreement of the processes.
    ///
    /// # Panics
    /// When they do not lie within the mapping, or not aligned: the offset is our own.
    pub(crate) fn slice_mut<T: Shareable>(&mut self, offset: usize, count: usize) -> &mut [T] {
        let room = self.room_mut::<T>(offset, count);
        let start = room.as_mut_ptr().cast::<T>();
        // SAFETY: the same place, which is borrowed all the while; it holds values, whose bytes any process may have written.
        unsafe { std::slice::from_raw_parts_mut(start, count) }
    }

    /// Room for values, as [`slice_mut`](Self::slice_mut) has them; there may be none yet.
    ///
    /// # Panics
    /// As there.
    pub(crate) fn room_mut<T: Shareable>(&mut self, offset: usize, count: usize) -> &mut [MaybeUninit<T>] {
        let length = size_of::<T>().checked_mul(count).expect("shared values lie outside their memory");
        assert!(offset % align_of::<T>() == 0, "shared values are not aligned");
        let place = self.place(offset, length).cast::<MaybeUninit<T>>();
        // SAFETY: within the mapping, which is there until drop and borrowed until then, and aligned; what a `MaybeUninit` holds is
        // always one. Nobody else has these values, as the caller says.
        unsafe { std::slice::from_raw_parts_mut(place.as_ptr(), count) }
    }

    /// Puts a value at an offset of a mapping that nobody else has yet.
    ///
    /// # Panics
    /// When it does not lie within the mapping, or not aligned: the offset is our own.
    pub(crate) fn put<T: Shareable>(&mut self, offset: usize, value: T) {
        assert!(offset % align_of::<T>() == 0, "a shared value is not aligned");
        let place = self.place(offset, size_of::<T>()).cast::<T>();
        // SAFETY: valid for writing, within the mapping and aligned.
        unsafe { place.write(value) };
    }

    /// All bytes of a mapping that nobody else has yet.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: mapped until drop; borrowed like the mapping, of a file that no other mapping shows.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }

    /// Writes bytes at an offset. Nobody reads them meanwhile: they are published by other means afterwards.
    ///
    /// # Panics
    /// When they do not fit.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        let place = self.place(offset, bytes.len());
        // SAFETY: both are valid for this many bytes, and our slice lies in no shared mapping of this range.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.as_ptr(), bytes.len()) };
    }

    /// Appends bytes from an offset to a buffer. Nobody writes them meanwhile, by the same agreement; should a peer break it, the
    /// copy may hold anything, but it is a copy.
    ///
    /// # Panics
    /// When they do not lie within the mapping.
    pub(crate) fn read(&self, offset: usize, length: usize, into: &mut Vec<u8>) {
        let place = self.place(offset, length);
        into.reserve(length);
        let end = into.len();
        let spare = into.spare_capacity_mut().as_mut_ptr().cast();
        // SAFETY: reserved, and valid for reading in the mapping.
        unsafe { std::ptr::copy_nonoverlapping(place.as_ptr(), spare, length) };
        // SAFETY: just written.
        unsafe { into.set_len(end + length) };
    }

    /// Bytes where they lie. Nobody writes them while the slice is used, by agreement of the processes.
    ///
    /// # Panics
    /// When they do not lie within the mapping.
    pub(crate) fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        let place = self.place(offset, length);
        // SAFETY: within the mapping, which is there until drop.
        unsafe { std::slice::from_raw_parts(place.as_ptr(), length) }
    }

    fn place(&self, offset: usize, length: usize) -> NonNull<u8> {
        let within = offset.checked_add(length).is_some_and(|end| end <= self.length);
        assert!(within, "shared bytes lie outside their memory");
        // SAFETY: within the mapping, as checked.
        unsafe { self.start.add(offset) }
    }
}

/// All of it, where nobody can write it any more (a sealed file).
impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        self.bytes(0, self.length)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length; no reference into it outlives this value.
        if let Err(errno) = unsafe { munmap(self.start.cast(), self.length.max(1)) } {
            debug_assert!(false, "unmapping failed: {errno}");
        }
    }
}
