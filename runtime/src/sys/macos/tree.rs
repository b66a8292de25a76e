//! Who descends from a process: to be read with `proc_listchildpids` and `proc_listpgrppids` (`sysctl(3)` with
//! `KERN_PROC` on the BSDs), and each member confirmed by its start time (`PROC_PIDTBSDINFO`) after its handle is open.

use super::process::Handle;

/// A descendant, held by a handle.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) handle: Handle,
}

/// The living descendants of a child. Nobody has a child yet.
pub(crate) fn members(
    _root: u32,
    _leads_group: bool,
    _reaped: bool,
    _known: &[Member],
) -> std::io::Result<Vec<Member>> {
    Ok(Vec::new())
}
