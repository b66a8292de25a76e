//! The Linux back end.

pub(crate) mod ambient;
pub(crate) mod available;
pub(crate) mod blob;
pub(crate) mod channel;
pub(crate) mod clock;
pub(crate) mod cpu;
pub(crate) mod exec;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod image;
pub(crate) mod lifeline;
pub(crate) mod local;
pub(crate) mod memory;
pub(crate) mod owner;
pub(crate) mod poller;
pub(crate) mod process;
pub(crate) mod procfs;
pub(crate) mod rendezvous;
pub(crate) mod seal;
pub(crate) mod tree;
pub(crate) mod usage;
pub(crate) mod zygote;

pub(crate) use super::unix::{own, robust, stream};

pub(crate) use super::unix::descriptor::above_standard;
pub(crate) use super::unix::runtime;

/// An owned kernel object that can travel to another process.
pub(crate) type Object = std::os::fd::OwnedFd;

/// One that is lent.
pub(crate) type Borrowed<'a> = std::os::fd::BorrowedFd<'a>;

/// Lends an object.
pub(crate) fn borrow(object: &Object) -> Borrowed<'_> {
    std::os::fd::AsFd::as_fd(object)
}
