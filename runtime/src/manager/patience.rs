//! How long a caller waits: until a time, or until somebody says that it need not wait any more.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::CallError;
use super::caller::{Hook, Occasion};
use crate::net::remote::{LinkReceiver, RemoteError};
use crate::sys::poller::Poller;

/// Cancels calls of this process: see [`Proxy::with_cancel`](super::Proxy::with_cancel). Clones are the same token. What is cancelled stays so.
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Occasion>);

impl CancelToken {
    /// A token that nobody has cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the waits of all calls that have the token, and of those to come.
    pub fn cancel(&self) {
        self.0.happen(None).come();
    }

    /// Whether somebody has cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.has_happened()
    }

    /// Has something done when somebody cancels, until drop of what this returns; now, if somebody has.
    pub(super) fn when_cancelled(&self, action: impl FnOnce() + Send + 'static) -> Hook {
        self.0.add(Box::new(action))
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelToken").field(&self.is_cancelled()).finish()
    }
}

/// How long a caller waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Patience {
    pub(super) limit: Option<Duration>,
    pub(super) cancel: Option<CancelToken>,
}

impl Patience {
    pub(super) fn of(limit: Duration) -> Self {
        Self { limit: Some(limit), cancel: None }
    }
}

/// Wakes the thread that made it when a call is cancelled, whether it is parked or reads.
pub(super) struct Alarm<'a> {
    token: &'a CancelToken,
    poller: Arc<Poller>,
    _hook: Hook,
}

impl<'a> Alarm<'a> {
    /// One for who waits on this thread, if the call can be cancelled.
    pub(super) fn of(patience: &'a Patience) -> Result<Option<Self>, CallError> {
        let alarm = patience.cancel.as_ref().map(Self::new).transpose();
        alarm.map_err(|error| CallError::Refused(format!("the call cannot wait: {error}")))
    }

    fn new(token: &'a CancelToken) -> std::io::Result<Self> {
        let poller = Arc::new(Poller::new()?);
        let (bell, waiting) = (Arc::clone(&poller), thread::current());
        let hook = token.when_cancelled(move || {
            let _rings_already = bell.ring();
            waiting.unpark();
        });
        Ok(Self { token, poller, _hook: hook })
    }

    pub(super) fn is_rung(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits for a message, as long as it is not rung.
    pub(super) fn recv(
        &self,
        receiver: &mut LinkReceiver,
        message: &mut Vec<u8>,
        deadline: Option<Instant>,
    ) -> Result<(), RemoteError> {
        loop {
            // What has been read already is not seen from outside.
            match receiver.recv_timeout_into(message, Duration::ZERO) {
                Err(RemoteError::TimedOut) => {}
                came => return came,
            }
            if self.is_rung() || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(RemoteError::TimedOut);
            }
            let wait = || {
                self.poller.remove(receiver.sentinel())?;
                self.poller.add(receiver.sentinel(), 0)?;
                self.poller.wait(deadline)
            };
            wait().map_err(RemoteError::system)?;
        }
    }
}
