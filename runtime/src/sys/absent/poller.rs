//! Waiting for many things at once, for longer than one call, where it has a sentinel of its own.

use std::io;

use crate::sys::platform::Borrowed;
use crate::sys::platform::poller::Sentinel;
use crate::sys::unsupported::unsupported;

/// Things that have one sentinel together, which is ready as long as one of them is.
#[derive(Debug)]
pub(crate) enum Bundle {}

impl Bundle {
    pub(crate) fn new() -> io::Result<Self> {
        Err(unsupported())
    }

    pub(crate) fn add(&self, _sentinel: Sentinel<'_>) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn remove(&self, _sentinel: Sentinel<'_>) -> io::Result<()> {
        match *self {}
    }

    /// What is ready as long as one of them is.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        match *self {}
    }

    /// The same, as what can be duplicated.
    pub(crate) fn object(&self) -> Borrowed<'_> {
        match *self {}
    }
}
