//! A process dies when its parent does, however that died: its children are in a Job object of its own with
//! `JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE`, whose only handle it holds, so that the system closes it with the process. The child has nothing to arm
//! then, and a program that it starts is in the Job as well. What it is given is a handle of its parent, as a word that it belongs there.

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, IsProcessInJob, JOB_OBJECT_LIMIT_BREAKAWAY_OK,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::{Object, escrow};

static JOB: Mutex<Option<Arc<OwnedHandle>>> = Mutex::new(None);

/// The Job of this process's children. Nobody else gets a handle of it.
pub(super) fn job() -> io::Result<Arc<OwnedHandle>> {
    let mut job = JOB.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(job) = &*job {
        return Ok(Arc::clone(job));
    }
    let new = Arc::new(make()?);
    *job = Some(Arc::clone(&new));
    Ok(new)
}

fn make() -> io::Result<OwnedHandle> {
    // SAFETY: no attributes, so that it is not inherited, and no name.
    let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
    if job.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system has just made it for us.
    let job = unsafe { OwnedHandle::from_raw_handle(job) };
    // SAFETY: all zeros is a valid value of numbers.
    let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = unsafe { MaybeUninit::zeroed().assume_init() };
    // What is detached may leave.
    limits.BasicLimitInformation.LimitFlags =
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_BREAKAWAY_OK;
    // SAFETY: the structure is of the kind and the size that are named.
    let done = unsafe {
        SetInformationJobObject(
            job.as_raw_handle(),
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            LIMITS,
        )
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(job) }
}

/// The size of the structure, which is a few dozen bytes.
#[allow(clippy::cast_possible_truncation)]
const LIMITS: u32 = size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32;

/// Puts a program that was started by other means into the Job.
pub(super) fn enlist(process: BorrowedHandle<'_>) -> io::Result<()> {
    let job = job()?;
    // SAFETY: both are open.
    match unsafe { AssignProcessToJobObject(job.as_raw_handle(), process.as_raw_handle()) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Whether this process is in a Job that its children may leave. Those of ours may be left; of somebody else's (a service's, a terminal's) this is asked.
pub(super) fn may_break_away() -> bool {
    let mut inside = 0;
    // SAFETY: a call without preconditions.
    let me = unsafe { GetCurrentProcess() };
    // SAFETY: no Job asks for any; the place is ours.
    if unsafe { IsProcessInJob(me, ptr::null_mut(), &raw mut inside) } == 0 || inside == 0 {
        return false;
    }
    // SAFETY: all zeros is a valid value of numbers.
    let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: no Job means the one that this process is in; the structure is of the kind and the size that are named.
    let done = unsafe {
        QueryInformationJobObject(
            ptr::null_mut(),
            JobObjectExtendedLimitInformation,
            (&raw mut limits).cast(),
            LIMITS,
            ptr::null_mut(),
        )
    };
    done != 0 && limits.BasicLimitInformation.LimitFlags & JOB_OBJECT_LIMIT_BREAKAWAY_OK != 0
}

/// What a child of this process is given, to [`arm`] it: a handle of this process.
pub(crate) fn end() -> io::Result<Arc<Object>> {
    // SAFETY: a call without preconditions.
    let me = unsafe { GetCurrentProcess() };
    // SAFETY: it stands for this process and is never closed.
    let me = unsafe { BorrowedHandle::borrow_raw(me) };
    Ok(Arc::new(me.try_clone_to_owned()?))
}

/// In a copy of this process: there are none.
pub(crate) fn forget() {}

/// This process belongs to the tree of its parent, in whose Job it began.
#[allow(clippy::unnecessary_wraps)] // as on other systems
pub(crate) fn arm(_end: &Object, _group: bool) -> io::Result<()> {
    escrow::join_tree();
    Ok(())
}

/// Lets the lifeline live on in the program that this process is about to become: what it starts is in the Job.
#[allow(clippy::unnecessary_wraps)] // as above
pub(crate) fn keep_over_exec() -> io::Result<()> {
    Ok(())
}
