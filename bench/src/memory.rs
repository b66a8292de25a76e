//! Memory that a process shares with those that it forks: an anonymous shared mapping (mmap(2)), all zero.
#![expect(unsafe_code, reason = "mapped memory is what the hand-written contestants are made of")]

use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

use anyhow::{Context, Result};
use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

/// What may lie in shared memory.
///
/// # Safety
/// All-zero bytes are a value, and all of it can be used by several processes at once through `&`.
pub(crate) unsafe trait Common {}

/// A mapping, until drop.
#[derive(Debug)]
pub(crate) struct Memory {
    start: NonNull<u8>,
    length: usize,
}

impl Memory {
    /// A new one of this many bytes.
    pub(crate) fn new(length: usize) -> Result<Self> {
        let mapped = NonZeroUsize::new(length).context("an empty mapping")?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice aliases nothing.
        let start = unsafe { mmap_anonymous(None, mapped, protection, MapFlags::MAP_SHARED) }?;
        Ok(Self { start: start.cast(), length })
    }

    /// What lies at the beginning.
    pub(crate) fn head<T: Common>(&self) -> &T {
        assert!(size_of::<T>() <= self.length && align_of::<T>() <= 4096);
        // SAFETY: within the mapping, which is there until drop and begins at a page, and of a kind that may be shared.
        unsafe { self.start.cast::<T>().as_ref() }
    }

    /// Copies bytes to an offset. Nobody else uses the place meanwhile.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        let place = self.place(offset, bytes.len());
        // SAFETY: both are valid for this many bytes; a slice of ours does not lie in a mapping of ours.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.as_ptr(), bytes.len()) };
    }

    /// Copies bytes from an offset. Nobody writes them meanwhile.
    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) {
        let place = self.place(offset, bytes.len());
        // SAFETY: as in `write`.
        unsafe { std::ptr::copy_nonoverlapping(place.as_ptr(), bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Bytes where they lie. Nobody writes them while the slice is used.
    pub(crate) fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        // SAFETY: within the mapping, which is there until drop.
        unsafe { std::slice::from_raw_parts(self.place(offset, length).as_ptr(), length) }
    }

    fn place(&self, offset: usize, length: usize) -> NonNull<u8> {
        assert!(offset.checked_add(length).is_some_and(|end| end <= self.length));
        // SAFETY: within the mapping, as checked.
        unsafe { self.start.add(offset) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length; no reference into it outlives this value.
        let _stays_mapped = unsafe { nix::sys::mman::munmap(self.start.cast(), self.length) };
    }
}

/// Sleeps while the word has this value, until somebody wakes it (futex(2), between processes). It may also just return.
pub(crate) fn futex_wait(word: &AtomicU32, value: u32) {
    let no_timeout = std::ptr::null::<libc::timespec>();
    // SAFETY: the word is valid for the call; the kernel only reads it.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, value, no_timeout) };
}

/// Wakes one that sleeps on the word.
pub(crate) fn futex_wake(word: &AtomicU32) {
    // SAFETY: the kernel only looks who sleeps at the address, which is valid.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}
