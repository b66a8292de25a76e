//! Which process something in shared memory belongs to: to be its number and the time of its start, of
//! `proc_pidinfo(PROC_PIDTBSDINFO)` on macOS, `sysctl(KERN_PROC_PID)` on the BSDs, `GetProcessTimes` on Windows. Until then no
//! process is known to be dead, which is the safe mistake.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::own;
use crate::sys::shareable::shared_layout;

shared_layout! {
    /// An owner, as it lies in shared memory.
    pub(crate) struct OwnerCell {
        pid: AtomicU32,
    }
}

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: u32,
}

impl Owner {
    /// This process.
    pub(crate) fn me() -> Self {
        Self { pid: own::pid() }
    }

    /// Whether it surely runs no more.
    #[allow(clippy::unused_self)] // others are looked at
    pub(crate) fn is_dead(self) -> bool {
        false
    }
}

impl OwnerCell {
    pub(crate) fn set(&self, owner: Owner) {
        self.pid.store(owner.pid, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Owner {
        Owner { pid: self.pid.load(Ordering::Relaxed) }
    }
}
