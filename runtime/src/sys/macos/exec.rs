//! Starts this same program afresh: `posix_spawn(2)` of the file that it was started from.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;

use super::process::{Handle, end_by_number};
use crate::sys::unix::spawn;
pub(crate) use crate::sys::unix::spawn::{Exec, Group};

/// Makes the process. It has executed the new program, or this is an error.
pub(crate) fn start(exec: &Exec<'_>) -> io::Result<Handle> {
    let program = CString::new(std::env::current_exe()?.as_os_str().as_bytes())?;
    let pid = spawn::start(&program, exec)?;
    // Its number is its own until it is reaped, which is done by its handle.
    Handle::open(pid).inspect_err(|_| end_by_number(pid))
}
