//! Who descends from a process, as the kernel's [`table`] tells.

use std::collections::BTreeMap;
use std::io;

use super::process::Handle;
use super::table::{self, Seen};

/// A descendant, held by a handle.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) handle: Handle,
    /// Tells it from another process that gets its number.
    started: u64,
}

/// The living descendants of `root` and the members of the process groups that it (if `leads_group` says that it leads
/// one) and its descendants lead, without itself and without those in `known`.
///
/// Of a root that has been `reaped` only the group is left, and only until another process has its number. Members of
/// `known` count as ancestors too. The group of a descendant that is dead but not reaped still counts: no other can have
/// that number.
pub(crate) fn members(
    root: u32,
    leads_group: bool,
    reaped: bool,
    known: &[Member],
) -> io::Result<Vec<Member>> {
    let seen: BTreeMap<i32, Seen> = table::all()?.into_iter().collect();
    let root = root as i32;
    let leads_group = leads_group && !(reaped && seen.contains_key(&root));
    let mut family: Vec<i32> = if reaped { Vec::new() } else { vec![root] };
    let still_there = |member: &&Member| {
        seen.get(&(member.handle.pid() as i32)).is_some_and(|process| process.started == member.started)
    };
    family.extend(known.iter().filter(still_there).map(|member| member.handle.pid() as i32));
    let mut found = Vec::new();
    // Children follow their parents in number only by chance: go round until a round finds nobody.
    loop {
        let fresh: Vec<i32> = seen
            .iter()
            .filter(|(pid, process)| {
                let related = family.contains(&process.parent)
                    || family.contains(&process.group)
                    || (leads_group && process.group == root);
                related && !family.contains(pid)
            })
            .map(|(pid, _)| *pid)
            .collect();
        if fresh.is_empty() {
            return Ok(found);
        }
        for pid in fresh {
            family.push(pid);
            if seen[&pid].zombie {
                continue;
            }
            // Between the look and the handle the number may have changed hands: look again.
            let handle = match Handle::open(pid as u32) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                handle => handle?,
            };
            if table::look(pid).is_some_and(|now| now.started == seen[&pid].started) {
                found.push(Member { handle, started: seen[&pid].started });
            }
        }
    }
}
