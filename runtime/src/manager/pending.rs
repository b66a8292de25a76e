//! Calls that have been started, and whose results are waited for later.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use serde::de::DeserializeOwned;

use super::CallError;
use super::client::{Connection, Reply, Seat};
use super::inlet::Feeds;
use super::patience::{Alarm, Patience};
use crate::net::remote::RemoteError;

/// A call that has been started: its result is to come.
///
/// Beside each method of a proxy there is one whose name begins with `start_`, unless the type has a method of that name itself. It sends the
/// call and returns, so that many calls are on their way at once and each need not wait for the answer to the one before.
///
/// They arrive in the order in which a thread starts them, but when one is held up, those behind it may be done first: who needs an
/// order waits.
///
/// A call whose `Pending` is dropped is done nevertheless, and its result dropped. When a thousand calls of a process have no
/// answer, starting another waits for some. A [time limit](super::Proxy::with_timeout) counts from the start, that wait included. In the process that
/// has the server, the call is done before `start_` returns.
///
/// ```
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Counter {
///     value: u64,
/// }
///
/// #[offspring::service]
/// impl Counter {
///     pub fn incr(&mut self, by: u64) -> u64 {
///         self.value += by;
///         self.value
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let counter = manager.serve(Counter::default())?;
///     let started = (0..100).map(|_| counter.start_incr(1)).collect::<Result<Vec<_>, _>>()?;
///     for call in started {
///         assert!(call.wait()? <= 100);
///     }
///     assert_eq!(counter.incr(0)?, 100);
///     Ok(())
/// }
/// ```
#[must_use = "what comes of the call is known only when it is waited for"]
pub struct Pending<R> {
    started: Started,
    feeds: Feeds,
    result: PhantomData<fn() -> R>,
}

/// How far the call is.
pub(super) enum Started {
    Sent {
        connection: Arc<Connection>,
        seat: Arc<Seat>,
        number: u64,
        deadline: Option<Instant>,
        patience: Patience,
    },
    Done(Reply),
}

impl<R: DeserializeOwned> Pending<R> {
    pub(super) fn new(started: Started, feeds: Feeds) -> Self {
        Self { started, feeds, result: PhantomData }
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// [`CallError::ServerGone`] also in a copy of the process that started it; see [`CallError`].
    pub fn wait(self) -> Result<R, CallError> {
        let done = match self.started {
            Started::Sent { connection, .. } if connection.is_of_another() => {
                Err(CallError::ServerGone(RemoteError::Closed))
            }
            Started::Sent { connection, seat, number, deadline, patience } => {
                let wait =
                    |alarm: Option<Alarm<'_>>| connection.wait(&seat, number, deadline, alarm.as_ref());
                Alarm::of(&patience).and_then(wait).and_then(|reply| reply.value())
            }
            Started::Done(reply) => reply.value(),
        };
        self.feeds.settle(done)
    }
}

impl<R> fmt::Debug for Pending<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}
