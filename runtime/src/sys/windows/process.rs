//! A handle of a child: to be the process handle, which names the process and nothing else for as long as it is held,
//! and is its sentinel. `terminate` is to end the child's Job, `interrupt` to be a CTRL+BREAK for its console group.

use std::io;

use super::poller::Sentinel;
use super::{Borrowed, Object};
use crate::sys::ExitStatus;
use crate::sys::unsupported::unsupported;

/// A process that we can wait for and signal without ever hitting another that got its number.
#[derive(Debug)]
pub(crate) enum Handle {}

/// The signals that the crate sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
    Kill,
}

impl Handle {
    /// Opens a handle of a process by number.
    pub(crate) fn open(_pid: u32) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Takes a handle that travelled, of a process that has, or had, this number.
    pub(crate) fn from_object(_object: Object, _pid: u32) -> io::Result<Self> {
        Err(unsupported())
    }

    /// What can travel in its place: itself.
    pub(crate) fn travelling(&self) -> io::Result<Borrowed<'_>> {
        Ok(self.object())
    }

    /// The handle, as what can be waited for.
    pub(crate) fn object(&self) -> Borrowed<'_> {
        match *self {}
    }

    /// Whether the process has ended and been reaped, so that its number may be another's.
    pub(crate) fn is_reaped(&self) -> bool {
        match *self {}
    }

    /// The status of a process that somebody has reaped, if the system keeps it.
    pub(crate) fn kept_status(&self) -> Option<ExitStatus> {
        match *self {}
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        match *self {}
    }

    /// Sends a signal. A process that has ended already is no error.
    pub(crate) fn signal(&self, _signal: Signal) -> io::Result<()> {
        match *self {}
    }

    /// Another handle of the same process.
    pub(crate) fn duplicate(&self) -> io::Result<Self> {
        match *self {}
    }

    /// What becomes ready when the process ends.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        match *self {}
    }

    /// Reaps the process if it has ended; `None` while it runs. Only for children of this process.
    pub(crate) fn try_reap(&self) -> io::Result<Option<ExitStatus>> {
        match *self {}
    }

    /// Waits until a process that has ended can be reaped.
    pub(crate) fn wait_reapable(&self) -> io::Result<()> {
        match *self {}
    }

    /// Whether the process has ended, reaped or not.
    pub(crate) fn has_ended(&self) -> bool {
        match *self {}
    }
}

/// The name of a signal: Windows has none.
pub(crate) fn signal_name(_signal: i32) -> Option<&'static str> {
    None
}

/// The process id of this process's parent as it is now: to be known by the handle that the child gets of its parent.
/// Until then 0, which nobody has who could start a process.
pub(crate) fn parent_pid() -> u32 {
    0
}

/// Gives this process the name that process lists show: Windows shows that of the program's file, whatever is asked.
pub(crate) fn set_title(_name: &str) {}
