//! Memory that processes share. On Windows it is to be a section over the paging file (`CreateFileMappingW`), on FreeBSD
//! a memory file as on Linux, and elsewhere a shared memory object that loses its name at once (`shm_open(2)`,
//! `shm_unlink(2)`). macOS takes a length for one just once, and no system but Linux and FreeBSD promises that it stays: there a
//! mapping has to be of memory that this process or one that it trusts has made.

use std::io;
use std::mem::MaybeUninit;

use crate::sys::Shareable;
use crate::sys::platform::Object;
use crate::sys::unsupported::unsupported;

/// Makes memory of this many bytes, all zero.
pub(crate) fn create(_length: u64) -> io::Result<Object> {
    Err(unsupported())
}

/// Makes memory longer or shorter.
pub(crate) fn set_length(_object: &Object, _length: u64) -> io::Result<()> {
    Err(unsupported())
}

/// How long memory is.
pub(crate) fn length(_object: &Object) -> io::Result<u64> {
    Err(unsupported())
}

/// Fixes the length of memory for good.
pub(crate) fn fix_length(_object: &Object) -> io::Result<()> {
    Err(unsupported())
}

/// Whether the length of memory is fixed.
pub(crate) fn has_fixed_length(_object: &Object) -> bool {
    false
}

/// Reserves what part of the memory takes up.
pub(crate) fn reserve(_object: &Object, _offset: u64, _length: u64) -> io::Result<()> {
    Err(unsupported())
}

/// Gives back what part of the memory takes up; it reads as zero from then on.
pub(crate) fn release(_object: &Object, _offset: u64, _length: u64) -> io::Result<()> {
    Err(unsupported())
}

/// Writes to memory that is not mapped.
pub(crate) fn write_at(_object: &Object, _bytes: &[u8], _offset: u64) -> io::Result<()> {
    Err(unsupported())
}

/// Reads from it.
pub(crate) fn read_at(_object: &Object, _length: usize, _offset: u64) -> io::Result<Vec<u8>> {
    Err(unsupported())
}

/// What pages are populated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Populate {
    ToRead,
    ToWrite,
}

/// A mapped part of memory.
#[derive(Debug)]
pub(crate) enum Mapping {}

impl Mapping {
    /// Maps a part for reading and writing; the offset is a multiple of the page size.
    pub(crate) fn new(_object: &Object, _offset: u64, _length: usize) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Maps memory that nobody can write any more, from its beginning.
    pub(crate) fn read_only(_object: &Object, _length: usize) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Maps a part for reading while others write it.
    pub(crate) fn view(_object: &Object, _offset: u64, _length: usize) -> io::Result<Self> {
        Err(unsupported())
    }

    pub(crate) fn len(&self) -> usize {
        match *self {}
    }

    /// Asks for huge pages where memory of this mapping is yet to be taken.
    pub(crate) fn prefer_huge_pages(&self) {
        match *self {}
    }

    /// Touches the pages of a range at once.
    pub(crate) fn populate(&self, _offset: usize, _length: usize, _purpose: Populate) -> io::Result<()> {
        match *self {}
    }

    /// What lies at an offset, as the type that the other processes know it to be.
    pub(crate) fn at<T: Shareable>(&self, _offset: usize) -> &T {
        match *self {}
    }

    /// Values that lie side by side from an offset on.
    pub(crate) fn slice<T: Shareable>(&self, _offset: usize, _count: usize) -> &[T] {
        match *self {}
    }

    /// Values that nobody else reads or writes while they are borrowed.
    pub(crate) fn slice_mut<T: Shareable>(&mut self, _offset: usize, _count: usize) -> &mut [T] {
        match *self {}
    }

    /// Room for such values.
    pub(crate) fn room_mut<T: Shareable>(&mut self, _offset: usize, _count: usize) -> &mut [MaybeUninit<T>] {
        match *self {}
    }

    /// Puts a value at an offset of a mapping that nobody else has yet.
    pub(crate) fn put<T: Shareable>(&mut self, _offset: usize, _value: T) {
        match *self {}
    }

    /// All bytes of a mapping that nobody else has yet.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match *self {}
    }

    /// Writes bytes at an offset. Nobody reads them meanwhile.
    pub(crate) fn write(&self, _offset: usize, _bytes: &[u8]) {
        match *self {}
    }

    /// Appends bytes from an offset to a buffer. Nobody writes them meanwhile.
    pub(crate) fn read(&self, _offset: usize, _length: usize, _into: &mut Vec<u8>) {
        match *self {}
    }

    /// Bytes where they lie. Nobody writes them while the slice is used.
    pub(crate) fn bytes(&self, _offset: usize, _length: usize) -> &[u8] {
        match *self {}
    }
}

/// All of it, where nobody can write it any more.
impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        match *self {}
    }
}
