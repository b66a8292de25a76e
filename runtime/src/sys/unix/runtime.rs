//! The process's own runtime: exit hooks, environment, last words.

use std::io;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::{fork, signal};
pub(crate) use crate::sys::conjure::conjure;
pub(crate) use crate::sys::environment::{remove_variable, replace_environment};
use crate::sys::platform::channel::{Channel, LastWords};

/// Runs `hook` when the process ends by returning from `main` or by `exit` (`atexit(3)`), after hooks registered later.
pub(crate) fn at_exit(hook: extern "C" fn()) -> io::Result<()> {
    // SAFETY: `hook` is a plain function that lives as long as the program.
    if unsafe { libc::atexit(hook) } == 0 { Ok(()) } else { Err(io::Error::other("atexit refused the hook")) }
}

/// Makes a thread of this library's own, in which all signals are blocked.
pub(crate) fn thread(name: &str, stack_size: usize, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let before = signal::replace_mask(u64::MAX);
    fork::will_start();
    let arrive = || {
        fork::has_started();
        body();
    };
    let made = std::thread::Builder::new().name(name.into()).stack_size(stack_size).spawn(arrive);
    signal::restore_mask(&before);
    made.inspect_err(|_| fork::has_started()).map(drop)
}

/// Ends the process at once: no hook, no flush.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(code) }
}

/// Becomes another program (`execvp(3)`); returns only if that fails.
pub(crate) fn execute(command: &mut std::process::Command) -> io::Error {
    std::os::unix::process::CommandExt::exec(command)
}

/// What the handler of SIGABRT sends, and where: set once, read by the handler.
static LAST_WORDS: AtomicPtr<LastWords> = AtomicPtr::new(std::ptr::null_mut());

/// Has this message sent if the process aborts from now on: after a panic that cannot unwind, the process ends without
/// running any more of our code. A later call replaces the message.
///
/// A handler that the program itself has for SIGABRT is left alone.
pub(crate) fn say_when_aborting(channel: &Channel, message: Vec<u8>) {
    let words = Box::new(LastWords::new(channel, message));
    // The previous words stay allocated: the handler may be reading them on another thread.
    let before = LAST_WORDS.swap(Box::into_raw(words), Ordering::AcqRel);
    if before.is_null() && signal::disposition(libc::SIGABRT) == signal::Disposition::Default {
        signal::handle_once(libc::SIGABRT, speak);
    }
}

extern "C" fn speak(_signal: libc::c_int) {
    // SAFETY: the pointer is null or to words that are never freed.
    let Some(words) = (unsafe { LAST_WORDS.load(Ordering::Acquire).as_ref() }) else { return };
    words.say();
    // Back in abort(3), which raises the signal again, now with its default effect.
}
