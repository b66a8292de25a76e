//! A handle of a child: a pidfd (`pidfd_open(2)`), which names the process and nothing else for as long as it is held.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::above_standard;
use crate::sys::ExitStatus;

/// A process that we can wait for and signal without ever hitting another that got its number.
#[derive(Debug)]
pub(crate) struct Handle {
    pid: i32,
    pidfd: OwnedFd,
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

impl Handle {
    pub(crate) fn new(pid: i32, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd }
    }

    /// Opens a handle of a process by number; `NotFound` when there is none.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let pid = pid as i32;
        // SAFETY: pidfd_open takes two integers.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        if fd < 0 {
            return Err(match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::ESRCH) => io::ErrorKind::NotFound.into(),
                error => error,
            });
        }
        let fd = i32::try_from(fd).expect("a descriptor is an int");
        // SAFETY: the kernel just made this descriptor for us.
        let pidfd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { pid, pidfd: above_standard(pidfd)? })
    }

    /// Takes a handle that travelled, of a process that has, or had, this number.
    pub(crate) fn from_object(object: OwnedFd, pid: u32) -> io::Result<Self> {
        let handle = Self { pid: pid as i32, pidfd: above_standard(object)? };
        handle.number()?; // it is a pidfd
        Ok(handle)
    }

    /// What can travel in its place: itself.
    #[allow(clippy::unnecessary_wraps)] // elsewhere it is made when it is needed
    pub(crate) fn travelling(&self) -> io::Result<BorrowedFd<'_>> {
        Ok(self.pidfd.as_fd())
    }

    /// The handle, as what can be waited for.
    pub(crate) fn object(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Whether the process has ended and been reaped, so that its number may be another's.
    pub(crate) fn is_reaped(&self) -> bool {
        self.number().is_ok_and(|number| number < 0)
    }

    /// The number of the process; -1 once it has been reaped, 0 for one in another PID namespace (`pidfd_open(2)`, of fdinfo).
    fn number(&self) -> io::Result<i32> {
        let other = || io::Error::new(io::ErrorKind::InvalidData, "what arrived is no handle of a process");
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", self.pidfd.as_raw_fd()))?;
        let number = info.lines().find_map(|line| line.strip_prefix("Pid:"));
        number.and_then(|number| number.trim().parse().ok()).ok_or_else(other)
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid as u32
    }

    /// Sends a signal. A process that has ended already is no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let number = signal.number();
        // SAFETY: a null siginfo asks the kernel to fill it in as kill(2) does.
        let result = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                number,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        if result == 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            error => Err(error),
        }
    }

    /// Another handle of the same process.
    pub(crate) fn duplicate(&self) -> io::Result<Self> {
        Ok(Self { pid: self.pid, pidfd: self.pidfd.try_clone()? })
    }

    /// What becomes ready when the process ends.
    pub(crate) fn sentinel(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Reaps the process if it has ended; `None` while it runs. Only for children of this process.
    pub(crate) fn try_reap(&self) -> io::Result<Option<ExitStatus>> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let id = self.pidfd.as_raw_fd() as libc::id_t;
        // __WALL: a child of a cloned zygote may have another exit signal than SIGCHLD.
        let options = libc::WEXITED | libc::WNOHANG | libc::__WALL;
        loop {
            // SAFETY: `info` is valid for writing.
            if unsafe { libc::waitid(libc::P_PIDFD, id, info.as_mut_ptr(), options) } == 0 {
                break;
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::ECHILD) => {
                    return Ok(self.has_ended().then(|| self.kept_status().unwrap_or(ExitStatus::Lost)));
                }
                _ => return Err(error),
            }
        }
        // SAFETY: zeroed before and filled by the successful call.
        let info = unsafe { info.assume_init() };
        // SAFETY: a siginfo of waitid has the fields of a child; all zero means that none has ended.
        if unsafe { info.si_pid() } == 0 {
            return Ok(None);
        }
        // SAFETY: as above.
        let value = unsafe { info.si_status() };
        Ok(Some(match info.si_code {
            libc::CLD_EXITED => ExitStatus::Exited(value),
            code => ExitStatus::Signaled { signal: value, core_dumped: code == libc::CLD_DUMPED },
        }))
    }

    /// Waits until a process that has ended can be reaped: a tracer may have it first.
    pub(crate) fn wait_reapable(&self) -> io::Result<()> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let id = self.pidfd.as_raw_fd() as libc::id_t;
        let options = libc::WEXITED | libc::WNOWAIT | libc::__WALL;
        // SAFETY: `info` is valid for writing.
        if unsafe { libc::waitid(libc::P_PIDFD, id, info.as_mut_ptr(), options) } == 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            error if matches!(error.raw_os_error(), Some(libc::EINTR | libc::ECHILD)) => Ok(()),
            error => Err(error),
        }
    }

    /// Whether the process has ended, reaped or not.
    pub(crate) fn has_ended(&self) -> bool {
        super::poller::poll_one(self.pidfd.as_fd(), Some(std::time::Duration::ZERO)).unwrap_or(false)
    }

    /// The status of a process that somebody has reaped: kernels from 6.15 keep it for holders of a pidfd
    /// (`PIDFD_GET_INFO` with `PIDFD_INFO_EXIT`).
    pub(crate) fn kept_status(&self) -> Option<ExitStatus> {
        const PIDFD_INFO_EXIT: u64 = 1 << 3;
        /// `struct pidfd_info`, `linux/pidfd.h`, its first published size.
        #[repr(C)]
        #[derive(Default)]
        struct PidfdInfo {
            mask: u64,
            cgroup_id: u64,
            ids: [u32; 3],
            credentials: [u32; 8],
            exit_code: i32,
        }
        const PIDFD_GET_INFO: libc::Ioctl =
            nix::request_code_readwrite!(0xFF, 11, size_of::<PidfdInfo>()) as libc::Ioctl;
        let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
        // SAFETY: the request's size matches the structure, which is valid for reading and writing.
        let result = unsafe { libc::ioctl(self.pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
        if result != 0 || info.mask & PIDFD_INFO_EXIT == 0 {
            return None;
        }
        Some(if libc::WIFEXITED(info.exit_code) {
            ExitStatus::Exited(libc::WEXITSTATUS(info.exit_code))
        } else {
            let core_dumped = libc::WCOREDUMP(info.exit_code);
            ExitStatus::Signaled { signal: libc::WTERMSIG(info.exit_code), core_dumped }
        })
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
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

/// Gives this process the name that process lists show, cut to 15 bytes: `PR_SET_NAME`, or `/proc/self/comm` where
/// this is not the thread that stands for the process, as in tests.
pub(crate) fn set_title(name: &str) {
    if nix::unistd::gettid() != nix::unistd::getpid() {
        let _a_name_is_not_worth_an_error = std::fs::write("/proc/self/comm", name);
    }
    let mut title = [0_u8; 16];
    let length = (0..=name.len().min(15)).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    title[..length].copy_from_slice(&name.as_bytes()[..length]);
    // SAFETY: the pointer is to 16 bytes that end in a zero.
    unsafe { libc::prctl(libc::PR_SET_NAME, title.as_ptr()) };
}

/// How many threads this process has, if `/proc` tells.
pub(crate) fn threads() -> Option<usize> {
    super::procfs::threads()
}

/// Makes a child end that there is no handle of, for want of a descriptor. Its number is its own until it is reaped.
pub(crate) fn end_by_number(pid: u32) {
    let pid = nix::unistd::Pid::from_raw(pid as i32);
    let _ended_already = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    let _reaped_already = nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::__WALL));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_handle_of_a_process_is_refused() {
        let file = std::fs::File::open("/proc/self/stat").unwrap();
        let refused = Handle::from_object(file.into(), 1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        let me = Handle::open(std::process::id()).unwrap();
        let again = Handle::from_object(me.pidfd.try_clone().unwrap(), me.pid()).unwrap();
        assert!(!again.is_reaped() && !again.has_ended() && again.kept_status().is_none());
    }
}
