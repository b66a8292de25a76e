//! Events.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::line::{Line, Party};
use super::wrapper;
use crate::manager::{CallError, Caller};

struct Flag(bool);

impl Party for Flag {
    fn gone(&mut self, _: &Caller) {}
}

/// The service of events.
pub(super) struct Signal(Line<Flag>);

impl Signal {
    pub(super) fn new() -> Self {
        Self(Line::new(Flag(false)))
    }
}

/// Events of a manager.
#[crate::service(crate = crate)]
impl Signal {
    pub fn turn(&self, set: bool) {
        self.0.change(|flag| flag.0 = set);
    }

    pub fn is_set(&self) -> bool {
        self.0.look(|flag| flag.0)
    }

    /// Whether it was set in time.
    pub fn wait(&self, limit: Option<Duration>) -> bool {
        self.0.wait(limit, |flag| flag.0.then_some(()), |_, _| {}).is_ok()
    }
}

/// A flag at a manager, which clients set and wait for: made by [`Manager::event`](crate::Manager::event).
///
/// ```
/// use offspring::manager::Event;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let ready = manager.event()?;
///     let child = offspring::spawn(|ready: Event| ready.wait().unwrap(), (ready.clone(),))?;
///     ready.set()?;
///     child.join()?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event(pub(super) SignalProxy);

wrapper!(Event, SignalProxy);

impl Event {
    /// Sets it: all who wait go on, also if it is cleared at once.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn set(&self) -> Result<(), CallError> {
        self.0.turn(true)
    }

    /// Clears it: who waits from now on waits until it is set again.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn clear(&self) -> Result<(), CallError> {
        self.0.turn(false)
    }

    /// Whether it is set.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn is_set(&self) -> Result<bool, CallError> {
        self.0.is_set()
    }

    /// Waits until it is set.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn wait(&self) -> Result<(), CallError> {
        // Without a limit a wait only ends before when it is cancelled.
        if self.0.wait(None)? { Ok(()) } else { Err(CallError::Cancelled) }
    }

    /// Waits until it is set, at most this long: whether it is.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, CallError> {
        self.0.wait(Some(timeout))
    }
}
