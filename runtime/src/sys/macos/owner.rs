//! Which process something in shared memory belongs to, so that it can be taken back from a dead one.
//!
//! A number alone may be another process's by now; number and time of start name one for good. One that cannot be looked at although
//! it is there counts as alive: what it held is lost until the memory is, which is the safe mistake.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use nix::errno::Errno;

use super::table;
use crate::sys::own;
use crate::sys::shareable::shared_layout;

shared_layout! {
    /// An owner, as it lies in shared memory.
    pub(crate) struct OwnerCell {
        pid: AtomicU32,
        started: AtomicU64,
    }
}

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: u32,
    started: u64,
}

impl Owner {
    /// This process.
    pub(crate) fn me() -> Self {
        static PID: AtomicU32 = AtomicU32::new(0);
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let pid = own::pid();
        if PID.load(Ordering::Acquire) != pid {
            let started = table::look(pid as i32).map_or(0, |seen| seen.started);
            STARTED.store(started, Ordering::Relaxed);
            PID.store(pid, Ordering::Release);
        }
        Self { pid, started: STARTED.load(Ordering::Relaxed) }
    }

    /// Whether it surely runs no more.
    pub(crate) fn is_dead(self) -> bool {
        if self.started == 0 || self.pid == 0 {
            return false;
        }
        match table::look(self.pid as i32) {
            Some(seen) => seen.zombie || seen.started != self.started,
            None => {
                let pid = nix::unistd::Pid::from_raw(self.pid as i32);
                nix::sys::signal::kill(pid, None) == Err(Errno::ESRCH)
            }
        }
    }
}

/// This process in one word, which is not 0: its number, and of its start what changes fastest.
pub(crate) fn tag() -> u64 {
    short(Owner::me().pid, Owner::me().started)
}

/// Whether the process of a [`tag`] surely runs no more.
pub(crate) fn is_dead_tag(tag: u64) -> bool {
    let pid = (tag >> 32) as u32;
    match table::look(pid as i32) {
        // Of one that could not look at itself the start is not known.
        Some(seen) => seen.zombie || (tag & u64::from(u32::MAX) != 0 && short(pid, seen.started) != tag),
        None => {
            let pid = nix::unistd::Pid::from_raw(pid as i32);
            nix::sys::signal::kill(pid, None) == Err(Errno::ESRCH)
        }
    }
}

fn short(pid: u32, started: u64) -> u64 {
    u64::from(pid) << 32 | started & u64::from(u32::MAX)
}

impl OwnerCell {
    pub(crate) fn set(&self, owner: Owner) {
        self.started.store(owner.started, Ordering::Relaxed);
        self.pid.store(owner.pid, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Owner {
        Owner { pid: self.pid.load(Ordering::Relaxed), started: self.started.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_one_of_its_number_that_started_earlier_is_not() {
        let me = Owner::me();
        assert!(!me.is_dead());
        assert!(Owner { started: me.started - 1, ..me }.is_dead());
    }
}
