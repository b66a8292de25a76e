//! The program's own image: the file is its identity, and functions travel as offsets from where it is mapped.

use std::os::windows::fs::MetadataExt;
use std::sync::OnceLock;

use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;

/// The identity of this build: equal in two processes exactly when they run the same file.
pub(crate) fn build_id() -> &'static [u8] {
    static IDENTITY: OnceLock<Vec<u8>> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let Ok(file) = std::env::current_exe().and_then(std::fs::metadata) else { return Vec::new() };
        [file.creation_time(), file.last_write_time(), file.file_size()]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect()
    })
}

/// Where the code of this program lies.
fn code() -> Option<(usize, std::ops::Range<usize>)> {
    static CODE: OnceLock<Option<(usize, std::ops::Range<usize>)>> = OnceLock::new();
    CODE.get_or_init(find_code).clone()
}

fn find_code() -> Option<(usize, std::ops::Range<usize>)> {
    // SAFETY: no name asks for the program itself, which is never unloaded.
    let base = unsafe { GetModuleHandleW(std::ptr::null()) };
    let start = base.addr();
    let number = |offset: usize| {
        // SAFETY: the headers of a program lie at its start, as the system mapped it, and this is within them.
        let place = unsafe { base.cast::<u8>().add(offset) };
        // SAFETY: as above.
        unsafe { place.cast::<u32>().read_unaligned() }
    };
    // The header of MS-DOS says where that of the program is, whose optional part is behind 24 bytes (PE format).
    let header = number(0x3c) as usize;
    let (length, first) = (number(header + 24 + 4) as usize, number(header + 24 + 20) as usize);
    (!base.is_null()).then(|| (start, start + first..start + first + length))
}

/// The offset of a function, if it lies in this image (and not, for instance, in a plug-in).
pub(crate) fn offset_of<F: Copy>(function: F) -> Option<u64> {
    const { assert!(size_of::<F>() == size_of::<usize>(), "a function pointer") };
    // SAFETY: F has the size of a pointer, and every function pointer can be read as an address.
    let address: usize = unsafe { std::mem::transmute_copy(&function) };
    let (base, code) = code()?;
    code.contains(&address).then(|| (address - base) as u64)
}

/// The function at an offset that [`offset_of`] gave in a process of the same build.
pub(crate) fn function_at<F: Copy>(offset: u64) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<usize>(), "a function pointer") };
    let (base, code) = code()?;
    let address = base.checked_add(usize::try_from(offset).ok()?)?;
    if !code.contains(&address) {
        return None;
    }
    // SAFETY: the address lies in the code of this image; that a function of type F begins there follows from the
    // offset's origin, a process of the same build, which the handshake has checked.
    Some(unsafe { std::mem::transmute_copy(&address) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_has_an_identity() {
        assert!(!build_id().is_empty());
    }
}
