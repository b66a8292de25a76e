//! Pipes: two processes that talk to each other.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ends::{End, Patience, send_bytes, send_value};
use super::error::{RecvError, SendError, SendFailure};
use super::future::{RecvFuture, SendFuture};
use super::ring::Limits;
use super::{ends, item};
use crate::process::wait::Sleeper;
use crate::process::{Sentinel, Waitable};
use crate::sys::poller;
use crate::wire::bytes::Bytes;

/// Makes a pipe: two connected ends, each of which sends what the other receives.
///
/// The first end sends `A` and receives `B`, the second the other way round. Nothing limits what lies in a pipe;
/// [`Builder::pipe`](super::Builder::pipe) does.
///
/// ```
/// use offspring::Connection;
///
/// fn answer(parent: Connection<usize, String>) {
///     while let Ok(question) = parent.recv() {
///         parent.send(question.len()).expect("the parent listens");
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (ours, theirs) = offspring::pipe::<String, usize>()?;
///     let child = offspring::spawn(answer, (theirs,))?;
///     ours.send("how long is this?".into())?;
///     assert_eq!(ours.recv()?, 17);
///     drop(ours); // so that the child hears no more
///     child.join()?;
///     Ok(())
/// }
/// ```
///
/// # Errors
/// When the system lacks memory or descriptors.
#[doc(alias("Pipe", "socketpair"))]
pub fn pipe<A, B>() -> io::Result<(Connection<A, B>, Connection<B, A>)> {
    with_limits(Limits::default())
}

pub(super) fn with_limits<A, B>(limits: Limits) -> io::Result<(Connection<A, B>, Connection<B, A>)> {
    let (first_out, second_in) = ends::pair(limits, item::<A>())?;
    let (second_out, first_in) = ends::pair(limits, item::<B>())?;
    Ok((Connection::new(first_out, first_in), Connection::new(second_out, second_in)))
}

/// One end of a [`pipe`]: it sends `S` and receives `R`.
///
/// It travels like the ends of a channel, and can be cloned; who clones it shares both directions. Beside values it sends and receives
/// bytes as they are ([`send_bytes`](Self::send_bytes)). In the order in which they were sent, the other end receives each as what it is:
/// the wrong call is an error that says so ([`RecvError::IsBytes`], [`RecvError::IsValue`]), and the message stays for the right one.
pub struct Connection<S, R = S> {
    out: Arc<End>,
    inward: Arc<End>,
    items: PhantomData<fn(S) -> R>,
}

impl<S, R> Connection<S, R> {
    fn new(out: End, inward: End) -> Self {
        Self { out: Arc::new(out), inward: Arc::new(inward), items: PhantomData }
    }

