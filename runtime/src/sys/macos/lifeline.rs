//! A process dies when its parent does: by a thread that watches, as there is neither a signal for it nor `F_SETSIG`.

pub(crate) use crate::sys::unix::lifeline::{arm, end, forget, keep_over_exec};
