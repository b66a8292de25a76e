//! Who descends from a process: to be who is in its Job object (`JobObjectBasicProcessIdList`); to end the Job ends
//! all.

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
