//! What every Unix shares.

pub(crate) mod ambient;
pub(crate) mod clock;
pub(crate) mod descriptor;
pub(crate) mod fork;
#[cfg(any(target_os = "linux", target_os = "android"))] // Apple's systems lack `MSG_CMSG_CLOEXEC`
pub(crate) mod message;
pub(crate) mod own;
pub(crate) mod poll;
#[cfg(any(target_os = "linux", target_os = "android"))] // Apple's systems have none
pub(crate) mod robust;
pub(crate) mod runtime;
pub(crate) mod signal;
#[cfg(any(target_os = "linux", target_os = "android"))] // channels are there alone
pub(crate) mod socket;
pub(crate) mod stream;
