//! What Linux alone has so far, for the systems that lack it: the names of each facility, with types that have no values.
//! Each file says what it is to hold on them.

#[cfg(windows)]
pub(crate) mod cpu;
pub(crate) mod local;
#[cfg(windows)]
pub(crate) mod poller;
pub(crate) mod rendezvous;
#[cfg(windows)]
pub(crate) mod stream;
#[cfg(windows)]
pub(crate) mod usage;
pub(crate) mod zygote;
