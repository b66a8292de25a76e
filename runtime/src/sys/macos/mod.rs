//! The back end of macOS, which the BSDs share: kqueue in place of pidfds. It cannot start processes yet.

pub(crate) mod ambient;
pub(crate) mod available;
pub(crate) mod blob;
pub(crate) mod clock;
pub(crate) mod exec;
pub(crate) mod fork;
pub(crate) mod image;
pub(crate) mod lifeline;
pub(crate) mod poller;
pub(crate) mod process;
pub(crate) mod tree;

pub(crate) use super::absent::{
    channel, cpu, futex, local, memory, owner, rendezvous, robust, seal, usage, zygote,
};
pub(crate) use super::unix::descriptor::above_standard;
pub(crate) use super::unix::{own, runtime, stream};

/// An owned kernel object that can travel to another process.
pub(crate) type Object = std::os::fd::OwnedFd;

/// One that is lent.
pub(crate) type Borrowed<'a> = std::os::fd::BorrowedFd<'a>;

/// Lends an object.
pub(crate) fn borrow(object: &Object) -> Borrowed<'_> {
    std::os::fd::AsFd::as_fd(object)
}
