//! Memory that processes share, for systems without memory files: on Unix a shared memory object that loses its name at once
//! (`shm_open(2)`, `shm_unlink(2)`), on Windows a section over the paging file; it is gone with the last who holds or maps it.
//!
//! They take a length for one just once, give it in whole pages, have no seals, and neither read from nor write to what is not
//! mapped. So an object is made larger than asked for, which costs no memory until it is touched, and its first
//! pages, which no mapping shows, are a header: how long it is, what is ruled out, and how many map it for writing. It holds by
//! agreement of those who use this library: the kernel does not see to it, as it does on Linux, that nobody writes what
//! is frozen. It does see to it that nothing is ever cut off.
//!
//! A process that is killed does not take its writable mappings off the count, and what it had mapped cannot be frozen any more. That is
//! the safe mistake.

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) mod seal;

use std::io;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(windows)]
use crate::sys::platform::pages::{self, Pages};
use crate::sys::shareable::shared_layout;
#[cfg(unix)]
use crate::sys::unix::pages::{self, Pages};
use crate::sys::{Object, Shareable, own};

/// How much of an object its header takes up: the largest page of all systems that have this, and the distance of places where
/// Windows maps.
const HEADER: u64 = 64 * 1024;

/// How long memory can become.
pub(crate) const REACH: u64 = pages::CAPACITY;

/// What the header of one of our objects begins with.
const MAGIC: u64 = u64::from_ne_bytes(*b"offsprng");

/// What is ruled out, as bits.
pub(crate) const NO_SHRINKING: u32 = 1;
pub(crate) const NO_GROWING: u32 = 2;
pub(crate) const NO_WRITING: u32 = 4;

shared_layout! {
    /// What stands at the beginning of an object.
    struct Header {
        magic: AtomicU64,
        length: AtomicU64,
        seals: AtomicU32,
        writers: AtomicU32,
    }
}

