//! The raw fork and its waits (`fork(2)`, `waitpid(2)`).

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{
    Condvar, Mutex, MutexGuard, Once, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid as nix_waitpid};
use nix::unistd::Pid;

use crate::sys::ExitStatus;

/// Whether this system has fork.
pub(crate) const SUPPORTED: bool = true;

/// Which side of a [`fork`](fork) this is: the call returns twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// In the parent: the process id of the new child.
    Parent(u32),
    /// In the child.
    Child,
}

/// `fork(2)`: makes a copy of this process and returns twice.
///
/// The copy has only the calling thread. Nothing of offspring is known to it: it has no children, and its own
/// processes are numbered from one. It is not watched, not named and not killed with its parent; wait for it with
/// [`waitpid`]. For anything else use a process class.
///
/// # Errors
/// Those of `fork(2)`: `EAGAIN` at the limit of processes, `ENOMEM`. Unsupported on Windows.
///
/// # Safety
/// In a program with other threads the child may only call async-signal-safe functions until it execs or exits,
/// because another thread may have held any lock, the allocator's among them, at the moment of the fork.
pub unsafe fn fork() -> io::Result<Fork> {
    // SAFETY: passed on to the caller.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Parent { child } => Ok(Fork::Parent(child.as_raw() as u32)),
        nix::unistd::ForkResult::Child => Ok(Fork::Child),
    }
}

/// `waitpid(2)`: waits for a child made by [`fork`] and reaps it.
///
/// With `block` false it returns `None` at once while the child still runs. `EINTR` is retried.
///
/// # Errors
/// `ECHILD` when `pid` is not an unreaped child of this process. Unsupported on Windows.
pub fn waitpid(pid: u32, block: bool) -> io::Result<Option<ExitStatus>> {
    let flags = if block { WaitPidFlag::empty() } else { WaitPidFlag::WNOHANG };
    loop {
        match nix_waitpid(Pid::from_raw(pid as i32), Some(flags)) {
            Ok(WaitStatus::Exited(_, code)) => return Ok(Some(ExitStatus::Exited(code))),
            Ok(WaitStatus::Signaled(_, signal, core_dumped)) => {
                return Ok(Some(ExitStatus::Signaled { signal: signal as i32, core_dumped }));
            }
            Ok(WaitStatus::StillAlive) => return Ok(None),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Sections that hold a lock of this library hold this for reading, and a fork holds it for writing: so no lock is
/// held by a thread that the copy does not have.
static GATE: RwLock<()> = RwLock::new(());

/// How many threads of this library have not arrived in their own code yet: the standard library holds locks while it starts a
/// thread, and takes them again when a process exits, so a fork waits for those that start.
static STARTING: Mutex<usize> = Mutex::new(0);
static STARTED: Condvar = Condvar::new();

/// Says that a thread of this library is about to start: [`has_started`] must follow.
pub(crate) fn will_start() {
    *STARTING.lock().unwrap_or_else(PoisonError::into_inner) += 1;
}

/// Says that a thread has started, or could not be made.
pub(crate) fn has_started() {
    *STARTING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    STARTED.notify_all();
}

/// How often this process was copied, counted on as the copies' own.
static COPIES: AtomicU64 = AtomicU64::new(0);

/// A number that is another after each fork, in the process and in its copy.
pub(crate) fn generation() -> u64 {
    COPIES.load(Ordering::Relaxed)
}

/// What the copy does first: forgets the children of the original.
static FORGET: OnceLock<fn()> = OnceLock::new();

thread_local! {
    /// In how many sections this thread is.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static CLOSED: RefCell<Option<Closed>> = const { RefCell::new(None) };
}

/// What is held while a fork is under way.
#[derive(Debug)]
struct Closed(
    #[allow(dead_code)] RwLockWriteGuard<'static, ()>,
    #[allow(dead_code)] MutexGuard<'static, usize>,
);

/// A section that no fork interrupts, until this is dropped.
#[derive(Debug)]
pub(crate) struct Section(#[allow(dead_code)] Option<RwLockReadGuard<'static, ()>>);

/// Enters a section that no fork interrupts. Sections nest; nothing in one may call code of the user's, which may fork.
pub(crate) fn enter() -> Section {
    let depth = DEPTH.get();
    DEPTH.set(depth + 1);
    Section((depth == 0).then(|| GATE.read().unwrap_or_else(PoisonError::into_inner)))
}

impl Drop for Section {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Makes every later fork of this process, ours or anybody's, leave the copy without our children (`pthread_atfork(3)`).
pub(crate) fn on_fork_in_child(forget: fn()) {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let _the_first_counts = FORGET.set(forget);
        // SAFETY: the hooks are plain functions that live as long as the program.
        let result =
            unsafe { libc::pthread_atfork(Some(close_gate), Some(open_gate), Some(open_gate_in_copy)) };
        debug_assert_eq!(result, 0, "pthread_atfork: out of memory");
    });
}

/// Says that this process has been copied, or is a copy, by other means than a fork: what was its own alone is not any more.
pub(crate) fn count_copy() {
    COPIES.fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn close_gate() {
    // Before the copy is made, so that no thread of either takes for its own alone what both have.
    count_copy();
    // In this order: a thread that starts needs no gate to say that it has started, and none is made behind the gate.
    let gate = GATE.write().unwrap_or_else(PoisonError::into_inner);
    let starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let none = STARTED.wait_while(starting, |starting| *starting > 0).unwrap_or_else(PoisonError::into_inner);
    // A thread that is ending has no thread-locals any more; its fork does without the gate.
    let _kept = CLOSED.try_with(|closed| closed.borrow_mut().replace(Closed(gate, none)));
}

unsafe extern "C" fn open_gate() {
    let _opened = CLOSED.try_with(|closed| closed.borrow_mut().take());
}

unsafe extern "C" fn open_gate_in_copy() {
    let _opened = CLOSED.try_with(|closed| closed.borrow_mut().take());
    if let Some(forget) = FORGET.get() {
        forget();
    }
}
