//! Why something was not sent or received.

use std::fmt;
use std::io;

/// A value that was not sent, and why.
///
/// The value is whole: it can be sent elsewhere, or again.
pub struct SendError<T> {
    value: T,
    reason: SendFailure,
}

/// Why a value was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendFailure {
    /// All receivers are gone: dropped, or their processes have ended.
    #[error("the channel has no receiver left")]
    Disconnected,
    /// Somebody closed the channel.
    #[error("the channel is closed")]
    Closed,
    /// There is no room, and the call does not wait.
    #[error("the channel is full")]
    Full,
    /// There was no room until the time was over.
    #[error("the channel was full until the timeout")]
    TimedOut,
    /// The value could not be encoded.
    #[error("the value cannot be encoded: {0}")]
    Encode(String),
    /// The system refused something: memory, descriptors.
    #[error("the system refused to send: {0}")]
    System(#[source] io::Error),
}

impl<T> SendError<T> {
    pub(super) fn new(value: T, reason: SendFailure) -> Self {
        Self { value, reason }
    }

    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Why it was not.
    pub fn reason(&self) -> &SendFailure {
        &self.reason
    }

    /// The value that was not sent, and why.
    pub fn into_parts(self) -> (T, SendFailure) {
        (self.value, self.reason)
    }

    /// Whether nobody is left to receive it, or the channel is closed.
    pub fn is_disconnected(&self) -> bool {
        matches!(self.reason, SendFailure::Disconnected | SendFailure::Closed)
    }

    /// Whether there was no room, at once or until the time was over.
    pub fn is_full(&self) -> bool {
        matches!(self.reason, SendFailure::Full | SendFailure::TimedOut)
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<T> std::error::Error for SendError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.reason.source()
    }
}

/// Why nothing was received.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// Nothing is left, and no more can come: the senders are gone, or the channel is closed.
    #[error("the channel is empty and has no sender left")]
    Disconnected,
    /// Nothing is there, and the call does not wait.
    #[error("the channel is empty")]
    Empty,
    /// Nothing came until the time was over.
    #[error("the channel was empty until the timeout")]
    TimedOut,
    /// The next message is longer than the call allows. It stays, and can be received by a call that allows it.
    #[error("the next message has {length} bytes, more than the {maximum} that this call takes")]
    TooLong {
        /// How many bytes the message has.
        length: usize,
        /// How many the call takes.
        maximum: usize,
    },
    /// The next message was sent as bytes, and the call receives values. It stays, and can be received by
    /// [`recv_bytes`](super::Connection::recv_bytes).
    #[error("the next message is bytes and no value: receive it with recv_bytes")]
    IsBytes,
    /// The next message was sent as a value, and the call receives bytes. It stays, and can be received by
    /// [`recv`](super::Connection::recv).
    #[error("the next message is a value and no bytes: receive it with recv")]
    IsValue,
    /// A message came that could not be decoded. It is gone; those behind it are not.
    #[error("a message cannot be decoded: {0}")]
    Decode(String),
    /// The system refused something: memory, descriptors.
    #[error("the system refused to receive: {0}")]
    System(#[source] io::Error),
}

impl RecvError {
    /// Whether nothing more can come.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected)
    }

    /// Whether nothing was there, at once or until the time was over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty | Self::TimedOut)
    }
}
