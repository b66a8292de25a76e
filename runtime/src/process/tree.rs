//! Ends a child with everything that descends from it.

use std::io;
use std::time::{Duration, Instant};

use crate::sys::poller;
use crate::sys::process::Signal;
use crate::sys::tree::{Member, members};

/// How long the dead may take to be gone: the kernel needs no more, and a process in uninterruptible sleep may need ever so long.
const BURIAL: Duration = Duration::from_secs(5);

/// The process at the top.
pub(crate) trait Root {
    fn pid(&self) -> u32;

    /// Whether it leads, or led, a process group of its own number.
    fn leads_group(&self) -> bool;

    /// Whether it has been reaped, so that its number may be another's.
    fn is_reaped(&self) -> bool;

    /// Sends it a signal, if it has not ended.
    fn signal(&self, signal: Signal) -> io::Result<()>;

    /// What becomes ready when it ends.
    fn sentinel(&self) -> poller::Sentinel<'_>;
}

/// Who is below it, except those who are known.
fn look(root: &impl Root, known: &[Member]) -> io::Result<Vec<Member>> {
    loop {
        let reaped = root.is_reaped();
        let found = members(root.pid(), root.leads_group(), reaped, known)?;
        // Its number was its own all the time, or was not looked at: somebody else may reap it.
        if reaped == root.is_reaped() {
            return Ok(found);
        }
    }
}

/// Tells all to end, waits, and makes the rest end.
///
/// Who is found is held by a handle from then on, so no number is signalled that has changed hands. Processes that
/// are born meanwhile are looked for again until a look finds nobody new.
pub(crate) fn terminate(root: &impl Root, grace: Duration) -> io::Result<()> {
    let mut known = look(root, &[])?;
    // The child first: else it might start others in the place of its descendants.
    if !grace.is_zero() {
        let _one_with_other_rights_is_killed_or_reported_below = signal_all(root, &known, Signal::Terminate);
        await_all(root, &known, poller::deadline(Some(grace)))?;
    }
    loop {
        root.signal(Signal::Kill)?;
        let fresh = look(root, &known)?;
        let found_nobody = fresh.is_empty();
        known.extend(fresh);
        let signalled = signal_all(root, &known, Signal::Kill);
        if found_nobody {
            await_all(root, &known, poller::deadline(Some(BURIAL)))?;
            return signalled;
        }
    }
}

/// Signals all; who may not be signalled keeps nobody else from it, and is the error.
fn signal_all(root: &impl Root, known: &[Member], signal: Signal) -> io::Result<()> {
    let mut outcome = root.signal(signal);
    for member in known {
        outcome = outcome.and(member.handle.signal(signal));
    }
    outcome
}

/// Waits until all have ended, or the deadline.
fn await_all(root: &impl Root, known: &[Member], deadline: Option<Instant>) -> io::Result<()> {
    let sentinels = known.iter().map(|member| member.handle.sentinel()).chain([root.sentinel()]);
    for sentinel in sentinels {
        poller::wait(&[sentinel], deadline)?;
    }
    Ok(())
}
