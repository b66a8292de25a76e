//! Connecting to a listener.

use std::io;
use std::time::{Duration, Instant};

use super::peer::Allowed;
use super::{Address, ConnectError, greeting};
use crate::channel::Connection;
use crate::sys::channel::{Channel, Received};
use crate::sys::{local, poller};

/// How long a client waits to be accepted, unless it says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connects to a listener, and waits at most 30 seconds to be accepted.
///
/// The connection sends `S`, which is what the listener receives, and receives `R`, which is what it sends. See [the module](super).
///
/// # Errors
/// [`ConnectError::NotListening`] at once when nobody is there, [`ConnectError::TimedOut`] when nobody accepted; otherwise see
/// [`ConnectError`].
#[doc(alias = "Client")]
pub fn connect<S, R>(address: &Address) -> Result<Connection<S, R>, ConnectError> {
    Client::new().connect(address)
}

/// Connects to a listener, and waits at most this long to be accepted.
///
/// # Errors
/// As [`connect`].
pub fn connect_timeout<S, R>(address: &Address, timeout: Duration) -> Result<Connection<S, R>, ConnectError> {
    Client::new().timeout(timeout).connect(address)
}

/// Settings for a client.
///
/// ```
/// use offspring::net::{Client, Listener};
/// use std::time::Duration;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let listener = Listener::<u8>::new()?;
///     let client = Client::new().allow_uid(0).timeout(Duration::from_millis(5));
///     let error = client.connect::<u8, u8>(listener.address()).unwrap_err(); // nobody accepts
///     assert!(error.is_timed_out());
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a client does nothing until `connect`"]
pub struct Client {
    timeout: Duration,
    allowed: Allowed,
}

impl Default for Client {
    fn default() -> Self {
        Self { timeout: PATIENCE, allowed: Allowed::default() }
    }
}

impl Client {
    /// A client that waits at most 30 seconds, and connects to listeners of its own user.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait to be accepted. With [`Duration::MAX`], as long as it takes and the listener is there.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connects also to listeners of this user: 0 for a service of the system's. The user is trusted.
    pub fn allow_uid(mut self, uid: u32) -> Self {
        self.allowed.add(uid);
        self
    }

    /// Connects to a listener, whoever it is. All users of the machine are trusted, since any may listen at an address that is free.
    pub fn allow_any_user(mut self) -> Self {
        self.allowed.add_everybody();
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`connect`].
    pub fn connect<S, R>(&self, address: &Address) -> Result<Connection<S, R>, ConnectError> {
        let deadline = poller::deadline(Some(self.timeout));
        let place = address.place().map_err(ConnectError::InvalidAddress)?;
        let failed = |error| explain(error, address);
        let listener = local::connect(place, deadline).map_err(failed)?;
        let uid = local::peer(&listener).map_err(failed)?.user;
        if !self.allowed.admits(uid) {
            return Err(ConnectError::OtherUser { address: address.clone(), uid });
        }
        match hear(&listener, deadline).map_err(failed)? {
            Received::Message(message) => greeting::take(&listener, message, address),
            Received::Closed => Err(ConnectError::Disconnected { address: address.clone() }),
            Received::Empty => Err(ConnectError::TimedOut { address: address.clone() }),
        }
    }
}

/// Waits for what the listener says; [`Received::Empty`] when it has said nothing until the deadline.
fn hear(listener: &Channel, deadline: Option<Instant>) -> io::Result<Received> {
    loop {
        let ready = poller::wait(&[listener.sentinel()], deadline)?[0];
        match listener.try_receive()? {
            Received::Empty if ready => {}
            heard => return Ok(heard),
        }
    }
}

/// What an error of the system means.
fn explain(source: io::Error, address: &Address) -> ConnectError {
    let address = address.clone();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ConnectError::NotListening { address, source }
        }
        io::ErrorKind::TimedOut => ConnectError::TimedOut { address },
        io::ErrorKind::PermissionDenied => ConnectError::NotAllowed { address },
        io::ErrorKind::InvalidData => ConnectError::Protocol { address, why: source.to_string() },
        _ => ConnectError::System { address, source },
    }
}
