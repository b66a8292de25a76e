//! The receiving end, as users see it.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::ends::{End, Patience};
use super::error::RecvError;
use super::future::RecvFuture;
use super::handle::handle;
use crate::process::wait::Sleeper;
use crate::process::{Sentinel, Waitable};
use crate::sys::poller;

/// The end of a channel that receives. See [the module](super).
///
/// It can be cloned, and travels: all clones in all processes receive from the same channel, each message once.
pub struct Receiver<T> {
    pub(super) end: Arc<End>,
    item: PhantomData<fn() -> T>,
}

handle!(Receiver);

impl<T> Receiver<T> {
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

impl<T: DeserializeOwned> Receiver<T> {
    /// Receives a value. Waits while the channel is empty.
    ///
    /// # Errors
    /// [`RecvError::Disconnected`] when nothing is left and no sender either; otherwise see [`RecvError`].
    #[doc(alias = "get")]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.end.receive(Patience::Until(None))
    }

    /// Receives a value if one is there.
    ///
    /// # Errors
    /// [`RecvError::Empty`] when none is there yet; otherwise as [`recv`](Self::recv).
    #[doc(alias = "get_nowait")]
    pub fn try_recv(&self) -> Result<T, RecvError> {
        self.end.receive(Patience::None)
    }

    /// Receives a value, and waits at most this long for one.
    ///
    /// # Errors
    /// [`RecvError::TimedOut`] when none has come; otherwise as [`recv`](Self::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvError> {
        self.end.receive(Patience::Until(poller::deadline(Some(timeout))))
    }

    /// Receives a value without a thread that waits, on any executor. A future that is dropped has received nothing.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_async(&self) -> RecvFuture<'_, T> {
        RecvFuture::new(&self.end)
    }

    /// The messages, one after the other, until no more can come. One that cannot be decoded is an error item.
    #[must_use = "iterators do nothing unless they are used"]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self)
    }

    /// The messages that are there, without waiting for more.
    #[must_use = "iterators do nothing unless they are used"]
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter(self)
    }
}

/// Ready when something can be received, or nothing more can come.
impl<T> Waitable for Receiver<T> {
    fn sentinel(&self) -> Sentinel<'_> {
        Sentinel::new(self.end.socket.sentinel())
    }

    fn sleeper(&self) -> Option<&dyn Sleeper> {
        Some(&*self.end)
    }
}

/// Messages until no more can come. See [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T>(&'a Receiver<T>);

impl<T: DeserializeOwned> Iterator for Iter<'_, T> {
    type Item = Result<T, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.recv()).filter(|received| !matches!(received, Err(RecvError::Disconnected)))
    }
}

/// Messages that are there. See [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T>(&'a Receiver<T>);

impl<T: DeserializeOwned> Iterator for TryIter<'_, T> {
    type Item = Result<T, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        let nothing = |error: &RecvError| error.is_disconnected() || error.is_empty();
        Some(self.0.try_recv()).filter(|received| !received.as_ref().is_err_and(nothing))
    }
}

/// Messages until no more can come, of a receiver that was given up. See [`Receiver::iter`].
#[derive(Debug)]
pub struct IntoIter<T>(Receiver<T>);

impl<T: DeserializeOwned> Iterator for IntoIter<T> {
    type Item = Result<T, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.iter().next()
    }
}

impl<T: DeserializeOwned> IntoIterator for Receiver<T> {
    type Item = Result<T, RecvError>;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}

impl<'a, T: DeserializeOwned> IntoIterator for &'a Receiver<T> {
    type Item = Result<T, RecvError>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
