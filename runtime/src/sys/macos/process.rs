//! A handle of a process: its number and the time of its start, and a queue of events in which its end comes to lie
//! (`EVFILT_PROC` with `NOTE_EXIT` in `kqueue(2)`), which is its sentinel.
//!
//! The number of a child is its own until it is reaped, so a signal is sent under the lock that reaping takes, and only before; of
//! others it is looked at, right before the signal, whether they are still who they were. A queue cannot be sent: what travels is a
//! card in shared memory that says which process is meant, and whoever gets it makes a queue of their own.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use nix::errno::Errno;

use super::kqueue::Queue;
use super::poller::Sentinel;
use super::{Borrowed, Object, table};
use crate::sys::ExitStatus;
use crate::sys::agreed as memory;
use crate::sys::unix::{fork, poll};

/// A process that we can wait for and signal without ever hitting another that got its number.
#[derive(Debug)]
pub(crate) struct Handle(Arc<Known>);

/// What is known of a process.
#[derive(Debug)]
struct Known {
    pid: u32,
    started: u64,
    /// In which its end lies, once it has ended.
    end: Queue,
    /// How it ended, once we have reaped it.
    reaped: Mutex<Option<ExitStatus>>,
    /// What travels, once it has been asked for.
    card: OnceLock<Object>,
}

/// The signals that the crate sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
    Kill,
}

impl Signal {
    fn number(self) -> i32 {
        match self {
            Self::Interrupt => libc::SIGINT,
            Self::Terminate => libc::SIGTERM,
            Self::Kill => libc::SIGKILL,
        }
    }
}

/// How long a card is: the number and the start, eight bytes each.
const CARD: usize = 16;

impl Handle {
    /// Opens a handle of a process by number; `NotFound` when there is none.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let seen = table::look(pid as i32).ok_or(io::ErrorKind::NotFound)?;
        Self::of(pid, seen.started)
    }

    /// A handle of a process that has, or had, this number, and started then.
    fn of(pid: u32, started: u64) -> io::Result<Self> {
        let end = Queue::new()?;
        end.add_bell()?;
        let watched = match end.add_exit(pid) {
            Ok(()) => true,
            Err(Errno::ESRCH) => false,
            Err(errno) => return Err(errno.into()),
        };
        let known = Known { pid, started, end, reaped: Mutex::new(None), card: OnceLock::new() };
        // After that, lest the number have changed hands before.
        if !watched || !known.is_there() {
            known.end.ring()?;
        }
        Ok(Self(Arc::new(known)))
    }

    /// Takes a handle that travelled, of a process that has, or had, this number.
    #[allow(clippy::needless_pass_by_value)] // elsewhere it is kept
    pub(crate) fn from_object(object: Object, pid: u32) -> io::Result<Self> {
        let other = || io::Error::new(io::ErrorKind::InvalidData, "what arrived is no handle of a process");
        if memory::length(&object)? != CARD as u64 {
            return Err(other());
        }
        let card = memory::read_at(&object, CARD, 0)?;
        let word = |at: usize| card[at..at + 8].try_into().map(u64::from_ne_bytes).map_err(|_| other());
        if word(0)? != u64::from(pid) {
            return Err(other());
        }
        Self::of(pid, word(8)?)
    }

    /// What can travel in its place: a card that says which process this is.
    pub(crate) fn travelling(&self) -> io::Result<Borrowed<'_>> {
        if self.0.card.get().is_none() {
            let card = memory::create(CARD as u64)?;
            let words = [u64::from(self.0.pid), self.0.started].map(u64::to_ne_bytes);
            memory::write_at(&card, words.as_flattened(), 0)?;
            memory::fix_length(&card)?;
            let _another_was_quicker = self.0.card.set(card);
        }
        self.0.card.get().map(super::borrow).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The handle, as what can be waited for.
    pub(crate) fn object(&self) -> Borrowed<'_> {
        self.0.end.as_fd()
    }

    /// Whether the process has ended and been reaped, so that its number may be another's.
    pub(crate) fn is_reaped(&self) -> bool {
        self.0.reaped().is_some() || !self.0.is_there()
    }

    /// The status of a process that we have reaped. The system keeps none for others.
    pub(crate) fn kept_status(&self) -> Option<ExitStatus> {
        *self.0.reaped()
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.pid
    }

    /// Sends a signal. A process that has ended already is no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let reaped = self.0.reaped();
        if reaped.is_some() || !self.0.is_there() {
            return Ok(());
        }
        // SAFETY: integers.
        let result = unsafe { libc::kill(self.0.pid as libc::pid_t, signal.number()) };
        drop(reaped);
        match Errno::result(result) {
            Ok(_) | Err(Errno::ESRCH) => Ok(()),
            // Which is what is said of one that has ended and is not reaped.
            Err(Errno::EPERM) if self.has_ended() => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Another handle of the same process.
    #[allow(clippy::unnecessary_wraps)] // elsewhere it takes a descriptor
    pub(crate) fn duplicate(&self) -> io::Result<Self> {
        Ok(Self(Arc::clone(&self.0)))
    }

    /// What becomes ready when the process ends.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        self.0.end.as_fd()
    }

    /// Reaps the process if it has ended; `None` while it runs. Only for children of this process.
    pub(crate) fn try_reap(&self) -> io::Result<Option<ExitStatus>> {
        let mut reaped = self.0.reaped();
        if reaped.is_some() {
            return Ok(*reaped);
        }
        // Somebody may have reaped it, and its number may be another child's.
        if !self.0.is_there() {
            *reaped = Some(ExitStatus::Lost);
            return Ok(*reaped);
        }
        match fork::waitpid(self.0.pid, false) {
            Ok(status) => *reaped = status,
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => {
                return Ok(self.has_ended().then_some(ExitStatus::Lost));
            }
            Err(error) => return Err(error),
        }
        Ok(*reaped)
    }

    /// Waits until a process that has ended can be reaped: its end is told a little before.
    pub(crate) fn wait_reapable(&self) -> io::Result<()> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let options = libc::WEXITED | libc::WNOWAIT;
        #[allow(clippy::useless_conversion)] // FreeBSD's are longer
        let pid = self.0.pid.into();
        // SAFETY: `info` is valid for writing.
        let result = unsafe { libc::waitid(libc::P_PID, pid, info.as_mut_ptr(), options) };
        match Errno::result(result) {
            Ok(_) | Err(Errno::EINTR | Errno::ECHILD) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether the process has ended, reaped or not.
    pub(crate) fn has_ended(&self) -> bool {
        poll::wait(&[self.sentinel()], poll::deadline(Some(Duration::ZERO))).is_ok_and(|ready| ready[0])
    }
}