fn too_long() -> io::Error {
    io::ErrorKind::FileTooLarge.into()
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A header, mapped.
#[derive(Debug)]
struct Mapped(Region);

impl Mapped {
    fn new(object: &Object) -> io::Result<Self> {
        // What is shorter would be a SIGBUS to look at.
        if pages::size(object)? < HEADER {
            return Err(invalid("what arrived is no shared memory"));
        }
        let mapped = Self(Region::map(object, 0, size_of::<Header>(), true)?);
        Ok(mapped)
    }

    /// That of an object which is one of ours.
    fn of(object: &Object) -> io::Result<Self> {
        let mapped = Self::new(object)?;
        if mapped.header().magic.load(Ordering::Acquire) == MAGIC {
            Ok(mapped)
        } else {
            Err(invalid("what arrived is no shared memory"))
        }
    }

    fn header(&self) -> &Header {
        self.0.at(0)
    }

    fn length(&self, object: &Object) -> io::Result<u64> {
        // Whoever has it could write nonsense there.
        Ok(self.header().length.load(Ordering::Acquire).min(pages::size(object)?.saturating_sub(HEADER)))
    }
}

/// Makes memory of this many bytes, all zero. Pages take up memory when they are first written.
pub(crate) fn create(length: u64) -> io::Result<Object> {
    let size = |capacity: u64| HEADER.checked_add(capacity).ok_or_else(too_long);
    // A system that has no room for what may never be needed has it for what is.
    let object =
        pages::create(size(length.max(pages::CAPACITY))?).or_else(|_| pages::create(size(length)?))?;
    let mapped = Mapped::new(&object)?;
    let header = mapped.header();
    header.length.store(length, Ordering::Relaxed);
    header.magic.store(MAGIC, Ordering::Release);
    Ok(object)
}

/// Makes memory longer or shorter; it cannot become longer than it was made for, which is a gibibyte at least.
pub(crate) fn set_length(object: &Object, length: u64) -> io::Result<()> {
    let mapped = Mapped::of(object)?;
    let before = mapped.length(object)?;
    let seals = mapped.header().seals.load(Ordering::Acquire);
    if (length < before && seals & NO_SHRINKING != 0) || (length > before && seals & NO_GROWING != 0) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    if length > pages::size(object)? - HEADER {
        return Err(too_long());
    }
    if length < before {
        zero(object, length, before - length)?;
    }
    let exchanged =
        mapped.header().length.compare_exchange(before, length, Ordering::AcqRel, Ordering::Acquire);
    // Two at once: the other was quicker, as with a seal.
    exchanged.map(drop).map_err(|_| io::ErrorKind::PermissionDenied.into())
}

/// How long memory is.
pub(crate) fn length(object: &Object) -> io::Result<u64> {
    Mapped::of(object)?.length(object)
}

/// Fixes the length of memory for good.
pub(crate) fn fix_length(object: &Object) -> io::Result<()> {
    add_seals(object, NO_SHRINKING | NO_GROWING)
}

/// Whether the length of memory is fixed.
pub(crate) fn has_fixed_length(object: &Object) -> bool {
    seals(object).is_ok_and(|seals| seals & (NO_SHRINKING | NO_GROWING) == NO_SHRINKING | NO_GROWING)
}

/// Rules something out. Writing only while nobody maps it for writing.
pub(crate) fn add_seals(object: &Object, seals: u32) -> io::Result<()> {
    let mapped = Mapped::of(object)?;
    let header = mapped.header();
    let before = header.seals.fetch_or(seals, Ordering::SeqCst);
    if seals & !before & NO_WRITING != 0 && header.writers.load(Ordering::SeqCst) > 0 {
        header.seals.fetch_and(before | !seals, Ordering::SeqCst);
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    Ok(())
}

/// What is ruled out; nothing for what is no memory of ours.
pub(crate) fn seals(object: &Object) -> io::Result<u32> {
    match Mapped::of(object) {
        Ok(mapped) => Ok(mapped.header().seals.load(Ordering::SeqCst)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(0),
        Err(error) => Err(error),
    }
}

/// Reserves what part of the memory takes up: there is no way to, and who writes more than there is waits for others to end.
#[allow(clippy::unnecessary_wraps)] // elsewhere it can fail
pub(crate) fn reserve(_object: &Object, _offset: u64, _length: u64) -> io::Result<()> {
    Ok(())
}

/// Lets part of the memory read as zero from then on. It is not given back before all of it is.
pub(crate) fn release(object: &Object, offset: u64, length: u64) -> io::Result<()> {
    let end = self::length(object)?;
    let from = offset.min(end);
    zero(object, from, length.min(end - from))
}

/// So much at a time is mapped to be written or read.
const WINDOW: u64 = 1 << 24;

fn windows(offset: u64, length: u64) -> impl Iterator<Item = (u64, usize)> {
    let count = length.div_ceil(WINDOW);
    (0..count).map(move |index| {
        let from = index * WINDOW;
        (offset + from, (length - from).min(WINDOW) as usize)
    })
}

fn zero(object: &Object, offset: u64, length: u64) -> io::Result<()> {
    for (offset, length) in windows(offset, length) {
        Mapping::new(object, offset, length)?.bytes_mut().fill(0);
    }
    Ok(())
}

/// Writes to memory that is not mapped, which becomes longer if it must.
pub(crate) fn write_at(object: &Object, bytes: &[u8], offset: u64) -> io::Result<()> {
    let end = offset.checked_add(bytes.len() as u64).ok_or_else(too_long)?;
    if self::length(object)? < end {
        set_length(object, end)?;
    }
    let mut rest = bytes;
    for (at, length) in windows(offset, bytes.len() as u64) {
        let (part, after) = rest.split_at(length);
        Mapping::new(object, at, length)?.write(0, part);
        rest = after;
    }
    Ok(())
}

/// Reads from memory that is not mapped.
pub(crate) fn read_at(object: &Object, length: usize, offset: u64) -> io::Result<Vec<u8>> {
    let all = self::length(object)?;
    if offset.checked_add(length as u64).is_none_or(|end| end > all) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
    for (offset, length) in windows(offset, length as u64) {
        Mapping::view(object, offset, length)?.read(0, length, &mut bytes);
    }
    Ok(bytes)
}

/// What pages are populated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Populate {
    ToRead,
    ToWrite,
}

/// A range of bytes that is mapped.
#[derive(Debug)]
struct Region {
    _pages: Pages,
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory is mapped until drop, wherever that happens; access goes through the methods, which say what they hold for.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Maps part of the kernel's object, wherever it begins.
    fn map(object: &Object, offset: u64, length: usize, writable: bool) -> io::Result<Self> {
        let within = offset % pages::granularity();
        let before = usize::try_from(within).map_err(io::Error::other)?;
        // An empty mapping is refused by the kernel: one page stands for it.
        let size = length.checked_add(before).ok_or(io::ErrorKind::OutOfMemory)?;
        let size = NonZeroUsize::new(size).unwrap_or(NonZeroUsize::MIN);
        let pages = Pages::map(object, offset - within, size, writable)?;
        // SAFETY: within the mapping.
        let start = unsafe { pages.start().add(before) };
        Ok(Self { _pages: pages, start, length })
    }

    fn at<T: Shareable>(&self, offset: usize) -> &T {
        let within = offset.checked_add(size_of::<T>()).is_some_and(|end| end <= self.length);
        assert!(within && offset % align_of::<T>() == 0, "a shared value lies outside its memory");
        // SAFETY: within the mapping, as checked.
        let place = unsafe { self.start.add(offset) }.cast::<T>();
        assert!(place.is_aligned(), "shared memory begins at an odd place");
        // SAFETY: mapped until drop, aligned, and of a type whose bytes any process may have written.
        unsafe { place.as_ref() }
    }

    fn place(&self, offset: usize, length: usize) -> NonNull<u8> {
        let within = offset.checked_add(length).is_some_and(|end| end <= self.length);
        assert!(within, "shared bytes lie outside their memory");
        // SAFETY: within the mapping, as checked.
        unsafe { self.start.add(offset) }
    }

    fn aligned<T: Shareable>(&self, offset: usize, count: usize) -> NonNull<T> {
        let length = size_of::<T>().checked_mul(count).expect("shared values lie outside their memory");
        let place = self.place(offset, length).cast::<T>();
        assert!(place.is_aligned(), "shared values are not aligned");
        place
    }
}

/// A mapped part of memory.
#[derive(Debug)]
pub(crate) struct Mapping {
    region: Region,
    /// Of one that can write, on whose count it is, by which process.
    writes: Option<(Mapped, u32)>,
}

impl Mapping {
    /// Maps a part for reading and writing.
    ///
    /// # Errors
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) when writing is ruled out.
    pub(crate) fn new(object: &Object, offset: u64, length: usize) -> io::Result<Self> {
        let mapped = Mapped::of(object)?;
        mapped.header().writers.fetch_add(1, Ordering::SeqCst);
        let frozen = mapped.header().seals.load(Ordering::SeqCst) & NO_WRITING != 0;
        // From here on it is taken off the count again, whatever happens.
        let writes = Writes(Some((mapped, own::pid())));
        if frozen {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let region = Self::part(object, offset, length, true)?;
        Ok(Self { region, writes: writes.keep() })
    }

    /// Maps memory that nobody can write any more, from its beginning.
    pub(crate) fn read_only(object: &Object, length: usize) -> io::Result<Self> {
        Self::view(object, 0, length)
    }

    /// Maps a part for reading while others write it.
    pub(crate) fn view(object: &Object, offset: u64, length: usize) -> io::Result<Self> {
        Ok(Self { region: Self::part(object, offset, length, false)?, writes: None })
    }

    fn part(object: &Object, offset: u64, length: usize, writable: bool) -> io::Result<Region> {
        let offset = HEADER.checked_add(offset).ok_or(io::ErrorKind::InvalidInput)?;
        Region::map(object, offset, length, writable)
    }

    pub(crate) fn len(&self) -> usize {
        self.region.length
    }

    /// Asks for huge pages where memory of this mapping is yet to be taken: there is nobody to ask.
    #[allow(clippy::unused_self)] // elsewhere it is its range
    pub(crate) fn prefer_huge_pages(&self) {}

    /// Touches the pages of a range at once: there is no call for it.
    #[allow(clippy::unused_self)] // as above
    pub(crate) fn populate(&self, _offset: usize, _length: usize, _purpose: Populate) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What lies at an offset, as the type that the other processes know it to be.
    ///
    /// # Panics
    /// When it does not lie within the mapping, or not aligned: the offset is our own.
    pub(crate) fn at<T: Shareable>(&self, offset: usize) -> &T {
        self.region.at(offset)
    }

    /// Values that lie side by side from an offset on, as [`at`](Self::at) has one.
    ///
    /// # Panics
    /// When they do not lie within the mapping, or not aligned: the offset is our own.
    pub(crate) fn slice<T: Shareable>(&self, offset: usize, count: usize) -> &[T] {
        let place = self.region.aligned::<T>(offset, count);
        // SAFETY: as many as lie within the mapping, which is there until drop, and aligned; of a type whose bytes any process may
        // have written.
        unsafe { std::slice::from_raw_parts(place.as_ptr(), count) }
    }

    /// Values as [`slice`](Self::slice) has them, which nobody else reads or writes while they are borrowed, by agreement of the processes.
    ///
    /// # Panics
    /// As there.
    pub(crate) fn slice_mut<T: Shareable>(&mut self, offset: usize, count: usize) -> &mut [T] {
        let place = self.region.aligned::<T>(offset, count);
        // SAFETY: as in `slice`, and borrowed for writing, by agreement of the processes.
        unsafe { std::slice::from_raw_parts_mut(place.as_ptr(), count) }
    }

    /// Room for values, as [`slice_mut`](Self::slice_mut) has them; there may be none yet.
    ///
    /// # Panics
    /// As there.
    pub(crate) fn room_mut<T: Shareable>(&mut self, offset: usize, count: usize) -> &mut [MaybeUninit<T>] {
        let place = self.region.aligned::<T>(offset, count).cast::<MaybeUninit<T>>();
        // SAFETY: within the mapping, which is there until drop and borrowed until then, and aligned; what a `MaybeUninit` holds is
        // always one. Nobody else has these values, as the caller says.
        unsafe { std::slice::from_raw_parts_mut(place.as_ptr(), count) }
    }

    /// Puts a value at an offset of a mapping that nobody else has yet.
    ///
    /// # Panics
    /// When it does not lie within the mapping, or not aligned: the offset is our own.
    pub(crate) fn put<T: Shareable>(&mut self, offset: usize, value: T) {
        let place = self.region.aligned::<T>(offset, 1);
        // SAFETY: valid for writing, within the mapping and aligned.
        unsafe { place.write(value) };
    }

    /// All bytes of a mapping that nobody else has yet.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: mapped until drop; borrowed like the mapping, of memory that no other mapping shows.
        unsafe { std::slice::from_raw_parts_mut(self.region.start.as_ptr(), self.region.length) }
    }

    /// Writes bytes at an offset. Nobody reads them meanwhile: they are published by other means afterwards.
    ///
    /// # Panics
    /// When they do not fit.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        let place = self.region.place(offset, bytes.len());
        // SAFETY: both are valid for this many bytes, and our slice lies in no shared mapping of this range.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.as_ptr(), bytes.len()) };
    }

    /// Appends bytes from an offset to a buffer. Nobody writes them meanwhile, by the same agreement; should a peer break it, the
    /// copy may hold anything, but it is a copy.
    ///
    /// # Panics
    /// When they do not lie within the mapping.
    pub(crate) fn read(&self, offset: usize, length: usize, into: &mut Vec<u8>) {
        let place = self.region.place(offset, length);
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
        let place = self.region.place(offset, length);
        // SAFETY: within the mapping, which is there until drop.
        unsafe { std::slice::from_raw_parts(place.as_ptr(), length) }
    }
}

