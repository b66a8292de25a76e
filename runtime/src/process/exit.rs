//! The rules at the end of a process: what becomes of its children.
//!
//! They hold however the process ends of itself: by a return from `main` or `run`, by `std::process::exit` on any thread,
//! or by a panic. A process that is killed cannot follow them: its children's lifelines do it for them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{children, watcher};
use crate::launch::{self, StartError, leave};
use crate::sys::process::Signal;
use crate::sys::{fork, poller};

/// How long a daemon may take to end by itself once it was told to.
const DAEMON_GRACE: Duration = Duration::from_secs(2);

/// This process is ending: what would be started now would not be waited for.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Sees to it that the rules are followed, in this process and in copies of it. Called at each start.
pub(crate) fn register() -> Result<(), StartError> {
    if ENDING.load(Ordering::Acquire) {
        return Err(StartError::Ending);
    }
    prepare_copies();
    leave::register_rules(follow_rules);
    Ok(())
}

/// Sees to it that copies of this process let go of what is its own.
pub(crate) fn prepare_copies() {
    fork::on_fork_in_child(forget);
}

/// In a copy of this process, which has no children.
fn forget() {
    ENDING.store(false, Ordering::Release);
    children::forget();
    watcher::forget();
    launch::forget();
}

fn follow_rules() {
    ENDING.store(true, Ordering::Release);
    terminate_daemons();
    join_others();
}

/// Daemons are told to end, and made to after a grace.
fn terminate_daemons() {
    let daemons: Vec<_> =
        children::all().into_iter().filter(|child| child.identity.daemon && !child.detached).collect();
    for daemon in &daemons {
        let _ended_already = daemon.signal(Signal::Terminate);
    }
    let deadline = poller::deadline(Some(DAEMON_GRACE));
    for daemon in daemons {
        if let Ok(None) = daemon.wait(deadline) {
            let _ended_meanwhile = daemon.signal(Signal::Kill);
            let _reaped = daemon.wait(None);
        }
        children::remove(&daemon);
    }
}

/// Everybody else is waited for, those included that are started meanwhile by other threads.
fn join_others() {
    while let Some(child) =
        children::all().into_iter().find(|child| !child.detached && !child.identity.daemon)
    {
        let _status_is_nobodys = child.wait(None);
        children::remove(&child);
    }
}
