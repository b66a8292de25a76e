//! Starts this same program afresh: to be `CreateProcessW` of `current_exe()`, suspended, with
//! `PROC_THREAD_ATTRIBUTE_HANDLE_LIST`, so that only what is named is inherited (no handle of ours is inheritable
//! otherwise), and `PROC_THREAD_ATTRIBUTE_JOB_LIST`, so that it is in its parent's Job before it runs. Command lines
//! above 32 767 characters are refused here: they would be cut.

use std::ffi::OsString;
use std::io;

use super::process::Handle;
use super::{Borrowed, Object};
use crate::sys::unsupported::unsupported;

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
#[expect(dead_code, reason = "nothing is executed yet")]
pub(crate) struct Exec<'a> {
    /// The arguments, with the name of the program first.
    pub(crate) arguments: &'a [OsString],
    /// The whole environment.
    pub(crate) environment: &'a [(OsString, OsString)],
    /// Standard input, output and error; `None` leaves the parent's.
    pub(crate) standard: [Option<Borrowed<'a>>; 3],
    /// The one further object that the new process gets.
    pub(crate) boot: &'a Object,
    /// The directory to begin in; `None` leaves the parent's.
    pub(crate) directory: Option<Borrowed<'a>>,
    pub(crate) group: Group,
}

/// Makes the process. It has executed the new program, or this is an error.
pub(crate) fn start(_exec: &Exec<'_>) -> io::Result<Handle> {
    Err(unsupported())
}
