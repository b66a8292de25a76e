//! A process dies when its parent does, however that died, on systems whose kernel does not see to it (Linux's does, by
//! `F_SETSIG`).
//!
//! A parent holds one pipe into which nobody ever writes. Its children get the end to read from; when the end to write to
//! closes, and the kernel closes it whatever the parent died of, the pipe is at its end. In a child a thread, with all signals blocked and a
//! small stack, sleeps until then, and ends the process by SIGKILL, or the process group that it leads.
//!
//! Over an exec a thread is lost. There a small process keeps watch, made by two forks so that it is nobody's child; it holds another
//! pipe, whose end to write to the program has from then on, and goes when that is at its end.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{fork, runtime};
use crate::sys::platform::ambient::pipe;

/// The pipe of this process for its children.
#[derive(Debug)]
struct Ends {
    reader: Arc<OwnedFd>,
    /// Closing this is what kills.
    _writer: OwnedFd,
}

static ENDS: Mutex<Option<Ends>> = Mutex::new(None);

/// In a child: the end that is watched, and whether the group goes too.
static ARMED: Mutex<Option<(OwnedFd, bool)>> = Mutex::new(None);

/// The stack of the thread that watches: it calls poll and kill.
const STACK: usize = 64 * 1024;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a child of this process is given, to [`arm`] it.
pub(crate) fn end() -> io::Result<Arc<OwnedFd>> {
    let mut ends = lock(&ENDS);
    if let Some(ends) = &*ends {
        return Ok(Arc::clone(&ends.reader));
    }
    let (reader, writer) = pipe()?;
    let reader = Arc::new(reader);
    *ends = Some(Ends { reader: Arc::clone(&reader), _writer: writer });
    Ok(reader)
}

/// In a copy of this process: its children are the original's, and must not live on because the copy does.
pub(crate) fn forget() {
    *lock(&ENDS) = None;
}

/// From now on this process is killed when its parent is gone; if it is gone already, now. With it goes the group that
/// it leads, if `group` says that it leads one: what it has started by other means than this library.
pub(crate) fn arm(end: &OwnedFd, group: bool) -> io::Result<()> {
    if is_at_its_end(end.as_fd(), PollTimeout::ZERO) {
        end_all(std::process::id(), group); // the parent died before the lifeline was armed
    }
    let watched = end.try_clone()?;
    *lock(&ARMED) = Some((end.try_clone()?, group));
    runtime::thread("offspring-lifeline", STACK, move || {
        while !is_at_its_end(watched.as_fd(), PollTimeout::NONE) {}
        end_all(std::process::id(), group);
    })
}

/// Waits until nobody can write to a pipe any more: whether it is so.
fn is_at_its_end(pipe: BorrowedFd<'_>, timeout: PollTimeout) -> bool {
    // Asked for by name: Apple's systems look for nothing where nothing is asked for.
    let mut fds = [PollFd::new(pipe, PollFlags::POLLHUP)];
    matches!(poll(&mut fds, timeout), Ok(count) if count > 0)
}

/// Kills a process, or the group that it leads.
fn end_all(pid: u32, group: bool) {
    let pid = pid as libc::pid_t;
    // SAFETY: integers; async-signal-safe.
    unsafe { libc::kill(if group { -pid } else { pid }, libc::SIGKILL) };
}

/// Lets the lifeline live on in the program that this process is about to become.
pub(crate) fn keep_over_exec() -> io::Result<()> {
    let armed = lock(&ARMED);
    let Some((end, group)) = &*armed else { return Ok(()) };
    let (reader, writer) = pipe()?;
    let program = std::process::id();
    // SAFETY: the copy makes system calls alone and ends.
    match unsafe { fork::fork() }? {
        fork::Fork::Parent(first) => {
            fork::waitpid(first, true)?;
        }
        // SAFETY: as above.
        fork::Fork::Child => match unsafe { libc::fork() } {
            0 => {
                // SAFETY: an integer: the end of the program's own, which would keep the pipe open.
                unsafe { libc::close(writer.as_raw_fd()) };
                keep_watch(end.as_fd(), reader.as_fd(), program, *group)
            }
            _ => runtime::exit_now(0),
        },
    }
    fcntl(&writer, FcntlArg::F_SETFD(FdFlag::empty()))?;
    std::mem::forget(writer); // it is the program's
    Ok(())
}

