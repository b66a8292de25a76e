//! How much memory can be had: to be `host_statistics64`, less what the compressor holds.

/// About how many bytes of memory this process could still get, if the system tells.
pub(crate) fn available() -> Option<u64> {
    None
}
