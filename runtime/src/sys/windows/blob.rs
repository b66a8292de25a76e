//! Bytes out of line, alive after their writer: a section without a name (`CreateFileMappingW` over the paging file), whose handle travels with the message and
//! whose first word is the length of what follows. It cannot be sealed, so who reads it copies it.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS,
    MapViewOfFile, PAGE_READWRITE, UnmapViewOfFile, VirtualQuery,
};

use super::Object;

const WORD: usize = size_of::<u64>();

/// A view of a section, until drop.
struct View(MEMORY_MAPPED_VIEW_ADDRESS);

impl View {
    fn new(section: &Object, access: u32) -> io::Result<Self> {
        // SAFETY: the section is open, and all of it is mapped, wherever there is room.
        let view = unsafe { MapViewOfFile(section.as_raw_handle(), access, 0, 0, 0) };
        if view.Value.is_null() { Err(io::Error::last_os_error()) } else { Ok(Self(view)) }
    }

    fn start(&self) -> *mut u8 {
        self.0.Value.cast()
    }

    /// How many bytes are mapped: whole pages.
    fn length(&self) -> io::Result<usize> {
        let mut information = std::mem::MaybeUninit::<MEMORY_BASIC_INFORMATION>::zeroed();
        let size = size_of::<MEMORY_BASIC_INFORMATION>();
        // SAFETY: the view is mapped, and the place as large as is said.
        if unsafe { VirtualQuery(self.0.Value, information.as_mut_ptr(), size) } == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: zeroed before, and filled by the call.
        Ok(unsafe { information.assume_init() }.RegionSize)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: mapped by us, and not used any more.
        unsafe { UnmapViewOfFile(self.0) };
    }
}

/// Writes the bytes to a new blob.
pub(crate) fn write(parts: &[&[u8]]) -> io::Result<Object> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let size = (length + WORD) as u64;
    #[allow(clippy::cast_possible_truncation)] // in two halves
    let (high, low) = ((size >> 32) as u32, size as u32);
    // SAFETY: no file, no attributes and no name.
    let section = unsafe {
        CreateFileMappingW(INVALID_HANDLE_VALUE, ptr::null(), PAGE_READWRITE, high, low, ptr::null())
    };
    if section.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system has just made it for us.
    let section = unsafe { OwnedHandle::from_raw_handle(section) };
    let view = View::new(&section, FILE_MAP_WRITE)?;
    let word = (length as u64).to_ne_bytes();
    let mut place = 0;
    for part in std::iter::once(&word[..]).chain(parts.iter().copied()) {
        // SAFETY: the section has room for the word and all parts, and nobody else knows of it.
        let target = unsafe { view.start().add(place) };
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(part.as_ptr(), target, part.len()) };
        place += part.len();
    }
    Ok(section)
}

/// A copy of all bytes of a blob.
pub(crate) fn read(object: &Object) -> io::Result<bytes::Bytes> {
    let view = View::new(object, FILE_MAP_READ)?;
    let mapped = view.length()?;
    let mut word = [0; WORD];
    // SAFETY: a view has a page at least; what somebody might write meanwhile is copied as it comes.
    unsafe { ptr::copy_nonoverlapping(view.start(), word.as_mut_ptr(), WORD) };
    let length = usize::try_from(u64::from_ne_bytes(word)).unwrap_or(usize::MAX);
    if length > mapped - WORD {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a blob is shorter than it says"));
    }
    let mut bytes: Vec<u8> = Vec::with_capacity(length);
    // SAFETY: a view is longer than the word.
    let source = unsafe { view.start().add(WORD) };
    // SAFETY: so many bytes are mapped, and there is room for them.
    unsafe { ptr::copy_nonoverlapping(source, bytes.as_mut_ptr(), length) };
    // SAFETY: so many were written.
    unsafe { bytes.set_len(length) };
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for length in [0, 1, 4095, 4096, 4097, 1 << 20] {
            let blob = write(&[b"a", &vec![7; length], b"b"]).unwrap();
            let bytes = read(&blob).unwrap();
            assert!(bytes[0] == b'a' && bytes[1..=length] == vec![7; length] && bytes[length + 1..] == *b"b");
        }
        assert!(read(&write(&[]).unwrap()).unwrap().is_empty());
    }
}