    /// Whether something can be received within this time, or nothing more can come. A timeout of zero only looks.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub fn poll(&self, timeout: Duration) -> io::Result<bool> {
        Ok(!crate::process::wait(&[self], Some(timeout))?.is_empty())
    }

    /// Ends both directions, whoever still holds an end: nothing more can be sent, and what was sent can still be received.
    ///
    /// # Errors
    /// When the system refuses, which it has no reason to.
    pub fn close(&self) -> io::Result<()> {
        self.out.close().and(self.inward.close())
    }

    /// Sends bytes as they are: one message, of any length, zero included.
    ///
    /// # Errors
    /// See [`SendFailure`].
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), SendFailure> {
        send_bytes(&self.out, bytes, Patience::Until(None))
    }

    /// Receives bytes that were sent as such, as one message. Waits for one.
    ///
    /// # Errors
    /// [`RecvError::IsValue`] when the next message is none of bytes: it stays. [`RecvError::Disconnected`] when nothing is left and the
    /// other end is gone; otherwise see [`RecvError`].
    pub fn recv_bytes(&self) -> Result<Bytes, RecvError> {
        self.recv_bytes_at_most(usize::MAX)
    }

    /// Receives bytes as [`recv_bytes`](Self::recv_bytes) does, if they are no more than a maximum.
    ///
    /// # Errors
    /// [`RecvError::TooLong`] when the next message is longer: it stays, and can be received by a call that allows it.
    #[doc(alias = "maxlength")]
    pub fn recv_bytes_at_most(&self, maximum: usize) -> Result<Bytes, RecvError> {
        self.inward.receive_bytes(Patience::Until(None), maximum)
    }

    /// Receives bytes into a buffer: how many they were.
    ///
    /// # Errors
    /// [`RecvError::TooLong`] when the buffer is too small for the next message: it stays, and can be received into a larger one.
    pub fn recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
        let bytes = self.recv_bytes_at_most(buffer.len())?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl<S: Serialize, R> Connection<S, R> {
    /// Sends a value. Waits while a pipe with a limit is full.
    ///
    /// # Errors
    /// See [`SendFailure`]; the error holds the value.
    pub fn send(&self, value: S) -> Result<(), SendError<S>> {
        self.send_with(value, Patience::Until(None))
    }

    /// Sends a value if there is room at once.
    ///
    /// # Errors
    /// See [`SendFailure`]; the error holds the value.
    pub fn try_send(&self, value: S) -> Result<(), SendError<S>> {
        self.send_with(value, Patience::None)
    }

    /// Sends a value, and waits at most this long while a pipe with a limit is full.
    ///
    /// # Errors
    /// See [`SendFailure`]; the error holds the value.
    pub fn send_timeout(&self, value: S, timeout: Duration) -> Result<(), SendError<S>> {
        self.send_with(value, Patience::Until(poller::deadline(Some(timeout))))
    }

    /// Sends a value without a thread that waits, on any executor.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_async(&self, value: S) -> SendFuture<'_, S> {
        SendFuture::new(&self.out, value)
    }

    fn send_with(&self, value: S, patience: Patience) -> Result<(), SendError<S>> {
        send_value(&self.out, &value, patience).map_err(|reason| SendError::new(value, reason))
    }
}

impl<S, R: DeserializeOwned> Connection<S, R> {
    /// Receives a value. Waits for one.
    ///
    /// # Errors
    /// [`RecvError::Disconnected`] when nothing is left and the other end is gone; otherwise see [`RecvError`].
    pub fn recv(&self) -> Result<R, RecvError> {
        self.inward.receive(Patience::Until(None))
    }

    /// Receives a value if one is there.
    ///
    /// # Errors
    /// [`RecvError::Empty`] when none is there yet; otherwise as [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<R, RecvError> {
        self.inward.receive(Patience::None)
    }

    /// Receives a value, and waits at most this long for one.
    ///
    /// # Errors
    /// [`RecvError::TimedOut`] when none has come; otherwise as [`recv`](Self::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<R, RecvError> {
        self.inward.receive(Patience::Until(poller::deadline(Some(timeout))))
    }

    /// Receives a value without a thread that waits, on any executor.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_async(&self) -> RecvFuture<'_, R> {
        RecvFuture::new(&self.inward)
    }
}

/// Ready when something can be received, or nothing more can come.
impl<S, R> Waitable for Connection<S, R> {
    fn sentinel(&self) -> Sentinel<'_> {
        Sentinel::new(self.inward.socket.sentinel())
    }

    fn sleeper(&self) -> Option<&dyn Sleeper> {
        Some(&*self.inward)
    }
}

impl<S, R> Clone for Connection<S, R> {
    fn clone(&self) -> Self {
        Self { out: Arc::clone(&self.out), inward: Arc::clone(&self.inward), items: PhantomData }
    }
}

impl<S, R> fmt::Debug for Connection<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl<S, R> Serialize for Connection<S, R> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        (Travelling(&self.out), Travelling(&self.inward)).serialize(serializer)
    }
}

/// An end on its way out.
struct Travelling<'a>(&'a End);

impl Serialize for Travelling<'_> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        self.0.serialize(serializer)
    }
}

/// An end on its way in, of items of this type.
struct Arriving<T>(End, PhantomData<fn() -> T>);

impl<'de, T> Deserialize<'de> for Arriving<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        End::deserialize(deserializer, item::<T>()).map(|end| Self(end, PhantomData))
    }
}

impl<'de, S, R> Deserialize<'de> for Connection<S, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (out, inward) = <(Arriving<S>, Arriving<R>)>::deserialize(deserializer)?;
        Ok(Self::new(out.0, inward.0))
    }
}
