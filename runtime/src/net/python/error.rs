//! What can go wrong with a peer in Python.

use std::io;

use super::Endpoint;

/// Why there is no connection with a program in Python, or no message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PythonError {
    /// Nobody is there.
    #[error("nobody listens at `{endpoint}`: start the listener first")]
    NotListening {
        /// Where nobody is.
        endpoint: Endpoint,
        /// What the system said.
        source: io::Error,
    },
    /// The peer has not proved that it knows the key.
    #[error("the peer does not know the key: give both sides the same `authkey`")]
    WrongKey,
    /// The peer says that this side does not know its key.
    #[error("the peer has another key: give both sides the same `authkey`")]
    Rejected,
    /// The listener asks for a key, and none was given here.
    #[error("the listener asks for a key: connect with its `authkey`")]
    KeyRequired,
    /// The handshake was not over in time.
    #[error(
        "the peer did not finish the handshake in time: it may have been started without an `authkey`, or be stuck"
    )]
    HandshakeTimedOut,
    /// The peer ended, or closed the connection, in the handshake.
    #[error("the peer closed the connection in the handshake")]
    HandshakeClosed,
    /// What the peer says in the handshake is not what CPython says.
    #[error("the peer does not speak the handshake of CPython's `multiprocessing.connection`: {0}")]
    Protocol(String),
    /// The peer ended, or closed the connection. No message is cut off.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer ended within a message.
    #[error("the peer ended in the middle of a message: {received} of {announced} bytes came")]
    Truncated {
        /// How many bytes of it came.
        received: u64,
        /// How many were to come.
        announced: u64,
    },
    /// A message is longer than allowed. The connection is closed.
    #[error(
        "a message of {length} bytes, where at most {limit} are allowed: see `python::Builder::max_message`"
    )]
    TooLong {
        /// How many bytes the peer announced.
        length: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// What is ahead of a message is no length. The connection is closed.
    #[error(
        "a message of {0} bytes is announced: the peer does not speak CPython's `multiprocessing.connection`"
    )]
    InvalidLength(i32),
    /// A message holds more than plain data, or is no pickle. It is lost, the connection is as before.
    #[error("a message cannot be decoded: {0}")]
    NotPlain(String),
    /// A message is plain data, of another shape than the type that was to be received. It is lost, the connection is as before.
    #[error("a message does not fit the type that was to be received: {0}")]
    OtherShape(#[source] serde_pickle::Error),
    /// A value cannot be written as plain data. Nothing was sent.
    #[error("a value cannot be written for Python: {0}")]
    Unencodable(#[source] serde_pickle::Error),
    /// The system refused something.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl PythonError {
    /// Whether the two sides do not have the same key.
    #[must_use]
    #[doc(alias = "AuthenticationError")]
    pub fn is_authentication(&self) -> bool {
        matches!(self, Self::WrongKey | Self::Rejected | Self::KeyRequired)
    }

    /// Whether the peer is gone.
    #[must_use]
    #[doc(alias = "EOFError")]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Closed | Self::HandshakeClosed | Self::Truncated { .. })
    }
}
