//! The time: a clock that is read often, and one that processes share.

pub(crate) use crate::sys::ticks::coarse;
pub(crate) use crate::sys::unix::clock::nanoseconds;
