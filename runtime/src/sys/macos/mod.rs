//! The back end of macOS, which the BSDs share: queues of events in place of
//! pidfds, `posix_spawn` in place of clone, channels over streams and memory that `shm_open` makes.
//!
//! It has been type-checked and not run: what of it is in `unix/`, and that is most, has its tests run on Linux.

pub(crate) mod ambient;
pub(crate) mod available;
pub(crate) mod blob;
pub(crate) mod clock;
pub(crate) mod cpu;
pub(crate) mod exec;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod image;
mod kqueue;
pub(crate) mod lifeline;
pub(crate) mod owner;
pub(crate) mod poller;
pub(crate) mod process;
mod table;
pub(crate) mod tree;
pub(crate) mod usage;

pub(crate) use super::absent::{local, rendezvous, zygote};
pub(crate) use super::agreed::{self as memory, seal};
pub(crate) use super::holder as robust;
pub(crate) use super::unix::descriptor::above_standard;
pub(crate) use super::unix::{channel, own, runtime, stream};

/// An owned kernel object that can travel to another process.
pub(crate) type Object = std::os::fd::OwnedFd;

/// One that is lent.
pub(crate) type Borrowed<'a> = std::os::fd::BorrowedFd<'a>;

/// Lends an object.
pub(crate) fn borrow(object: &Object) -> Borrowed<'_> {
    std::os::fd::AsFd::as_fd(object)
}
