//! The sending end, as users see it.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::ends::{End, Patience, send_value};
use super::error::SendError;
use super::future::SendFuture;
use super::handle::handle;
use crate::sys::poller;

/// The end of a channel that sends. See [the module](super).
///
/// It can be cloned, and travels: all clones in all processes send into the same channel.
pub struct Sender<T> {
    pub(super) end: Arc<End>,
    item: PhantomData<fn(T)>,
}

handle!(Sender);

impl<T> Sender<T> {
    /// How many messages wait to be received.
    #[doc(alias = "qsize")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.end.ring.len() as usize
    }

    /// Whether no message waits to be received.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.end.ring.has_data()
    }

    /// Whether a [`bounded`](super::bounded) channel holds as many messages as it may.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.end.ring.has_room(0)
    }

    /// How many messages the channel holds at most, if there is a limit.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.end.ring.max_count().map(|count| count as usize)
    }

    /// Ends the channel, whoever still holds an end: nothing more can be sent, and what is in it can still be received.
    ///
    /// # Errors
    /// When the system refuses, which it has no reason to.
    pub fn close(&self) -> io::Result<()> {
        self.end.close()
    }
}

impl<T: Serialize> Sender<T> {
    /// Sends a value. Waits while a bounded channel is full.
    ///
    /// When this returns the value is encoded and in the channel, whatever becomes of this process.
    ///
    /// # Errors
    /// See [`SendFailure`](super::SendFailure); the error holds the value.
    #[doc(alias = "put")]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_with(value, Patience::Until(None))
    }

    /// Sends a value if there is room at once.
    ///
    /// # Errors
    /// See [`SendFailure`](super::SendFailure); the error holds the value.
    #[doc(alias = "put_nowait")]
    pub fn try_send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_with(value, Patience::None)
    }

    /// Sends a value, and waits at most this long while the channel is full.
    ///
    /// # Errors
    /// See [`SendFailure`](super::SendFailure); the error holds the value.
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendError<T>> {
        self.send_with(value, Patience::Until(poller::deadline(Some(timeout))))
    }

    /// Sends a value without a thread that waits while a bounded channel is full, on any executor. A future that is dropped has
    /// sent nothing.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_async(&self, value: T) -> SendFuture<'_, T> {
        SendFuture::new(&self.end, value)
    }

    fn send_with(&self, value: T, patience: Patience) -> Result<(), SendError<T>> {
        let sent = send_value(&self.end, &value, patience);
        sent.map_err(|reason| SendError::new(value, reason))
    }
}
