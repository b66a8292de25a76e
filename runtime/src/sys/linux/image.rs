//! The program's own image: its build id, and its functions as offsets, which hold in every process of one build
//! wherever the loader put it (`dl_iterate_phdr(3)`, `elf(5)`).

use std::ffi::c_void;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

#[cfg(target_pointer_width = "64")]
type Header = libc::Elf64_Phdr;
#[cfg(target_pointer_width = "32")]
type Header = libc::Elf32_Phdr;

/// The object file that holds this library: the program, or a shared library of it.
#[derive(Debug)]
struct Image {
    base: usize,
    /// The executable parts, as addresses.
    code: Vec<std::ops::Range<usize>>,
    build: Vec<u8>,
}

fn image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(find)
}

/// A function whose address lies in the image that we look for.
fn anchor() -> usize {
    anchor as fn() -> usize as usize
}

fn find() -> Image {
    let mut image = Image { base: 0, code: Vec::new(), build: Vec::new() };
    // SAFETY: the callback matches the signature and the pointer is to `image`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut image).cast()) };
    if image.build.is_empty() {
        image.build = identity_of_file();
    }
    image
}

/// Without a build id in the file, the file itself is the identity; `/proc/self/exe` names it even when replaced.
fn identity_of_file() -> Vec<u8> {
    let Ok(file) = std::fs::metadata("/proc/self/exe") else { return Vec::new() };
    [file.dev(), file.ino(), file.size(), file.mtime() as u64, file.mtime_nsec() as u64]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect()
}

unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _size: usize, data: *mut c_void) -> i32 {
    // SAFETY: the loader passes a valid structure.
    let info = unsafe { &*info };
    // SAFETY: `data` is the image that `find` passed.
    let image = unsafe { &mut *data.cast::<Image>() };
    // SAFETY: the loader's table of headers has this many entries.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let base = to_usize(info.dlpi_addr);
    let range = |header: &Header| {
        let start = base + to_usize(header.p_vaddr);
        start..start + to_usize(header.p_memsz)
    };
    let code: Vec<_> = headers
        .iter()
        .filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0)
        .map(range)
        .collect();
    if !code.iter().any(|range| range.contains(&anchor())) {
        return 0; // another object: go on
    }
    image.base = base;
    image.code = code;
    for notes in headers.iter().filter(|header| header.p_type == libc::PT_NOTE).map(range) {
        // SAFETY: a note segment is mapped and readable over its whole length.
        let bytes = unsafe { std::slice::from_raw_parts(notes.start as *const u8, notes.len()) };
        if let Some(build) = gnu_build_id(bytes) {
            image.build = build.to_vec();
        }
    }
    1
}

fn to_usize(value: impl TryInto<usize>) -> usize {
    value.try_into().unwrap_or_else(|_| unreachable!("an address fits a pointer"))
}

/// Finds the `NT_GNU_BUILD_ID` note among the notes of a segment.
fn gnu_build_id(mut notes: &[u8]) -> Option<&[u8]> {
    const NT_GNU_BUILD_ID: u32 = 3;
    let word = |bytes: &[u8], at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    loop {
        let name_length = word(notes, 0)? as usize;
        let length = word(notes, 4)? as usize;
        let kind = word(notes, 8)?;
        let name = notes.get(12..12 + name_length)?;
        let start = 12 + name_length.next_multiple_of(4);
        let content = notes.get(start..start + length)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" {
            return Some(content);
        }
        notes = notes.get(start + length.next_multiple_of(4)..)?;
    }
}

/// The identity of this build: equal in two processes exactly when they run the same file.
pub(crate) fn build_id() -> &'static [u8] {
    &image().build
}

/// The offset of a function, if it lies in this image (and not, for instance, in a plug-in).
pub(crate) fn offset_of<F: Copy>(function: F) -> Option<u64> {
    const { assert!(size_of::<F>() == size_of::<usize>(), "a function pointer") };
    // SAFETY: F has the size of a pointer, and every function pointer can be read as an address.
    let address: usize = unsafe { std::mem::transmute_copy(&function) };
    let image = image();
    image.code.iter().any(|range| range.contains(&address)).then(|| (address - image.base) as u64)
}

/// The function at an offset that [`offset_of`] gave in a process of the same build.
pub(crate) fn function_at<F: Copy>(offset: u64) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<usize>(), "a function pointer") };
    let image = image();
    let address = image.base.checked_add(usize::try_from(offset).ok()?)?;
    if !image.code.iter().any(|range| range.contains(&address)) {
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
    fn a_function_is_found_again_by_its_offset() {
        let offset = offset_of(anchor as fn() -> usize).expect("in this image");
        let found: fn() -> usize = function_at(offset).expect("in this image");
        assert_eq!(found(), anchor());
    }

    #[test]
    fn an_offset_outside_the_code_is_refused() {
        assert!(function_at::<fn()>(u64::MAX).is_none());
        assert!(function_at::<fn()>(0).is_none());
    }

    #[test]
    fn this_build_has_an_identity() {
        assert!(!build_id().is_empty());
    }
}
