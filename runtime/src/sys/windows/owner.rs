//! Which process something in shared memory belongs to: its number, and the time of its start (`GetProcessTimes`), so that another that
//! gets the number is not taken for it.

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE,
    WaitForSingleObject,
};

use super::channel::last_code;
use super::escrow;
use crate::sys::own;
use crate::sys::shareable::shared_layout;

shared_layout! {
    /// An owner, as it lies in shared memory.
    pub(crate) struct OwnerCell {
        started: AtomicU64,
        pid: AtomicU32,
        _unused: AtomicU32,
    }
}

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: u32,
    started: u64,
}

/// The process of a number: its handle, nothing if there is none, or an error if it cannot be looked at.
fn open(pid: u32) -> Result<Option<OwnedHandle>, ()> {
    // SAFETY: it takes numbers.
    let process = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE, 0, pid) };
    if !process.is_null() {
        // SAFETY: the system has just made it for us.
        return Ok(Some(unsafe { OwnedHandle::from_raw_handle(process) }));
    }
    if last_code() == ERROR_INVALID_PARAMETER { Ok(None) } else { Err(()) }
}

/// Whether the process of a number surely runs no more, or is another by now.
fn is_gone(pid: u32, is_it: impl FnOnce(u64) -> bool) -> bool {
    match open(pid) {
        Ok(None) => true,
        Err(()) => false,
        Ok(Some(process)) => {
            let process = process.as_raw_handle();
            // SAFETY: a handle that is open; it is asked for and not waited for.
            let ended = unsafe { WaitForSingleObject(process, 0) } == WAIT_OBJECT_0;
            ended || escrow::started(process).is_ok_and(|started| !is_it(started))
        }
    }
}

impl Owner {
    /// This process.
    pub(crate) fn me() -> Self {
        static STARTED: OnceLock<u64> = OnceLock::new();
        let started = STARTED.get_or_init(|| {
            // SAFETY: a call without preconditions.
            escrow::started(unsafe { GetCurrentProcess() }).unwrap_or(0)
        });
        Self { pid: own::pid(), started: *started }
    }

    /// Whether it surely runs no more.
    pub(crate) fn is_dead(self) -> bool {
        self.pid != 0 && self.started != 0 && is_gone(self.pid, |started| started == self.started)
    }
}

/// This process in one word, which is not 0: its number, and of its start what changes fastest.
pub(crate) fn tag() -> u64 {
    short(Owner::me().pid, Owner::me().started)
}

/// Whether the process of a [`tag`] surely runs no more.
pub(crate) fn is_dead_tag(tag: u64) -> bool {
    let pid = (tag >> 32) as u32;
    // Of one that could not look at itself the start is not known.
    is_gone(pid, |started| tag & u64::from(u32::MAX) == 0 || short(pid, started) == tag)
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
        assert!(!me.is_dead() && !is_dead_tag(tag()));
        assert!(Owner { started: me.started - 1, ..me }.is_dead());
    }
}
