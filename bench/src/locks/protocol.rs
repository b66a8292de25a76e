//! What conductor and drivers say to each other. `python/locks.py` says the same.

use serde::{Deserialize, Serialize};

use super::contestant::Work;
use crate::summary::Rate;

/// What a driver is asked for. It answers with how often the work was done, by all together.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Nobody else wants the lock.
    Alone { work: Work, millis: u64 },
    /// Another process does the same meanwhile.
    Both { work: Work, millis: u64 },
}

/// What a driver answers.
pub(crate) type Answer = Rate;
