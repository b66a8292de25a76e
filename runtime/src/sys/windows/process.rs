//! A handle of a child: the process handle, which names the process and nothing else for as long as it is held, and is its sentinel.
//!
//! There are no signals: who is told to end or killed is ended by the system (`TerminateProcess`), with a code by which both are known as what they were meant to
//! be, as Python does it for `terminate`.

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER, WAIT_FAILED, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};
use windows_sys::Win32::System::Threading::{
    GetExitCodeProcess, GetProcessId, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE,
    PROCESS_TERMINATE, TerminateProcess, WaitForSingleObject,
};

use super::poller::Sentinel;
use super::{Borrowed, Object};
use crate::sys::ExitStatus;

/// With what a process ends that was told to: what Python's `terminate` takes.
const TERMINATED: u32 = 0x1_0000;

/// With what a process ends that was killed.
const KILLED: u32 = 0x1_0009;

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// A process that we can wait for and signal without ever hitting another that got its number.
#[derive(Debug)]
pub(crate) struct Handle {
    pid: u32,
    process: OwnedHandle,
}

/// The signals that the crate sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
    Kill,
}

impl Handle {
    pub(super) fn new(pid: u32, process: OwnedHandle) -> Self {
        Self { pid, process }
    }

    /// Opens a handle of a process by number; `NotFound` when there is none.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let access = PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_TERMINATE;
        // SAFETY: it takes numbers.
        let process = unsafe { OpenProcess(access, 0, pid) };
        if process.is_null() {
            return Err(match io::Error::last_os_error() {
                error if is(&error, ERROR_INVALID_PARAMETER) => io::ErrorKind::NotFound.into(),
                error => error,
            });
        }
        // SAFETY: the system has just made it for us.
        let handle = Self::new(pid, unsafe { OwnedHandle::from_raw_handle(process) });
        // A process that has ended keeps its number for as long as somebody holds a handle of it.
        if handle.has_ended() { Err(io::ErrorKind::NotFound.into()) } else { Ok(handle) }
    }

    /// Takes a handle that travelled, of a process that has, or had, this number.
    pub(crate) fn from_object(object: Object, pid: u32) -> io::Result<Self> {
        // SAFETY: the handle is open; one of something else has no number.
        if unsafe { GetProcessId(object.as_raw_handle()) } != pid {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "what arrived is no handle of that process",
            ));
        }
        Ok(Self::new(pid, object))
    }

    /// What can travel in its place: itself.
    pub(crate) fn travelling(&self) -> io::Result<Borrowed<'_>> {
        Ok(self.object())
    }

    /// The handle, as what can be waited for.
    pub(crate) fn object(&self) -> Borrowed<'_> {
        self.process.as_handle()
    }

    /// Whether its number may be another's: not while this is held.
    #[allow(clippy::unused_self)] // as on other systems
    pub(crate) fn is_reaped(&self) -> bool {
        false
    }

    /// The status of a process that has ended, which the system keeps.
    pub(crate) fn kept_status(&self) -> Option<ExitStatus> {
        self.try_reap().ok().flatten()
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends what stands for a signal. A process that has ended already is no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        if self.has_ended() {
            return Ok(());
        }
        let code = match signal {
            Signal::Interrupt => return self.interrupt(),
            Signal::Terminate => TERMINATED,
            Signal::Kill => KILLED,
        };
        // SAFETY: the handle is open.
        if unsafe { TerminateProcess(self.process.as_raw_handle(), code) } != 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            // It is about to end: nobody can end it again.
            error if is(&error, ERROR_ACCESS_DENIED) && self.has_ended() => Ok(()),
            error => Err(error),
        }
    }

    /// Ctrl-Break for the group that the process leads: Ctrl-C reaches nobody but all of a console.
    fn interrupt(&self) -> io::Result<()> {
        // SAFETY: it takes numbers; that of a process that leads no group is refused.
        match unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, self.pid) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Another handle of the same process.
    pub(crate) fn duplicate(&self) -> io::Result<Self> {
        Ok(Self::new(self.pid, self.process.try_clone()?))
    }

    /// What becomes ready when the process ends.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        self.process.as_handle()
    }

    /// The status of the process if it has ended; `None` while it runs.
    pub(crate) fn try_reap(&self) -> io::Result<Option<ExitStatus>> {
        // SAFETY: the handle is open.
        match unsafe { WaitForSingleObject(self.process.as_raw_handle(), 0) } {
            WAIT_OBJECT_0 => {}
            WAIT_FAILED => return Err(io::Error::last_os_error()),
            _ => return Ok(None),
        }
        let mut code = MaybeUninit::uninit();
        // SAFETY: the handle is open, and the place is ours.
        if unsafe { GetExitCodeProcess(self.process.as_raw_handle(), code.as_mut_ptr()) } == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: written by the call.
        Ok(Some(status(unsafe { code.assume_init() })))
    }

    /// Waits until a process that has ended can be reaped: it can.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // as on other systems
    pub(crate) fn wait_reapable(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&self) -> bool {
        // SAFETY: the handle is open.
        unsafe { WaitForSingleObject(self.process.as_raw_handle(), 0) == WAIT_OBJECT_0 }
    }
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code as i32)
}

/// What an exit code says.
fn status(code: u32) -> ExitStatus {
    match code {
        TERMINATED => ExitStatus::Signaled { signal: SIGTERM, core_dumped: false },
        KILLED => ExitStatus::Signaled { signal: SIGKILL, core_dumped: false },
        code => ExitStatus::Exited(code as i32),
    }
}

/// The name of a signal that was meant.
pub(crate) fn signal_name(signal: i32) -> Option<&'static str> {
    match signal {
        SIGTERM => Some("SIGTERM"),
        SIGKILL => Some("SIGKILL"),
        _ => None,
    }
}

static PARENT: OnceLock<u32> = OnceLock::new();

/// Notes who started this process.
pub(super) fn remember_parent(pid: u32) {
    PARENT.get_or_init(|| pid);
}

/// The process id of this process's parent, if it is one of ours; else 0, which nobody has who could start a process. A parent stays one here.
pub(crate) fn parent_pid() -> u32 {
    PARENT.get().copied().unwrap_or(0)
}

/// Gives this process the name that process lists show: Windows shows that of the program's file, whatever is asked.
pub(crate) fn set_title(_name: &str) {}
