//! Why there is no link, or no longer.

use std::io;
use std::sync::Arc;

use super::Endpoint;

/// Why there is no link, why a message has not gone, or why none comes.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The other side has ended the link, or this side has.
    #[error("the link is closed")]
    Closed,
    /// The link broke: the other side or the way to it is gone, or it took nothing for too long.
    #[error("the link is lost: {0}")]
    Lost(#[source] Arc<io::Error>),
    /// Nothing came in time.
    #[error("nothing came until the timeout")]
    TimedOut,
    /// A message is longer than its receiver allows. One that was to be sent is not, and the link goes on; one that came ends it.
    #[error("a message has {size} bytes, and its receiver allows {limit}: see `Limits::max_message`")]
    TooLarge {
        /// How long it is.
        size: u64,
        /// How long it may be.
        limit: u64,
    },
    /// Nobody is there.
    #[error("nobody listens at `{endpoint}`: start the server first: {source}")]
    NotListening {
        /// Where nobody is.
        endpoint: Endpoint,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The endpoint cannot be one.
    #[error("cannot connect to `{endpoint}`: {source}")]
    InvalidEndpoint {
        /// What it is.
        endpoint: Endpoint,
        /// What is wrong with it.
        source: Arc<io::Error>,
    },
    /// The two sides have different keys. To a client it may also be an impostor that listens there.
    #[error("the two sides have different keys: give both the same")]
    WrongKey,
    /// The server asks for a key, and the client has none.
    #[error("the server asks for a key, and the client has none: give it the server's")]
    KeyNeeded,
    /// The client has a key, and the server, which is to prove that it knows it, has none.
    #[error("the client has a key, and the server has none: give it the client's, or connect without")]
    NoKey,
    /// The other side speaks another version.
    #[error(
        "the other side speaks version {theirs} of links, and this one {ours}: use the same version of offspring"
    )]
    OtherVersion {
        /// Theirs.
        theirs: u16,
        /// Ours.
        ours: u16,
    },
    /// What is there does not greet as links do.
    #[error("the other side is no link of offspring: {why}")]
    Protocol {
        /// What does not fit.
        why: String,
    },
    /// TLS failed: the certificate is another, or the other side speaks no TLS.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The greeting was not over in time.
    #[error("the other side did not finish its greeting in time: see `Limits::handshake_timeout`")]
    HandshakeTimeout,
    /// There are as many connections already as the server takes.
    #[error(
        "the server has too many connections: see `Limits::max_connections` and `Limits::max_handshakes`"
    )]
    TooMany,
    /// The other side of a local socket is another user's process.
    #[error("the other side is a process of another user: connect over TCP with a key")]
    OtherUser,
    /// The acceptor was closed.
    #[error("the acceptor is closed")]
    AcceptorClosed,
    /// The system refused something: memory, descriptors.
    #[error("the system refused: {0}")]
    System(#[source] Arc<io::Error>),
}

impl RemoteError {
    /// Whether the link is over, in order or not.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed | Self::Lost(_))
    }

    /// Whether only a time is over: the same can be tried again.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut)
    }

    /// Whether nobody was there. It may be worth trying again when the server has been started.
    #[must_use]
    pub fn is_not_listening(&self) -> bool {
        matches!(self, Self::NotListening { .. })
    }

    pub(crate) fn system(error: io::Error) -> Self {
        Self::System(Arc::new(error))
    }

    pub(super) fn protocol(why: impl Into<String>) -> Self {
        Self::Protocol { why: why.into() }
    }

    /// What an error of connecting means.
    pub(super) fn of_connecting(error: io::Error, endpoint: &Endpoint) -> Self {
        use io::ErrorKind::{ConnectionRefused, InvalidInput, NotFound, TimedOut};
        let endpoint = endpoint.clone();
        match error.kind() {
            NotFound | ConnectionRefused => Self::NotListening { endpoint, source: Arc::new(error) },
            InvalidInput => Self::InvalidEndpoint { endpoint, source: Arc::new(error) },
            TimedOut => Self::TimedOut,
            _ => Self::system(error),
        }
    }

    /// What an error of a stream means that was there.
    pub(super) fn of_stream(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
        match error.kind() {
            BrokenPipe | ConnectionReset | ConnectionAborted | NotConnected => Self::Closed,
            _ => Self::Lost(Arc::new(error)),
        }
    }
}
