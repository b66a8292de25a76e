//! Pages that processes share: a section over the paging file, without a name.
//!
//! It is reserved (`SEC_RESERVE`): what the system promises to have room for is what somebody maps, and not what a section could become.

use std::io;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{self, NonNull};

use windows_sys::Win32::Foundation::{ERROR_INVALID_HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, MEM_COMMIT, MEMORY_BASIC_INFORMATION,
    MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, PAGE_READONLY, PAGE_READWRITE, SEC_RESERVE, UnmapViewOfFile,
    VirtualAlloc, VirtualQuery,
};

use super::channel::last_code;

/// How long memory can become at least. A section costs 8 bytes for each of its pages, whether they are used or not.
pub(crate) const CAPACITY: u64 = 1 << 30;

/// In two halves.
#[allow(clippy::cast_possible_truncation)]
fn halves(number: u64) -> (u32, u32) {
    ((number >> 32) as u32, number as u32)
}

/// Makes so many bytes, all zero.
pub(crate) fn create(size: u64) -> io::Result<OwnedHandle> {
    let (high, low) = halves(size);
    let protection = PAGE_READWRITE | SEC_RESERVE;
    // SAFETY: no file, no attributes and no name.
    let section =
        unsafe { CreateFileMappingW(INVALID_HANDLE_VALUE, ptr::null(), protection, high, low, ptr::null()) };
    if section.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system has just made it for us.
    Ok(unsafe { OwnedHandle::from_raw_handle(section) })
}

/// How many bytes there are: as many as a view of all of it has.
pub(crate) fn size(object: &OwnedHandle) -> io::Result<u64> {
    let all = View::new(object, FILE_MAP_READ, 0, 0).map_err(|error| match last_code() {
        ERROR_INVALID_HANDLE => io::ErrorKind::InvalidData.into(), // no section
        _ => error,
    })?;
    let start = all.0.Value;
    let mut size = 0;
    loop {
        let mut information = MaybeUninit::<MEMORY_BASIC_INFORMATION>::zeroed();
        let place = start.wrapping_byte_add(size);
        // SAFETY: the address is only looked up, and the place as large as is said.
        let filled =
            unsafe { VirtualQuery(place, information.as_mut_ptr(), size_of::<MEMORY_BASIC_INFORMATION>()) };
        // SAFETY: zeroed before, and filled by the call.
        let information = unsafe { information.assume_init() };
        if filled == 0 || information.AllocationBase != start {
            return Ok(size as u64);
        }
        size += information.RegionSize;
    }
}

/// Whether it can only be read by this handle: none is made that can.
#[allow(clippy::unnecessary_wraps)] // elsewhere it can fail
pub(crate) fn is_read_only(_object: &OwnedHandle) -> io::Result<bool> {
    Ok(false)
}

/// Where a mapping may begin: at multiples of this, on every Windows.
pub(crate) fn granularity() -> u64 {
    64 * 1024
}

/// A view of a section, until drop.
struct View(MEMORY_MAPPED_VIEW_ADDRESS);

impl View {
    /// Maps so many bytes; all, if there are none.
    fn new(section: &OwnedHandle, access: u32, offset: u64, length: usize) -> io::Result<Self> {
        let (high, low) = halves(offset);
        // SAFETY: the section is open, and mapped wherever there is room.
        let view = unsafe { MapViewOfFile(section.as_raw_handle(), access, high, low, length) };
        if view.Value.is_null() { Err(io::Error::last_os_error()) } else { Ok(Self(view)) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: mapped by us; no reference into it outlives this value.
        unsafe { UnmapViewOfFile(self.0) };
    }
}

/// Pages that are mapped, until drop.
pub(crate) struct Pages {
    view: View,
    start: NonNull<u8>,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("start", &self.start).finish_non_exhaustive()
    }
}

impl Pages {
    pub(crate) fn map(
        object: &OwnedHandle,
        offset: u64,
        length: NonZeroUsize,
        writable: bool,
    ) -> io::Result<Self> {
        let (access, protection) = if writable {
            (FILE_MAP_READ | FILE_MAP_WRITE, PAGE_READWRITE)
        } else {
            (FILE_MAP_READ, PAGE_READONLY)
        };
        let view = View::new(object, access, offset, length.get())?;
        // SAFETY: all of the view; where it has room already, it keeps it.
        let start = unsafe { VirtualAlloc(view.0.Value, length.get(), MEM_COMMIT, protection) };
        let start = NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Self { view, start })
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        debug_assert_eq!(self.view.0.Value.cast(), self.start.as_ptr());
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_as_long_as_it_was_made_whatever_of_it_is_in_use() {
        let section = create(1 << 28).unwrap();
        assert_eq!(size(&section).unwrap(), 1 << 28);
        let length = NonZeroUsize::new(100_000).unwrap();
        let _used = Pages::map(&section, 1 << 20, length, true).unwrap();
        assert_eq!(size(&section).unwrap(), 1 << 28);
    }
}
