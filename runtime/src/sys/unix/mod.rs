//! What every Unix shares.

pub(crate) mod descriptor;
pub(crate) mod fork;
pub(crate) mod message;
pub(crate) mod runtime;
pub(crate) mod signal;
