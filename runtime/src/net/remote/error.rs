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

    pub(super) fn system(error: io::Error) -> Self {
        Self::System(Arc::new(error))
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
