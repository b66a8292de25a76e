//! The program's own image: its build id is to be the `LC_UUID` of its Mach-O header (the GNU build id on the BSDs),
//! and functions are to travel as offsets from that header (`_dyld_get_image_header`, or `dl_iterate_phdr(3)`).
//! Until then the file itself is the identity.

use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

/// The identity of this build: equal in two processes exactly when they run the same file.
pub(crate) fn build_id() -> &'static [u8] {
    static IDENTITY: OnceLock<Vec<u8>> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let Ok(file) = std::env::current_exe().and_then(std::fs::metadata) else { return Vec::new() };
        [file.dev(), file.ino(), file.size(), file.mtime() as u64, file.mtime_nsec() as u64]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect()
    })
}

/// The offset of a function, if it lies in this image (and not, for instance, in a plug-in): not known yet.
pub(crate) fn offset_of<F: Copy>(_function: F) -> Option<u64> {
    None
}

/// The function at an offset that [`offset_of`] gave in a process of the same build: it gave none.
pub(crate) fn function_at<F: Copy>(_offset: u64) -> Option<F> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_has_an_identity() {
        assert!(!build_id().is_empty());
    }
}
