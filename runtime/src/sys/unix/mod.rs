//! What every Unix shares. What Linux has better means for is compiled there for its tests alone: so it has been run somewhere.

pub(crate) mod ambient;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
#[cfg_attr(any(target_os = "linux", target_os = "android"), allow(dead_code))]
pub(crate) mod channel;
pub(crate) mod clock;
pub(crate) mod descriptor;
pub(crate) mod fork;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
#[cfg_attr(any(target_os = "linux", target_os = "android"), allow(dead_code))]
pub(crate) mod lifeline;
#[cfg(any(test, target_vendor = "apple"))]
#[cfg_attr(not(target_vendor = "apple"), allow(dead_code))]
pub(crate) mod macho;
#[cfg_attr(any(target_os = "linux", target_os = "android"), allow(dead_code))]
pub(crate) mod message;
pub(crate) mod own;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
pub(crate) mod pages;
pub(crate) mod poll;
#[cfg(any(target_os = "linux", target_os = "android"))] // Apple's systems have none
pub(crate) mod robust;
pub(crate) mod runtime;
pub(crate) mod signal;
pub(crate) mod socket;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
#[cfg_attr(any(target_os = "linux", target_os = "android"), allow(dead_code))]
pub(crate) mod spawn;
pub(crate) mod stream;
