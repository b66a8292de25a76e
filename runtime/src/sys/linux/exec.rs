//! Starts this same program afresh: exec of `/proc/self/exe`, which survives the file's replacement.
//!
//! The new process is made as `posix_spawn(3)` makes it, with `CLONE_VM | CLONE_VFORK`: nothing of the parent's
//! memory is copied, so the cost does not grow with the heap. We do it ourselves for three things that
//! `posix_spawn` lacks: the pidfd comes from the very call that makes the process, every descriptor but the standard
//! three and the boot channel is closed at exec (`close_range(2)`), and a failed exec is reported by its own error.

use std::ffi::{CString, OsString, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use super::Object;
use super::process::Handle;
use crate::sys::unix::signal::{self, Disposition};

/// Which process group the new process belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// That of its parent.
    Inherit,
    /// One of its own.
    Own,
    /// One of its own, in a session of its own.
    Session,
}

/// What the new process is given.
#[derive(Debug)]
pub(crate) struct Exec<'a> {
    /// The arguments, with the name of the program first.
    pub(crate) arguments: &'a [OsString],
    /// The whole environment.
    pub(crate) environment: &'a [(OsString, OsString)],
    /// Standard input, output and error; `None` leaves the parent's.
    pub(crate) standard: [Option<BorrowedFd<'a>>; 3],
    /// The one further descriptor that stays open, under the same number.
    pub(crate) boot: &'a Object,
    /// The directory to begin in; `None` leaves the parent's.
    pub(crate) directory: Option<BorrowedFd<'a>>,
    pub(crate) group: Group,
}

/// What the child needs between clone and exec: plain numbers and pointers, as nothing may be allocated there.
struct Plan {
    arguments: *const *const libc::c_char,
    environment: *const *const libc::c_char,
    standard: [RawFd; 3],
    boot: RawFd,
    directory: RawFd,
    group: Group,
    mask: libc::sigset_t,
    error: i32,
}

const PROGRAM: &std::ffi::CStr = c"/proc/self/exe";
const STACK: usize = 64 * 1024;
const UNCHANGED: RawFd = -1;

/// Makes the process. It has executed the new program, or this is an error.
pub(crate) fn start(exec: &Exec<'_>) -> io::Result<Handle> {
    let arguments = strings(exec.arguments.iter().map(|argument| argument.as_bytes().to_vec()))?;
    let environment = strings(
        exec.environment.iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()),
    )?;
    let arguments = pointers(&arguments);
    let environment = pointers(&environment);
    let number = |stream: &Option<BorrowedFd<'_>>| stream.as_ref().map_or(UNCHANGED, AsRawFd::as_raw_fd);
    let mut plan = Plan {
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        standard: [number(&exec.standard[0]), number(&exec.standard[1]), number(&exec.standard[2])],
        boot: exec.boot.as_raw_fd(),
        directory: number(&exec.directory),
        group: exec.group,
        // No handler of the parent's may run in the child, which shares its memory: signals wait until exec.
        mask: signal::replace_mask(u64::MAX),
        error: 0,
    };
    let before = plan.mask;
    let made = clone_vfork(&mut plan);
    signal::restore_mask(&before);
    let handle = made?;
    if plan.error != 0 {
        let _reaped = reap(&handle);
        return Err(io::Error::from_raw_os_error(plan.error));
    }
    Ok(handle)
}

/// Takes away a child that failed to exec; it has exited already.
fn reap(handle: &Handle) -> io::Result<()> {
    while handle.try_reap()?.is_none() {
        super::poller::poll_one(std::os::fd::AsFd::as_fd(handle), None)?;
    }
    Ok(())
}

fn strings(bytes: impl Iterator<Item = Vec<u8>>) -> io::Result<Vec<CString>> {
    bytes.map(|bytes| CString::new(bytes).map_err(io::Error::from)).collect()
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

fn clone_vfork(plan: &mut Plan) -> io::Result<Handle> {
    let mut stack: Vec<u128> = vec![0; STACK / size_of::<u128>()];
    // Stacks grow downwards on every architecture that Linux runs Rust on; u128 keeps the top aligned to 16.
    let top = stack.as_mut_ptr_range().end.cast::<c_void>();
    let mut pidfd: libc::c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let argument = ptr::from_mut(plan).cast::<c_void>();
    // SAFETY: the stack and the plan outlive the child's use of them, because CLONE_VFORK suspends this thread until
    // the child has executed or exited; `child` calls only async-signal-safe functions and no handler can run in it.
    let pid = unsafe { libc::clone(child, top, flags, argument, &raw mut pidfd) };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Handle::new(pid, super::above_standard(pidfd)?))
}

/// Runs in the child, on its own stack in the parent's memory.
extern "C" fn child(argument: *mut c_void) -> libc::c_int {
    // SAFETY: the plan that `clone_vfork` passed; the parent does not touch it until this process is gone.
    let plan = unsafe { &mut *argument.cast::<Plan>() };
    plan.error = become_program(plan);
    127
}

/// Turns the child into the program; returns the error number if that fails.
fn become_program(plan: &Plan) -> i32 {
    match plan.group {
        Group::Inherit => {}
        Group::Own => super::ambient::separate(false),
        Group::Session => super::ambient::separate(true),
    }
    for (target, source) in (0..).zip(plan.standard) {
        // SAFETY: dup2 takes integers. Sources lie above 2 or are the target itself, so none is overwritten.
        if source != UNCHANGED && unsafe { libc::dup2(source, target) } < 0 {
            return errno();
        }
    }
    if plan.directory != UNCHANGED {
        // SAFETY: fchdir takes an integer.
        if unsafe { libc::fchdir(plan.directory) } < 0 {
            return errno();
        }
    }
    close_at_exec(3, plan.boot - 1);
    close_at_exec(plan.boot + 1, i32::MAX);
    // SAFETY: fcntl takes integers here. The descriptor table is the child's own.
    if unsafe { libc::fcntl(plan.boot, libc::F_SETFD, 0) } < 0 {
        return errno();
    }
    for number in signal::numbers() {
        if signal::disposition(number) == Disposition::Handled {
            signal::set_ignored(number, false);
        }
    }
    signal::restore_mask(&plan.mask);
    // SAFETY: the path is a C string, and both vectors are arrays of C strings that end in a null pointer.
    unsafe { libc::execve(PROGRAM.as_ptr(), plan.arguments, plan.environment) };
    errno()
}

/// Marks a range of descriptors close-on-exec. Kernels before 5.11 cannot; there, as with `std::process`, what was
/// opened without the flag is inherited.
fn close_at_exec(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    // SAFETY: close_range takes integers.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) };
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)
}
