//! The back end of Windows: process handles, Job objects, named pipes, sections.

pub(crate) mod ambient;
pub(crate) mod available;
pub(crate) mod blob;
pub(crate) mod channel;
pub(crate) mod clock;
pub(crate) mod escrow;
pub(crate) mod exec;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod image;
pub(crate) mod lifeline;
pub(crate) mod own;
pub(crate) mod owner;
pub(crate) mod pages;
pub(crate) mod poller;
pub(crate) mod process;
pub(crate) mod runtime;
pub(crate) mod tree;

pub(crate) use super::absent::{cpu, local, rendezvous, stream, usage, zygote};
pub(crate) use super::agreed::{self as memory, seal};
pub(crate) use super::holder as robust;

/// An owned kernel object that can travel to another process.
pub(crate) type Object = std::os::windows::io::OwnedHandle;

/// One that is lent.
pub(crate) type Borrowed<'a> = std::os::windows::io::BorrowedHandle<'a>;

/// Lends an object.
pub(crate) fn borrow(object: &Object) -> Borrowed<'_> {
    std::os::windows::io::AsHandle::as_handle(object)
}

/// Moves an object out of the way of the standard streams: handles are never in it.
#[allow(clippy::unnecessary_wraps)] // descriptors can be
pub(crate) fn above_standard(object: Object) -> std::io::Result<Object> {
    Ok(object)
}
