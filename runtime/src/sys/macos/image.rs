//! The program's own image: its build id is the `LC_UUID` of its Mach-O header, and functions travel as offsets from that header,
//! which hold in every process of one build wherever the loader put it (`dladdr(3)`, `mach-o/loader.h`). Elsewhere, and without
//! such an id, the file itself is the identity, and functions do not travel.

use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

/// The object file that holds this library: the program, or a shared library of it.
#[derive(Debug)]
struct Image {
    base: usize,
    /// The executable parts, as addresses.
    code: Vec<Range<usize>>,
    build: Vec<u8>,
}

fn image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let mut image = find().unwrap_or_else(|| Image { base: 0, code: Vec::new(), build: Vec::new() });
        if image.build.is_empty() {
            image.build = identity_of_file();
        }
        image
    })
}

fn identity_of_file() -> Vec<u8> {
    let Ok(file) = std::env::current_exe().and_then(std::fs::metadata) else { return Vec::new() };
    [file.dev(), file.ino(), file.size(), file.mtime() as u64, file.mtime_nsec() as u64]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect()
}

#[cfg(all(target_vendor = "apple", target_pointer_width = "64"))]
fn find() -> Option<Image> {
    use std::mem::MaybeUninit;

    use crate::sys::unix::macho;

    /// A function whose address lies in the image that we look for.
    fn anchor() {}

    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    let address = (anchor as fn() as usize) as *const libc::c_void;
    // SAFETY: any address may be asked for, and the place is valid for writing.
    if unsafe { libc::dladdr(address, info.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: written by the successful call.
    let base = unsafe { info.assume_init() }.dli_fbase;
    // SAFETY: the loader keeps the header of an image mapped as long as the image is, which this code is part of.
    let header = unsafe { std::slice::from_raw_parts(base.cast::<u8>(), macho::HEADER) };
    let length = macho::HEADER.checked_add(macho::length_of_commands(header)?)?;
    // SAFETY: the commands follow the header, as long as it says, in the same mapping.
    let header = unsafe { std::slice::from_raw_parts(base.cast::<u8>(), length) };
    let parsed = macho::parse(header)?;
    let base = base.addr();
    let here = |address: u64| {
        let offset = usize::try_from(address.wrapping_sub(parsed.base)).unwrap_or(0);
        base.wrapping_add(offset)
    };
    let code = parsed.code.iter().map(|range| here(range.start)..here(range.end)).collect();
    Some(Image { base, code, build: parsed.build.map(Vec::from).unwrap_or_default() })
}

#[cfg(not(all(target_vendor = "apple", target_pointer_width = "64")))]
fn find() -> Option<Image> {
    None
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
    fn this_build_has_an_identity() {
        assert!(!build_id().is_empty());
    }

    #[test]
    fn a_function_is_found_again_by_its_offset() {
        let Some(offset) = offset_of(build_id as fn() -> &'static [u8]) else { return };
        let found: fn() -> &'static [u8] = function_at(offset).expect("in this image");
        assert_eq!(found(), build_id());
    }
}
