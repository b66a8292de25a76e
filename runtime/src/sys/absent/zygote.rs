//! Makes siblings by cloning: only Linux can make a process whose parent is another (`CLONE_PARENT`). Elsewhere there is no
//! forkserver, and these types have no values.

use std::io;

use crate::sys::platform::process::Handle;
use crate::sys::platform::{Borrowed, Object};
use crate::sys::unsupported::unsupported;

/// Whether this system has a forkserver.
pub(crate) const SUPPORTED: bool = false;

/// A page with one slot per outstanding request, shared by requester and server.
#[derive(Debug)]
pub(crate) enum Slots {}

impl Slots {
    /// How many requests can be outstanding.
    pub(crate) const COUNT: usize = 0;

    /// Makes the page, and the object by which the server maps it.
    pub(crate) fn create() -> io::Result<(Self, Object)> {
        Err(unsupported())
    }

    /// Maps the page of a requester.
    pub(crate) fn map(_object: &Object) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Keeps the page out of clones of this process.
    pub(crate) fn keep_from_clones(&self) -> io::Result<()> {
        match *self {}
    }

    /// In a clone, where there is no page.
    pub(crate) fn forget_in_clone(self) {
        match self {}
    }

    /// Empties a slot before a request.
    pub(crate) fn clear(&self, _index: u16) {
        match *self {}
    }

    /// Says that the requester knows of its process.
    pub(crate) fn see(&self, _index: u16, _pid: u32) {
        match *self {}
    }

    /// Whether the requester knows of its process.
    pub(crate) fn is_seen(&self, _index: u16) -> bool {
        match *self {}
    }

    /// Makes the process of a request end that there is no handle of.
    pub(crate) fn end_born(&self, _index: u16) {
        match *self {}
    }

    /// The process that a request made, if it got so far.
    pub(crate) fn born(&self, _index: u16) -> Option<u32> {
        match *self {}
    }
}

/// Which side of [`Zygote::clone`] this is.
#[derive(Debug)]
#[expect(dead_code, reason = "nothing is cloned here")]
pub(crate) enum Side {
    /// In the server: the new sibling.
    Server(Handle),
    /// In the new process.
    Child,
}

/// A process that may be cloned.
#[derive(Debug)]
pub(crate) enum Zygote {}

impl Zygote {
    /// Checks that this process can be cloned.
    pub(crate) fn new(_idle: usize) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Clones this process as a child of its parent; returns twice.
    pub(crate) fn clone(&self, _slots: &Slots, _slot: u16) -> io::Result<Side> {
        match *self {}
    }
}

/// The object by which a new process travels to its parent.
pub(crate) fn as_object(handle: &Handle) -> Borrowed<'_> {
    handle.object()
}

/// The handle that the server sent.
pub(crate) fn from_object(_pid: u32, _object: Object) -> io::Result<Handle> {
    Err(unsupported())
}
