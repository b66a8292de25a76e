//! Who descends from a process, by the parents that the system remembers (`CreateToolhelp32Snapshot`). A parent's number may be another's by
//! now: who is older than its parent is not its child.

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{ERROR_NO_MORE_FILES, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};

use super::escrow::started;
use super::process::Handle;

/// A descendant, held by a handle.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) handle: Handle,
    started: u64,
}

/// All processes, each with its parent.
fn all() -> io::Result<BTreeMap<u32, u32>> {
    // SAFETY: it takes numbers.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system has just made it for us.
    let snapshot = unsafe { OwnedHandle::from_raw_handle(snapshot) };
    // SAFETY: all zeros is a valid value of numbers.
    let mut entry: PROCESSENTRY32W = unsafe { MaybeUninit::zeroed().assume_init() };
    entry.dwSize = u32::try_from(size_of::<PROCESSENTRY32W>()).map_err(io::Error::other)?;
    let mut found = BTreeMap::new();
    // SAFETY: a snapshot, and a place of the size that it names.
    let mut more = unsafe { Process32FirstW(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        found.insert(entry.th32ProcessID, entry.th32ParentProcessID);
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot.as_raw_handle(), &raw mut entry) };
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(ERROR_NO_MORE_FILES as i32) => Ok(found),
        error => Err(error),
    }
}

/// The living descendants of `root`, without itself and without those in `known`, who count as ancestors too. A process whose parents were gone before anybody
/// looked is not found; it ends with the Job of the last of them, unless it was detached.
pub(crate) fn members(
    root: u32,
    _leads_group: bool,
    _reaped: bool,
    known: &[Member],
) -> io::Result<Vec<Member>> {
    let seen = all()?;
    let born = |pid| Handle::open(pid).ok().and_then(|handle| started(handle.object().as_raw_handle()).ok());
    let mut ancestors: BTreeMap<u32, u64> = BTreeMap::from([(root, born(root).unwrap_or(0))]);
    ancestors.extend(known.iter().map(|member| (member.handle.pid(), member.started)));
    let mut found: Vec<Member> = Vec::new();
    loop {
        let before = found.len();
        for (pid, parent) in &seen {
            let Some(parent_started) = ancestors.get(parent) else { continue };
            if ancestors.contains_key(pid) {
                continue;
            }
            // One that is gone, or another user's, is none of ours.
            let Ok(handle) = Handle::open(*pid) else { continue };
            let started = started(handle.object().as_raw_handle())?;
            if started >= *parent_started {
                ancestors.insert(*pid, started);
                found.push(Member { handle, started });
            }
        }
        if found.len() == before {
            return Ok(found);
        }
    }
}
