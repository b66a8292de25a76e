//! Where handles are kept that travel.
//!
//! No pipe of Windows keeps a handle. So who sends one duplicates it into a process that outlives both sides, the **root** of the tree (the program that
//! nobody of us started; a detached child is a root of its own), and the message says where it is; who receives it pulls it out of there. The
//! sender may end meanwhile. What nobody ever receives stays in the root until that ends: this is the known limit.

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use windows_sys::Win32::Foundation::{
    DUPLICATE_CLOSE_SOURCE, DUPLICATE_SAME_ACCESS, DuplicateHandle, FILETIME, HANDLE,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessTimes, OpenProcess, PROCESS_DUP_HANDLE, PROCESS_QUERY_LIMITED_INFORMATION,
};

use super::{Borrowed, Object};

/// A process, by its number and when it began: no other is mistaken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) pid: u32,
    pub(crate) started: u64,
}

impl Root {
    /// This process.
    fn own() -> Self {
        // SAFETY: a call without preconditions.
        let me = unsafe { GetCurrentProcess() };
        Self { pid: std::process::id(), started: started(me).unwrap_or(0) }
    }

    fn open(self) -> io::Result<OwnedHandle> {
        let access = PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION;
        // SAFETY: it takes numbers.
        let process = unsafe { OpenProcess(access, 0, self.pid) };
        if process.is_null() {
            return Err(gone(&io::Error::last_os_error()));
        }
        // SAFETY: the system has just made it for us.
        let process = unsafe { OwnedHandle::from_raw_handle(process) };
        if started(process.as_raw_handle())? == self.started {
            Ok(process)
        } else {
            Err(gone(&io::ErrorKind::NotFound.into()))
        }
    }
}

fn gone(error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("the process that keeps handles on their way is out of reach: {error}"),
    )
}

/// When a process began, in the system's ticks.
pub(super) fn started(process: HANDLE) -> io::Result<u64> {
    let mut times = [const { MaybeUninit::<FILETIME>::zeroed() }; 4];
    let [creation, exit, kernel, user] = times.each_mut().map(MaybeUninit::as_mut_ptr);
    // SAFETY: a handle, and four places of ours.
    if unsafe { GetProcessTimes(process, creation, exit, kernel, user) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed before, and filled by the call.
    let creation = unsafe { times[0].assume_init() };
    Ok(u64::from(creation.dwHighDateTime) << 32 | u64::from(creation.dwLowDateTime))
}

#[derive(Debug)]
struct State {
    /// What the parent said, until it is known whether this process belongs to its tree.
    offered: Option<Root>,
    root: Option<Root>,
    /// The last process that was opened.
    opened: Option<(Root, OwnedHandle)>,
}

static STATE: Mutex<State> = Mutex::new(State { offered: None, root: None, opened: None });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The root of this process's tree.
pub(super) fn root() -> Root {
    *state().root.get_or_insert_with(Root::own)
}

/// The root of the parent's tree: that of this process too if it [belongs](join_tree) there.
pub(super) fn offer_root(root: Root) {
    state().offered = Some(root);
}

/// This process belongs to the tree of its parent.
pub(super) fn join_tree() {
    let mut state = state();
    if let Some(root) = state.offered.take() {
        state.root = Some(root);
    }
}

impl State {
    /// A handle of a process: one that is no handle stands for this one.
    fn process(&mut self, root: Root) -> io::Result<HANDLE> {
        if root == Root::own() {
            // SAFETY: a call without preconditions.
            return Ok(unsafe { GetCurrentProcess() });
        }
        if self.opened.as_ref().is_none_or(|(other, _)| *other != root) {
            self.opened = Some((root, root.open()?));
        }
        Ok(self.opened.as_ref().map_or(ptr::null_mut(), |(_, process)| process.as_raw_handle()))
    }
}

/// Handles that lie in a root. Unless they are left there, they are taken back.
#[derive(Debug)]
pub(super) struct Deposit {
    root: Root,
    values: Vec<u64>,
}

impl Deposit {
    /// How many bytes say where so many handles are.
    pub(super) const fn length(count: usize) -> usize {
        if count == 0 { 0 } else { 4 + 8 + 8 * count }
    }

    pub(super) fn write_to(&self, message: &mut Vec<u8>) {
        if !self.values.is_empty() {
            message.extend(self.root.pid.to_le_bytes());
            message.extend(self.root.started.to_le_bytes());
            message.extend(self.values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }

    /// They are the receiver's now.
    pub(super) fn leave(mut self) {
        self.values.clear();
    }
}

impl Drop for Deposit {
    fn drop(&mut self) {
        for value in self.values.drain(..) {
            let _the_root_is_gone_and_with_it_the_handle = pull(self.root, value);
        }
    }
}

/// Duplicates handles into the root.
pub(super) fn deposit(objects: &[Borrowed<'_>]) -> io::Result<Deposit> {
    let root = root();
    let mut deposit = Deposit { root, values: Vec::with_capacity(objects.len()) };
    for object in objects {
        let mut state = state();
        let target = state.process(root)?;
        // SAFETY: a call without preconditions.
        let me = unsafe { GetCurrentProcess() };
        let mut value: HANDLE = ptr::null_mut();
        // SAFETY: the object and the process are open, and the place is ours. The new handle is not inherited.
        let done = unsafe {
            DuplicateHandle(me, object.as_raw_handle(), target, &raw mut value, 0, 0, DUPLICATE_SAME_ACCESS)
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        deposit.values.push(value.addr() as u64);
    }
    Ok(deposit)
}

/// Takes a handle out of a root.
fn pull(root: Root, value: u64) -> io::Result<Object> {
    let value: HANDLE =
        ptr::without_provenance_mut(usize::try_from(value).map_err(|_| io::ErrorKind::InvalidData)?);
    let mut state = state();
    let source = state.process(root)?;
    // SAFETY: a call without preconditions.
    let me = unsafe { GetCurrentProcess() };
    let mut object: HANDLE = ptr::null_mut();
    let options = DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE;
    // SAFETY: the process is open, the place is ours, and a number that is no handle there is refused.
    if unsafe { DuplicateHandle(source, value, me, &raw mut object, 0, 0, options) } == 0 {
        return Err(gone(&io::Error::last_os_error()));
    }
    // SAFETY: the system has just made it for us.
    Ok(unsafe { OwnedHandle::from_raw_handle(object) })
}

/// Takes the handles that a [`Deposit`] wrote down.
pub(super) fn withdraw(deposit: &[u8]) -> io::Result<Vec<Object>> {
    let Some((pid, rest)) = deposit.split_first_chunk() else { return Ok(Vec::new()) };
    let Some((started, values)) = rest.split_first_chunk() else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let root = Root { pid: u32::from_le_bytes(*pid), started: u64::from_le_bytes(*started) };
    let values = values.chunks_exact(8).map(|value| value.try_into().map_or(0, u64::from_le_bytes));
    let pulled: Vec<io::Result<Object>> = values.map(|value| pull(root, value)).collect();
    pulled.into_iter().collect() // all are taken, whatever becomes of one
}
