//! Waiting for many things at once: `poll(2)` for one call; for the watcher see the stand-in.

pub(crate) use crate::sys::absent::poller::{Bundle, Poller};
pub(crate) use crate::sys::unix::poll::{Sentinel, deadline, sentinel, wait};
