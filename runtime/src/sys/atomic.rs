//! The atomics of memory that processes share, for code that `models/` checks with those of a model checker in their place.

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
