//! A link to the server that comes back: what workers and producers have in common.
//!
//! One thread has it: it connects, listens, says now and then that it is there, and connects again when the link has ended, until
//! nobody has been there for longer than the patience.

use std::time::{Duration, Instant};

use super::TaskError;
use super::message::{ToServer, frame};
use crate::net::remote::{AuthKey, Endpoint, Limits, Link, LinkReceiver, LinkSender, RemoteError, TlsClient};
use crate::sys::poller;

/// How long to wait before a second try to connect; it doubles until it is the last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Where the server is, and how it is reached.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) endpoint: Endpoint,
    pub(super) key: Option<AuthKey>,
    pub(super) limits: Limits,
    pub(super) tls: Option<TlsClient>,
    pub(super) patience: Duration,
}

impl Dial {
    pub(super) fn connect(&self) -> Result<(LinkSender, LinkReceiver), TaskError> {
        let link = Link::connect_with(&self.endpoint, self.key.as_ref(), &self.limits, self.tls.as_ref());
        Ok(link.map_err(TaskError::NoLink)?.split())
    }
}

/// A link that has been welcomed.
pub(super) struct Connected {
    pub(super) sender: LinkSender,
    pub(super) receiver: LinkReceiver,
    pub(super) lease: Duration,
}

/// Who has such a link.
pub(super) trait Standing {
    fn dial(&self) -> &Dial;

    /// Makes a link, and says there what it begins with.
    fn connect(&self) -> Result<Connected, TaskError>;

    /// Hears a message: why it is over, if it is.
    fn hear(&self, sender: &LinkSender, message: &[u8]) -> Option<TaskError>;

    /// There is no link now: why there is to be no other, if that is so.
    fn lost(&self) -> Option<TaskError>;

    /// Nothing more is done. Who waits returns.
    fn end(&self, why: TaskError);

    fn has_ended(&self) -> bool;

    /// Waits for so long, or until it has ended.
    fn pause(&self, most: Duration);

    /// Has links, one after the other, until it is over.
    fn serve(&self, first: Connected) {
        let mut connected = Some(first);
        while let Some(link) = connected.take() {
            let why = self.listen(link);
            if let Some(why) = why.or(self.lost()) {
                return self.end(why);
            }
            connected = self.connect_again();
        }
    }

    /// Tries to have a link again; `None` when it is over.
    fn connect_again(&self) -> Option<Connected> {
        let deadline = poller::deadline(Some(self.dial().patience));
        let mut pause = FIRST_PAUSE;
        let mut last = TaskError::NoLink(RemoteError::Closed);
        loop {
            if self.has_ended() {
                return None;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.end(last);
                return None;
            }
            match self.connect() {
                Ok(connected) => return Some(connected),
                Err(TaskError::NoLink(error)) if may_pass(&error) => last = TaskError::NoLink(error),
                Err(error) => {
                    self.end(error);
                    return None;
                }
            }
            if let Some(why) = self.lost() {
                self.end(why);
                return None;
            }
            self.pause(pause.min(super::remaining(deadline).unwrap_or(pause)));
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Listens until the link is over: why it is to be the last, if it is.
    fn listen(&self, link: Connected) -> Option<TaskError> {
        let Connected { sender, mut receiver, lease } = link;
        let interval = lease / 3;
        let beat = frame(&ToServer::Beat);
        let mut said = Instant::now();
        let mut message = Vec::new();
        loop {
            let left = interval.saturating_sub(said.elapsed());
            match receiver.recv_timeout_into(&mut message, left) {
                Ok(()) => {
                    if let Some(over) = self.hear(&sender, &message) {
                        return Some(over);
                    }
                }
                Err(error) if error.is_timed_out() => {}
                Err(_over) => return None,
            }
            if said.elapsed() >= interval {
                said = Instant::now();
                if sender.send(&beat).is_err() {
                    return None;
                }
            }
        }
    }
}

/// Whether a server that is not there for this reason may be there later.
fn may_pass(error: &RemoteError) -> bool {
    use RemoteError::{Closed, HandshakeTimeout, Lost, NotListening, System, TimedOut, TooMany};
    matches!(
        error,
        Closed | Lost(_) | NotListening { .. } | TimedOut | HandshakeTimeout | TooMany | System(_)
    )
}