/// In a process of its own: waits until the parent or the program is gone, and ends the program with the parent.
fn keep_watch(parent: BorrowedFd<'_>, program: BorrowedFd<'_>, pid: u32, group: bool) -> ! {
    // Out of the group, or it would go before it has seen all others go; and out of sight of a terminal.
    // SAFETY: no arguments.
    unsafe { libc::setsid() };
    for number in 0..3 {
        // SAFETY: an integer; whoever reads what this process has as its output must not wait for it.
        unsafe { libc::close(number) };
    }
    loop {
        let mut fds = [PollFd::new(parent, PollFlags::POLLHUP), PollFd::new(program, PollFlags::POLLHUP)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) if fds[1].any() == Some(true) => break, // first: its number may be another's now
            Ok(_) if fds[0].any() == Some(true) => {
                end_all(pid, group);
                break;
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => break,
        }
    }
    runtime::exit_now(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExitStatus, Fork, fork, waitpid};

    /// Forks a process that does this and then sleeps: its number.
    fn child(body: impl FnOnce()) -> u32 {
        // SAFETY: the C library takes the allocator's lock over a fork; what the child calls takes no other of another thread's.
        match unsafe { fork() }.unwrap() {
            Fork::Parent(pid) => pid,
            Fork::Child => {
                body();
                loop {
                    std::thread::park();
                }
            }
        }
    }

    fn was_killed(pid: u32) -> bool {
        matches!(waitpid(pid, true).unwrap(), Some(ExitStatus::Signaled { signal: libc::SIGKILL, .. }))
    }

    /// Waits until a pipe is at its end, which its writers' death brings about.
    fn until_end(reader: &OwnedFd) {
        while !is_at_its_end(reader.as_fd(), PollTimeout::NONE) {}
    }

    #[test]
    fn a_process_is_killed_when_nobody_holds_the_other_end_any_more() {
        let (reader, writer) = pipe().unwrap();
        let (ready, tell) = pipe().unwrap();
        let held = writer.as_raw_fd();
        let pid = child(|| {
            // SAFETY: this copy's own end, which is not used again.
            unsafe { libc::close(held) };
            arm(&reader, false).unwrap();
            nix::unistd::write(&tell, b"!").unwrap();
        });
        nix::unistd::read(&ready, &mut [0]).unwrap();
        drop(writer);
        assert!(was_killed(pid));
    }

    #[test]
    fn a_process_that_is_late_is_killed_at_once() {
        let (reader, writer) = pipe().unwrap();
        drop(writer);
        assert!(was_killed(child(|| arm(&reader, false).unwrap())));
    }

    #[test]
    fn its_group_goes_with_it() {
        let (reader, writer) = pipe().unwrap();
        let (alive, others) = pipe().unwrap();
        let held = writer.as_raw_fd();
        let pid = child(|| {
            // SAFETY: this copy's own end, which is not used again.
            unsafe { libc::close(held) };
            crate::sys::ambient::separate(false);
            child(|| ());
            arm(&reader, true).unwrap();
        });
        drop((others, writer));
        assert!(was_killed(pid));
        until_end(&alive);
    }

    #[test]
    fn a_program_that_it_becomes_is_killed_too_and_the_watch_ends_with_the_program() {
        for parent_first in [true, false] {
            let (reader, writer) = pipe().unwrap();
            let (ready, tell) = pipe().unwrap();
            let (alive, others) = pipe().unwrap();
            let held = writer.as_raw_fd();
            let pid = child(|| {
                // SAFETY: this copy's own end, which is not used again.
                unsafe { libc::close(held) };
                arm(&reader, false).unwrap();
                keep_over_exec().unwrap();
                let mut program = std::process::Command::new("/bin/sh");
                program.arg("-c").arg("echo !; read -r nothing").stdout(tell.try_clone().unwrap());
                panic!("{}", runtime::execute(program.stdin(waiting())));
            });
            drop((others, tell));
            nix::unistd::read(&ready, &mut [0]).unwrap();
            let writer = Some(writer).filter(|_| !parent_first);
            if !parent_first {
                let pid = nix::unistd::Pid::from_raw(pid as i32);
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
            }
            assert!(was_killed(pid));
            // The one who keeps watch has the end that says so.
            until_end(&alive);
            drop(writer);
        }
    }

    /// What gives nothing to read, for ever.
    fn waiting() -> std::io::PipeReader {
        let (reader, writer) = std::io::pipe().unwrap();
        fcntl(&writer, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        std::mem::forget(writer);
        reader
    }
}
