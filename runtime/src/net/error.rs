//! Why there is no connection.

use std::io;

use super::Address;

/// Why [`connect`](super::connect) has not connected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody is there.
    #[error("nobody listens at `{address}`: start the listener first")]
    NotListening {
        /// Where nobody is.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody listens, and did not accept in time.
    #[error("the listener at `{address}` did not accept until the timeout")]
    TimedOut {
        /// Where it is.
        address: Address,
    },
    /// The listener ended, or gave this client up, before the connection was made.
    #[error("the listener at `{address}` ended before it accepted")]
    Disconnected {
        /// Where it was.
        address: Address,
    },
    /// The listener does not take clients of this user, or its path cannot be reached by this user.
    #[error("the listener at `{address}` does not allow this user to connect: see `net::Builder::allow_uid`")]
    NotAllowed {
        /// Where it is.
        address: Address,
    },
    /// The listener is another user's, to whom this client does not connect.
    #[error("the listener at `{address}` is of user {uid}, not of this one: see `net::Client::allow_uid`")]
    OtherUser {
        /// Where it is.
        address: Address,
        /// The other user.
        uid: u32,
    },
    /// The listener's connections have other items.
    #[error(
        "the listener at `{address}` sends `{sends}` and receives `{receives}`: connect with the types the other way round"
    )]
    OtherTypes {
        /// Where it is.
        address: Address,
        /// What the listener sends, and a client receives.
        sends: String,
        /// What the listener receives, and a client sends.
        receives: String,
    },
    /// What listens is no [`Listener`](super::Listener) of this version of `offspring`.
    #[error("what listens at `{address}` is no listener of this version of offspring: {why}")]
    Protocol {
        /// Where it is.
        address: Address,
        /// What does not fit.
        why: String,
    },
    /// The address cannot be one.
    #[error("cannot connect: {0}")]
    InvalidAddress(#[source] io::Error),
    /// The system refused something: memory, descriptors.
    #[error("cannot connect to `{address}`: {source}")]
    System {
        /// Where to.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
}

impl ConnectError {
    /// Whether nobody accepted until the time was over.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }

    /// Whether nobody was there. It may be worth trying again when a listener has been started.
    #[must_use]
    pub fn is_not_listening(&self) -> bool {
        matches!(self, Self::NotListening { .. })
    }
}
