//! How much a process uses, as the kernel tells.

use super::table;

/// How many bytes of memory a process has resident, what it shares with others included; `None` when it has ended, and of one that
/// may not be looked at.
pub(crate) fn resident(pid: u32) -> Option<u64> {
    table::look(i32::try_from(pid).ok()?).filter(|seen| !seen.zombie)?.resident
}

/// How many bytes of memory this process has resident that are nobody else's: not told.
pub(crate) fn own() -> Option<u64> {
    None
}
