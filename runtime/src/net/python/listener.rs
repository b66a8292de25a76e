//! The side that listens.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use super::socket::Socket;
use super::{AuthKey, Builder, Connection, Endpoint, PythonError};
use crate::process::{Sentinel, Waitable};

/// Listens for programs in Python, whose `multiprocessing.connection.Client` connects to it. See [the module](super).
///
/// The file of a path is removed when the listener is dropped, in the process that bound it.
#[derive(Debug)]
pub struct Listener {
    socket: Listening,
    endpoint: Endpoint,
    settings: Builder,
    /// The process that bound it.
    owner: u32,
}

#[derive(Debug)]
enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Listens at an endpoint, for clients that know the key.
    ///
    /// # Errors
    /// As [`Builder::bind`].
    pub fn bind(endpoint: impl Into<Endpoint>, key: impl Into<AuthKey>) -> Result<Self, PythonError> {
        Builder::new().authkey(key).bind(endpoint)
    }

    pub(super) fn new(endpoint: &Endpoint, settings: Builder) -> Result<Self, PythonError> {
        let explain = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot listen at `{endpoint}`: {error}"))
        };
        let (socket, endpoint) = match endpoint {
            Endpoint::Tcp(host, port) => {
                let socket = TcpListener::bind((host.as_str(), *port)).map_err(explain)?;
                let port = socket.local_addr()?.port();
                (Listening::Tcp(socket), Endpoint::Tcp(host.clone(), port))
            }
            Endpoint::Path(path) => {
                let path = std::path::absolute(path)?;
                (Listening::Unix(UnixListener::bind(&path).map_err(explain)?), Endpoint::Path(path))
            }
        };
        let listener = Self { socket, endpoint, settings, owner: std::process::id() };
        match &listener.socket {
            Listening::Tcp(socket) => socket.set_nonblocking(true)?,
            Listening::Unix(socket) => socket.set_nonblocking(true)?,
        }
        Ok(listener)
    }

    /// Where it listens: with its port, if that was to be any, and an absolute path.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Waits for a client, and for its handshake.
    ///
    /// A client that is slow takes until the limit of the handshake, and others wait meanwhile: where that matters, [`next`](Self::next).
    ///
    /// # Errors
    /// What was wrong with this client; the listener is as before, and the next client can be accepted.
    pub fn accept(&self) -> Result<Connection, PythonError> {
        self.next()?.authenticate()
    }

    /// Waits for a client, whose handshake is to come: in another thread, so that a slow client holds up nobody.
    ///
    /// ```
    /// use offspring::net::python::{self, Listener};
    ///
    /// let listener = Listener::bind(("127.0.0.1", 0), "abc")?;
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         let connection = python::connect(listener.endpoint(), "abc").expect("the keys are one");
    ///         connection.send("hello").expect("somebody receives");
    ///     });
    ///     let guest = listener.next()?;
    ///     let greeting = scope.spawn(move || guest.authenticate()?.recv::<String>());
    ///     assert_eq!(greeting.join().expect("no panic")?, "hello");
    ///     Ok::<(), python::PythonError>(())
    /// })
    /// # ?;
    /// # Ok::<(), python::PythonError>(())
    /// ```
    ///
    /// # Errors
    /// When the system lacks memory or descriptors.
    pub fn next(&self) -> Result<Guest, PythonError> {
        loop {
            match self.try_next()? {
                Some(guest) => return Ok(guest),
                None => drop(crate::wait(&[self], None)?),
            }
        }
    }

    /// A client, if one has come.
    pub(super) fn try_next(&self) -> Result<Option<Guest>, PythonError> {
        use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
        let accepted = match &self.socket {
            Listening::Tcp(socket) => socket.accept().and_then(|(stream, _)| Socket::tcp(stream)),
            Listening::Unix(socket) => socket.accept().map(|(stream, _)| Socket::Unix(stream)),
        };
        match accepted {
            Ok(socket) => {
                socket.set_nonblocking(false)?;
                Ok(Some(Guest { socket: Arc::new(socket), settings: self.settings.clone() }))
            }
            // Nobody, or one that ended before it was its turn.
            Err(error) if matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Ready when a client has come.
impl Waitable for Listener {
    fn sentinel(&self) -> Sentinel<'_> {
        self.as_fd().into()
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Listening::Tcp(socket) => socket.as_fd(),
            Listening::Unix(socket) => socket.as_fd(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Endpoint::Path(path) = &self.endpoint {
            if self.owner == std::process::id() {
                let _somebody_may_have_removed_it = std::fs::remove_file(path);
            }
        }
    }
}

/// A client that has come, and has proved nothing yet.
#[derive(Debug)]
#[must_use = "a client waits until it is authenticated"]
pub struct Guest {
    socket: Arc<Socket>,
    settings: Builder,
}

impl Guest {
    /// The handshake, if the listener has a key.
    ///
    /// # Errors
    /// [`PythonError::WrongKey`], [`PythonError::Rejected`], [`PythonError::HandshakeTimedOut`],
    /// [`PythonError::HandshakeClosed`], or [`PythonError::Protocol`]. The client has been told, as far as Python can.
    pub fn authenticate(self) -> Result<Connection, PythonError> {
        self.settings.receive(self.socket)
    }

    /// Its socket, for who wants to end it meanwhile.
    pub(super) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }
}
