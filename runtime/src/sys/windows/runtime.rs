//! The process's own runtime: exit hooks, environment, last words.

use std::ffi::c_int;
use std::io;
use std::os::windows::io::AsHandle;

use super::channel::Channel;
pub(crate) use crate::sys::conjure::conjure;
pub(crate) use crate::sys::environment::{remove_variable, replace_environment};

// Of the C runtime, which every Rust program for Windows is linked with.
unsafe extern "C" {
    fn atexit(hook: extern "C" fn()) -> c_int;
    fn _exit(code: c_int) -> !;
}

/// Runs `hook` when the process ends by returning from `main` or by `exit`, after hooks registered later.
pub(crate) fn at_exit(hook: extern "C" fn()) -> io::Result<()> {
    // SAFETY: `hook` is a plain function that lives as long as the program.
    if unsafe { atexit(hook) } == 0 { Ok(()) } else { Err(io::Error::other("atexit refused the hook")) }
}

/// Makes a thread of this library's own.
pub(crate) fn thread(name: &str, stack_size: usize, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.into()).stack_size(stack_size).spawn(body).map(drop)
}

/// Ends the process at once: no hook, no flush.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no precondition.
    unsafe { _exit(code) }
}

/// Becomes another program, as far as that goes: it is a child of this process then, which stands in for it, gives it its Job and ends as it does.
pub(crate) fn execute(command: &mut std::process::Command) -> io::Error {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return error,
    };
    let ended = super::lifeline::enlist(child.as_handle()).and_then(|()| child.wait());
    match ended {
        Ok(status) => exit_now(status.code().unwrap_or(-1)),
        Err(error) => {
            let _gone_already = child.kill();
            error
        }
    }
}

/// Has this message sent if the process aborts from now on: nobody can. Rust aborts with `__fastfail`, which reaches no handler of the process; that it
/// aborted, its exit code tells (0xC0000409).
pub(crate) fn say_when_aborting(_channel: &Channel, _message: Vec<u8>) {}
