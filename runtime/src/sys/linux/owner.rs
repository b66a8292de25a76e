//! Which process something in shared memory belongs to, so that it can be taken back from a dead one.
//!
//! A number alone may be another process's by now; number and time of start (`proc_pid_stat(5)`) name one for good, as long
//! as all who look share a PID namespace. One from another namespace, or one that cannot be looked at, counts as alive: what it
//! held is lost until the memory is, which is the safe mistake.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

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

/// When a process started, in clock ticks since boot; `None` if there is no such process, or no telling.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return Some(ENDED);
    }
    fields.nth(18)?.parse().ok()
}

/// The start of a process that has ended and is not reaped.
const ENDED: u64 = u64::MAX;

impl Owner {
    /// This process.
    pub(crate) fn me() -> Self {
        static PID: AtomicU32 = AtomicU32::new(0);
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let pid = own::pid();
        if PID.load(Ordering::Acquire) != pid {
            STARTED.store(started(pid).unwrap_or(0), Ordering::Relaxed);
            PID.store(pid, Ordering::Release);
        }
        Self { pid, started: STARTED.load(Ordering::Relaxed) }
    }

    /// Whether it surely runs no more.
    pub(crate) fn is_dead(self) -> bool {
        if self.started == 0 || self.pid == 0 {
            return false;
        }
        match started(self.pid) {
            Some(started) => started != self.started,
            None => std::path::Path::new("/proc/self/stat").exists(),
        }
    }
}

/// For the tests of what other systems have: this process in one word, which is not 0: its number, and of its start what changes fastest.
#[cfg(test)]
pub(crate) fn tag() -> u64 {
    short(Owner::me().pid, Owner::me().started)
}

/// Whether the process of a [`tag`] surely runs no more.
#[cfg(test)]
pub(crate) fn is_dead_tag(tag: u64) -> bool {
    let pid = (tag >> 32) as u32;
    started(pid).is_none_or(|started| started == ENDED || short(pid, started) != tag)
}

#[cfg(test)]
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
