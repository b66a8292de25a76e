//! What Linux alone has so far, for the systems that lack it: the names of each facility, with types that have no values.
//! Each file says what it is to hold on them.

#[cfg(not(windows))]
pub(crate) mod channel;
pub(crate) mod cpu;
pub(crate) mod futex;
pub(crate) mod local;
pub(crate) mod memory;
pub(crate) mod owner;
pub(crate) mod poller;
pub(crate) mod rendezvous;
pub(crate) mod robust;
pub(crate) mod seal;
#[cfg(windows)]
pub(crate) mod stream;
pub(crate) mod usage;
pub(crate) mod zygote;
