//! Ends a child with everything that descends from it.

use std::io;
use std::time::{Duration, Instant};

use super::record::Record;
use crate::sys::poller;
use crate::sys::process::Signal;
use crate::sys::tree::{Member, members};

/// How long the dead may take to be gone: the kernel needs no more, and a process in uninterruptible sleep may need ever so long.
const BURIAL: Duration = Duration::from_secs(5);

/// Tells all to end, waits, and makes the rest end.
///
/// Who is found is held by a handle from then on, so no number is signalled that has changed hands. Processes that
/// are born meanwhile are looked for again until a look finds nobody new.
pub(crate) fn terminate(root: &Record, grace: Duration) -> io::Result<()> {
    let mut known: Vec<Member> = Vec::new();
    known.extend(members(root.pid, root.leads_group(), root.is_reaped(), &known));
    if !grace.is_zero() {
        // Descendants first would let an ancestor start others in their place: the child first.
        root.signal(Signal::Terminate)?;
        for member in &known {
            member.handle.signal(Signal::Terminate)?;
        }
        await_all(root, &known, poller::deadline(Some(grace)))?;
    }
    loop {
        root.signal(Signal::Kill)?;
        let fresh = members(root.pid, root.leads_group(), root.is_reaped(), &known);
        let found_nobody = fresh.is_empty();
        known.extend(fresh);
        for member in &known {
            member.handle.signal(Signal::Kill)?;
        }
        if found_nobody {
            return await_all(root, &known, poller::deadline(Some(BURIAL)));
        }
    }
}

/// Waits until all have ended, or the deadline.
fn await_all(root: &Record, known: &[Member], deadline: Option<Instant>) -> io::Result<()> {
    let mut ended = poller::wait(&[root.sentinel()], deadline)?[0];
    for member in known {
        ended &= poller::wait(&[member.handle.sentinel()], deadline)?[0];
    }
    debug_assert!(ended || deadline.is_some(), "without a deadline all have ended");
    Ok(())
}
