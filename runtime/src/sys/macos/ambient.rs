//! What a process inherits besides its arguments: directory, standard streams, process group.
//!
//! A child is executed by its own parent here, so it inherits the rest from the right process, and there is no
//! snapshot to hand over as there is for a clone of the forkserver.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use serde::{Deserialize, Serialize};

use super::{Object, above_standard};
pub(crate) use crate::sys::unix::ambient::{
    enter, install_standard, is_terminal, null_device, refuse_terminal_stops, separate, standard,
};

/// What has to be handed over: nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ambient;

/// An [`Ambient`] with the credentials that must be equal for it to be handed over: there are none to compare.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) ambient: Ambient,
    pub(crate) credentials: String,
}

/// Takes a snapshot.
pub(crate) fn capture() -> Snapshot {
    Snapshot { ambient: Ambient, credentials: String::new() }
}

impl Ambient {
    /// Makes this process like the snapshot: as far as there is one, it is.
    pub(crate) fn adopt(&self, now: &Self) {
        debug_assert_eq!(self, now);
    }

    /// Whether a process like this may open as many descriptors as one like the other: as far as there is one, it may.
    #[allow(clippy::unused_self)] // elsewhere it is compared
    pub(crate) fn opens_as_many_as(&self, _other: &Self) -> bool {
        true
    }
}

/// A pipe: the end to read from, and the end to write to.
///
/// macOS has no `pipe2(2)`: a process that another thread executes between the two calls inherits the ends.
pub(crate) fn pipe() -> io::Result<(Object, Object)> {
    let (reader, writer) = nix::unistd::pipe()?;
    for end in [&reader, &writer] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    Ok((above_standard(reader)?, above_standard(writer)?))
}

/// A handle of a directory, to be entered by another process. Without `O_PATH` the directory must be readable.
pub(crate) fn directory(path: &Path) -> io::Result<Object> {
    let directory = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path)?;
    above_standard(directory.into())
}
