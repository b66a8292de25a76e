//! An object under a name, for processes of the same user: to be the name of the section itself on
//! Windows (`CreateFileMappingW`), which is gone with its last handle, and elsewhere a bootstrap service, or a socket in a
//! directory of the user whose maker is seen to be alive by a lock.

use std::io;
use std::time::Duration;

use crate::sys::platform::poller::Sentinel;
use crate::sys::platform::{Borrowed, Object};
use crate::sys::unsupported::unsupported;

/// The longest name, in bytes.
pub(crate) const MAX_NAME: usize = 64;

/// A name that is held.
#[derive(Debug)]
pub(crate) enum Host {}

impl Host {
    /// Takes a name; `AddrInUse` when another has it.
    pub(crate) fn new(_name: &str) -> io::Result<Self> {
        Err(unsupported())
    }

    /// What becomes ready when somebody asks.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        match *self {}
    }

    /// Gives a duplicate of the object to those who ask. Waits for nobody.
    pub(crate) fn serve(&self, _object: Borrowed<'_>) -> io::Result<()> {
        match *self {}
    }
}

/// Asks for what is under a name; `None` when nobody has the name.
pub(crate) fn ask(_name: &str, _patience: Duration) -> io::Result<Option<Object>> {
    Err(unsupported())
}
