//! Who descends from a process, read from `/proc` (`proc_pid_stat(5)`).

use std::collections::BTreeMap;
use std::fs;
use std::io;

use super::process::Handle;

/// One process as `/proc` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    parent: i32,
    group: i32,
    /// Clock ticks since boot: with the number, this names a process for good.
    started: u64,
    zombie: bool,
}

/// Parses `/proc/PID/stat`; the command name in brackets may itself hold brackets and spaces.
fn parse(stat: &str) -> Option<Seen> {
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ');
    let zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let started = fields.nth(16)?.parse().ok()?;
    Some(Seen { parent, group, started, zombie })
}

fn look(pid: i32) -> Option<Seen> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn all() -> io::Result<BTreeMap<i32, Seen>> {
    Ok(fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, look(pid)?)))
        .collect())
}

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
    let seen = all()?;
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
            if look(pid).is_some_and(|now| now.started == seen[&pid].started) {
                found.push(Member { handle, started: seen[&pid].started });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_brackets_and_spaces_is_no_obstacle() {
        let stat = "42 (a) b (c) S 7 42 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 0 0";
        assert_eq!(parse(stat), Some(Seen { parent: 7, group: 42, started: 98765, zombie: false }));
    }

    #[test]
    fn this_process_is_seen_with_its_parent() {
        let me = std::process::id() as i32;
        assert_eq!(look(me).map(|seen| seen.parent as u32), Some(std::os::unix::process::parent_id()));
    }
}
