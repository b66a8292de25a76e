//! The number of this process, which Windows keeps where the process itself can read it.

/// The process id of this process.
#[inline]
pub(crate) fn pid() -> u32 {
    std::process::id()
}
