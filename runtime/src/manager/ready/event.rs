//! Events.

use std::time::Duration;

use super::line::{Line, Party};
use crate::manager::Caller;

struct Flag(bool);

impl Party for Flag {
    fn gone(&mut self, _: &Caller) {}
}

/// The service of events.
pub(super) struct Event(Line<Flag>);

impl Event {
    pub(super) fn new() -> Self {
        Self(Line::new(Flag(false)))
    }
}

/// A flag at a manager that clients wait for.
#[crate::service(crate = crate)]
impl Event {
    /// Sets it: all who wait go on, also if it is cleared at once.
    pub fn set(&self) {
        self.0.change(|flag| flag.0 = true);
    }

    /// Clears it: who waits from now on waits until it is set again.
    pub fn clear(&self) {
        self.0.change(|flag| flag.0 = false);
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.0.look(|flag| flag.0)
    }

    /// Waits until it is set.
    pub fn wait(&self) {
        let _cancelled = self.0.wait(None, |flag| flag.0.then_some(()), |_, _| {});
    }

    /// Waits until it is set, at most this long: whether it is.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.0.wait(Some(timeout), |flag| flag.0.then_some(()), |_, _| {}).is_ok()
    }
}
