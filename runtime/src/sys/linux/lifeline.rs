//! A process dies when its parent does, however that died.
//!
//! A parent holds one pipe into which nobody ever writes. Its children get the end to read from; when the end to write
//! to closes, and the kernel closes it whatever the parent died of, the pipe is at its end. A child has the kernel
//! turn that into SIGKILL (`O_ASYNC`, `F_SETOWN`, `F_SETSIG` in `fcntl(2)`), for itself or for the process group that it
//! leads. No thread watches. `PR_SET_PDEATHSIG` would not do: it fires when the *thread* that made the child ends, and is
//! lost when a forkserver stands in between. The channel to the parent would not do either: a message that arrives is an
//! event too, and the kernel may announce it a little after the message has been read.
//!
//! Who is to be killed belongs to the open file and not to the descriptor, so each child opens the pipe anew
//! (`/proc/self/fd`). The parent needs two descriptors for it, however many children it has.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::ambient::pipe;
use super::{Object, above_standard};

/// `F_SETSIG` of `linux/fcntl.h` on every architecture that Linux runs Rust on; libc lacks it.
const F_SETSIG: i32 = 10;

/// The pipe of this process for its children.
#[derive(Debug)]
struct Ends {
    reader: Arc<Object>,
    /// Closing this is what kills.
    _writer: Object,
}

static ENDS: Mutex<Option<Ends>> = Mutex::new(None);

/// In a child: the end that is armed. It is held until the process ends.
static ARMED: Mutex<Option<Object>> = Mutex::new(None);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a child of this process is given, to [`arm`] it.
pub(crate) fn end() -> io::Result<Arc<Object>> {
    let mut ends = lock(&ENDS);
    if let Some(ends) = &*ends {
        return Ok(Arc::clone(&ends.reader));
    }
    let (reader, writer) = pipe()?;
    // Children open it themselves, with the rights that this process then has.
    nix::sys::stat::fchmod(&reader, nix::sys::stat::Mode::from_bits_truncate(0o444))?;
    let reader = Arc::new(reader);
    *ends = Some(Ends { reader: Arc::clone(&reader), _writer: writer });
    Ok(reader)
}

/// In a copy of this process: its children are the original's, and must not live on because the copy does.
pub(crate) fn forget() {
    *lock(&ENDS) = None;
}

fn control(fd: &OwnedFd, command: i32, argument: i32) -> io::Result<()> {
    // SAFETY: the commands used here take an integer and touch no memory.
    let result = unsafe { libc::fcntl(fd.as_raw_fd(), command, argument) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// From now on this process is killed when its parent is gone; if it is gone already, now. With it goes the group that
/// it leads, if `group` says that it leads one: what it has started by other means than this library.
pub(crate) fn arm(end: &Object, group: bool) -> io::Result<()> {
    let own = match reopen(end) {
        // A copy of a process that has changed its user may not look at its own descriptors. It was made by the fork
        // method, and so by the only thread of its parent.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return arm_for_thread(),
        own => own?,
    };
    let me = std::process::id() as i32;
    control(&own, libc::F_SETOWN, if group { -me } else { me })?;
    control(&own, F_SETSIG, libc::SIGKILL)?;
    control(&own, libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK)?;
    let mut fds = [PollFd::new(std::os::fd::AsFd::as_fd(&own), PollFlags::empty())];
    if poll(&mut fds, PollTimeout::ZERO)? > 0 {
        // The parent died before the lifeline was armed.
        // SAFETY: raise takes an integer.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    *lock(&ARMED) = Some(own);
    Ok(())
}

/// From now on this process is killed when the thread that made it is gone; if its parent is gone already, now.
fn arm_for_thread() -> io::Result<()> {
    let parent = super::process::parent_pid();
    // SAFETY: integers.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if super::process::parent_pid() != parent {
        // SAFETY: raise takes an integer.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    Ok(())
}

/// Opens the same pipe anew, so that its owner is this process's own.
fn reopen(end: &Object) -> io::Result<Object> {
    let path = path_of(end.as_raw_fd());
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: the path ends in a zero.
    let fd = unsafe { libc::open(path.as_ptr().cast(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    above_standard(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Where a descriptor of this process is found, with a zero at the end. Formatting it would cost a new process three page faults.
fn path_of(fd: RawFd) -> [u8; 32] {
    const PREFIX: &[u8] = b"/proc/self/fd/";
    let mut path = [0; 32];
    path[..PREFIX.len()].copy_from_slice(PREFIX);
    let digits = std::iter::successors(Some(fd), |rest| Some(rest / 10).filter(|rest| *rest > 0));
    let length = digits.clone().count();
    for (place, rest) in path[PREFIX.len()..PREFIX.len() + length].iter_mut().rev().zip(digits) {
        *place = b'0' + (rest % 10) as u8;
    }
    path
}

/// Lets the lifeline live on in the program that this process is about to become.
pub(crate) fn keep_over_exec() -> io::Result<()> {
    lock(&ARMED).as_ref().map_or(Ok(()), |armed| control(armed, libc::F_SETFD, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_found_at_its_path() {
        for (fd, path) in
            [(0, "/proc/self/fd/0"), (9, "/proc/self/fd/9"), (i32::MAX, "/proc/self/fd/2147483647")]
        {
            let written = path_of(fd);
            let end = written.iter().position(|byte| *byte == 0);
            assert_eq!(&written[..end.unwrap()], path.as_bytes());
        }
    }
}
