//! Settings, and connecting.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::socket::{Hurried, Socket};
use super::{AuthKey, Connection, Endpoint, Listener, PythonError, handshake};

/// How long a handshake may take, unless it is said.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a message may be, unless it is said.
pub(super) const MAX_MESSAGE: u64 = 64 << 20;

/// Connects to a listener in Python, as `Client(address, authkey=...)` does there.
///
/// # Errors
/// [`PythonError::NotListening`] when nobody is there; an [authentication](PythonError::is_authentication) error when the keys differ;
/// otherwise see [`PythonError`].
#[doc(alias = "Client")]
pub fn connect(endpoint: impl Into<Endpoint>, key: impl Into<AuthKey>) -> Result<Connection, PythonError> {
    Builder::new().authkey(key).connect(endpoint)
}

/// Settings for a listener or a client.
///
/// ```
/// use offspring::net::python::Builder;
/// use std::time::Duration;
///
/// let settings = Builder::new().authkey("abc").max_message(1 << 20).handshake_timeout(Duration::from_secs(2));
/// let listener = settings.bind(("127.0.0.1", 0))?;
/// println!("in Python: Client({:?}, authkey=b'abc')", listener.endpoint());
/// # Ok::<(), offspring::net::python::PythonError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `bind` or `connect`"]
pub struct Builder {
    key: Option<AuthKey>,
    max_message: u64,
    patience: Duration,
    md5: bool,
    call: Option<Duration>,
}

impl Default for Builder {
    fn default() -> Self {
        Self { key: None, max_message: MAX_MESSAGE, patience: PATIENCE, md5: true, call: None }
    }
}

impl Builder {
    /// No key, messages of at most 64 MiB, and 10 seconds for the handshake.
    pub fn new() -> Self {
        Self::default()
    }

    /// The key that both sides must know. Without one there is no handshake, and everybody is let in who can reach the listener.
    pub fn authkey(mut self, key: impl Into<AuthKey>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// How many bytes a message may have that is received, and a value when it is written out. Reading a value takes
    /// How many bytes a message may have that is received, and a value when it is written out. Reading a value takes
    /// up to 250 times as much memory for a while, when all in it is small.
    pub fn max_message(mut self, bytes: u64) -> Self {
        self.max_message = bytes;
        self
    }

    /// How long the handshake may take, from the moment when there is a connection.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.patience = timeout;
        self
    }

    /// How long a call of a [manager in Python](super::manager::Manager) may take, with all that belongs to it: for ever, unless this says otherwise.
    /// A call that takes longer is [`CallError::TimedOut`](super::manager::CallError::TimedOut).
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call = Some(timeout);
        self
    }

    /// Whether HMAC-MD5 will do, which is all that CPython before 3.12 knows. It will, unless this says `false`.
    pub fn md5(mut self, allowed: bool) -> Self {
        self.md5 = allowed;
        self
    }

    /// Listens at an endpoint.
    ///
    /// # Errors
    /// [`PythonError::System`], with [`AddrInUse`](io::ErrorKind::AddrInUse) when somebody listens there, or the path exists.
    pub fn bind(&self, endpoint: impl Into<Endpoint>) -> Result<Listener, PythonError> {
        Listener::new(&endpoint.into(), self.clone())
    }

    /// Connects to a listener.
    ///
    /// # Errors
    /// As [`connect`].
    pub fn connect(&self, endpoint: impl Into<Endpoint>) -> Result<Connection, PythonError> {
        self.connect_until(endpoint.into(), None)
    }

    /// Connects to a listener, with the handshake, until a moment.
    pub(super) fn connect_until(
        &self,
        endpoint: Endpoint,
        deadline: Option<Instant>,
    ) -> Result<Connection, PythonError> {
        let socket = Socket::connect(&endpoint, deadline).map_err(|source| match source.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                PythonError::NotListening { endpoint, source }
            }
            _ => source.into(),
        })?;
        self.meet(Arc::new(socket), deadline, handshake::introduce)
    }

    /// As [`call_timeout`](Self::call_timeout) has it.
    pub(super) fn call(&self) -> Option<Duration> {
        self.call
    }

    /// How many bytes a message may have.
    pub(super) fn limit(&self) -> u64 {
        self.max_message
    }

    /// The handshake of a listener.
    pub(super) fn receive(&self, socket: Arc<Socket>) -> Result<Connection, PythonError> {
        self.meet(socket, None, handshake::receive)
    }

    fn meet(
        &self,
        socket: Arc<Socket>,
        deadline: Option<Instant>,
        prove: fn(&mut Hurried<'_>, &AuthKey, bool) -> Result<(), PythonError>,
    ) -> Result<Connection, PythonError> {
        if let Some(key) = &self.key {
            let patience = Instant::now().checked_add(self.patience);
            let mut hurried = Hurried::new(&socket, patience.into_iter().chain(deadline).min());
            prove(&mut hurried, key, self.md5)?;
            hurried.relax()?;
        }
        Ok(Connection::new(socket, self.max_message))
    }
}