/// All of it, where nobody can write it any more.
impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        self.bytes(0, self.region.length)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        drop(Writes(self.writes.take()));
    }
}

/// Being on the count of those who write.
struct Writes(Option<(Mapped, u32)>);

impl Writes {
    fn keep(mut self) -> Option<(Mapped, u32)> {
        self.0.take()
    }
}

impl Drop for Writes {
    fn drop(&mut self) {
        // A copy of a process, by fork, never counted.
        if let Some((mapped, _)) = self.0.take().filter(|(_, pid)| *pid == own::pid()) {
            mapped.header().writers.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zero_as_long_as_it_says_and_the_same_in_all_mappings() {
        for length in [0, 1, 4096, 100_000] {
            let object = create(length as u64).unwrap();
            assert_eq!(super::length(&object).unwrap(), length as u64);
            let one = Mapping::new(&object, 0, length).unwrap();
            assert!(one.as_ref().iter().all(|byte| *byte == 0));
            if length > 0 {
                let other = Mapping::view(&object.try_clone().unwrap(), 0, length).unwrap();
                one.write(length - 1, &[9]);
                assert_eq!(other.as_ref()[length - 1], 9);
            }
        }
    }

    #[test]
    fn memory_grows_and_shrinks_unless_that_is_ruled_out() {
        let object = create(10).unwrap();
        write_at(&object, b"0123456789", 0).unwrap();
        set_length(&object, 5).unwrap();
        set_length(&object, 40 << 20).unwrap();
        assert_eq!(read_at(&object, 10, 0).unwrap(), b"01234\0\0\0\0\0");
        write_at(&object, &vec![1; 20 << 20], 1 << 20).unwrap();
        release(&object, 1 << 20, 19 << 20).unwrap();
        let end = read_at(&object, 2 << 20, 19 << 20).unwrap();
        assert!(end[..1 << 20].iter().all(|byte| *byte == 0) && end[1 << 20..].iter().all(|byte| *byte == 1));
        assert!(read_at(&object, 2, (40 << 20) - 1).is_err());
        assert!(!has_fixed_length(&object));
        fix_length(&object).unwrap();
        assert!(has_fixed_length(&object));
        for length in [0, 41 << 20] {
            assert_eq!(set_length(&object, length).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
        assert!(set_length(&create(0).unwrap(), 1 << 40).is_err());
    }

    #[test]
    fn what_is_mapped_for_writing_cannot_be_frozen_and_what_is_frozen_cannot_be_mapped_for_writing() {
        let object = create(100).unwrap();
        let writer = Mapping::new(&object, 0, 100).unwrap();
        assert_eq!(add_seals(&object, NO_WRITING).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        let reader = Mapping::view(&object, 0, 100).unwrap();
        drop(writer);
        add_seals(&object, NO_WRITING).unwrap();
        assert_eq!(Mapping::new(&object, 0, 100).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(seals(&object).unwrap() & NO_WRITING, NO_WRITING);
        drop(reader);
    }

    #[test]
    fn what_is_no_memory_of_ours_is_refused() {
        let (pipe, _) = std::io::pipe().unwrap();
        let pipe = Object::from(pipe);
        assert!(length(&pipe).is_err());
        assert!(!has_fixed_length(&pipe));
        assert_eq!(seals(&pipe).unwrap(), 0);
        assert!(Mapping::new(&pipe, 0, 10).is_err());
    }

    #[test]
    fn it_may_begin_within_a_page() {
        let object = create(10_000).unwrap();
        write_at(&object, b"here", 5_000).unwrap();
        assert_eq!(Mapping::new(&object, 5_000, 4).unwrap().as_ref(), b"here");
    }
}