impl Known {
    fn reaped(&self) -> MutexGuard<'_, Option<ExitStatus>> {
        self.reaped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the number is still this process's, be it that it has ended and is not reaped.
    fn is_there(&self) -> bool {
        table::look(self.pid as i32).is_some_and(|seen| seen.started == self.started)
    }
}

impl std::os::fd::AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.end.as_fd()
    }
}

/// The name of a signal.
pub(crate) fn signal_name(signal: i32) -> Option<&'static str> {
    nix::sys::signal::Signal::try_from(signal).ok().map(nix::sys::signal::Signal::as_str)
}

/// The process id of this process's parent as it is now: another than the one that started it once that has ended.
pub(crate) fn parent_pid() -> u32 {
    std::os::unix::process::parent_id()
}

/// Gives this process the name that process lists show: macOS shows that of the program's file, whatever is asked.
pub(crate) fn set_title(_name: &str) {}

/// How many threads this process has, if the system tells.
pub(crate) fn threads() -> Option<usize> {
    table::look(std::process::id() as i32)?.threads
}

/// Makes a child end that there is no handle of, for want of a descriptor. Its number is its own until it is reaped.
pub(crate) fn end_by_number(pid: u32) {
    let number = nix::unistd::Pid::from_raw(pid as i32);
    let _ended_already = nix::sys::signal::kill(number, nix::sys::signal::Signal::SIGKILL);
    let _reaped_already = fork::waitpid(pid, true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_handle_of_a_process_is_refused() {
        assert!(Handle::from_object(memory::create(3).unwrap(), 1).is_err());
        let me = Handle::open(std::process::id()).unwrap();
        let card = me.travelling().unwrap().try_clone_to_owned().unwrap();
        let again = Handle::from_object(card, me.pid()).unwrap();
        assert!(!again.is_reaped() && !again.has_ended() && again.kept_status().is_none());
    }
}
