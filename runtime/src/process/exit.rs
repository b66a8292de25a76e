//! The rules at the end of a process: what becomes of its children.
//!
//! They hold however the process ends of itself: by a return from `main`, by `std::process::exit` on any thread, or
//! by a panic of `main`. They run as an exit hook of the C library, after the hooks that the program registered later.
//! A process that is killed cannot follow them: its children's lifelines do it for them.

use std::io::Write;
use std::sync::Once;
use std::time::Duration;

use super::{children, watcher};
use crate::launch;
use crate::sys::process::Signal;
use crate::sys::{fork, poller, runtime};

/// How long a daemon may take to end by itself once it was told to.
const DAEMON_GRACE: Duration = Duration::from_secs(2);

/// Sees to it that the rules are followed, in this process and in copies of it. Called at each start.
pub(crate) fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        fork::on_fork_in_child(forget);
        let registered = runtime::at_exit(follow_rules);
        debug_assert!(registered.is_ok(), "atexit: out of memory");
    });
}

/// In a copy of this process, which has no children.
fn forget() {
    children::forget();
    watcher::forget();
    launch::forget();
}

extern "C" fn follow_rules() {
    // Nobody may be told of a failure here, and none may keep the process from ending.
    let _ended_regardless = std::panic::catch_unwind(|| {
        let _unwritable = std::io::stdout().flush();
        terminate_daemons();
        join_others();
    });
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
