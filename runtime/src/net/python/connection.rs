//! A connection whose peers are written in Python.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_pickle::Value;

use super::socket::{Hurried, Socket};
use super::{PythonError, frame, handshake, plain};
use crate::process::{Sentinel, Waitable};

/// A connection with a program in Python: its `multiprocessing.connection.Connection` is the other end.
///
/// Threads may share it: messages do not get mixed up. It is ready for [`wait`](crate::wait()) when a message begins to come, or
/// the peer is gone. Dropping it closes it, and the peer gets `EOFError`.
#[derive(Debug)]
pub struct Connection {
    socket: Arc<Socket>,
    sending: Mutex<()>,
    receiving: Mutex<()>,
    max_message: u64,
}

impl Connection {
    pub(super) fn new(socket: Arc<Socket>, max_message: u64) -> Self {
        Self { socket, sending: Mutex::default(), receiving: Mutex::default(), max_message }
    }

    /// Sends bytes, which the peer gets by `recv_bytes()`. It waits while the peer does not read, and much is under way.
    ///
    /// # Errors
    /// [`PythonError::Closed`] when the peer is gone. One that has ended just now may not be noticed yet.
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), PythonError> {
        let _whole = lock(&self.sending);
        frame::write(&*self.socket, bytes)
    }

    /// Waits for bytes, which the peer sent by `send_bytes(...)`, or for a value as it was written.
    ///
    /// # Errors
    /// [`PythonError::Closed`] when the peer is gone, [`PythonError::Truncated`] when that was within a message;
    /// [`PythonError::TooLong`] and [`PythonError::InvalidLength`], after which the connection is closed.
    pub fn recv_bytes(&self) -> Result<Vec<u8>, PythonError> {
        let _whole = lock(&self.receiving);
        let received = frame::read(&*self.socket, self.max_message);
        if !matches!(received, Ok(_) | Err(PythonError::Closed)) {
            // Nobody knows where the next message would begin.
            let _it_may_be_gone = self.socket.shutdown();
        }
        received
    }

    /// Sends a message and waits for the next one, where nobody else uses the connection. After an error nobody knows what comes next.
    pub(super) fn exchange(&self, bytes: &[u8], deadline: Option<Instant>) -> Result<Vec<u8>, PythonError> {
        if deadline.is_none() {
            self.send_bytes(bytes)?;
            return self.recv_bytes();
        }
        let mut hurried = Hurried::new(&self.socket, deadline);
        frame::write(&mut hurried, bytes)?;
        let received = frame::read(&mut hurried, self.max_message)?;
        hurried.relax()?;
        Ok(received)
    }

    /// Sends a value, which the peer gets by `recv()`. See [the module](super#values) for what it becomes.
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes), and [`PythonError::Unencodable`].
    pub fn send<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), PythonError> {
        self.send_bytes(&plain::encode(value)?)
    }

    /// Waits for a value, which the peer sent by `send(...)`. See [the module](super#values) for what may come.
    ///
    /// # Errors
    /// As [`recv_bytes`](Self::recv_bytes), and [`PythonError::NotPlain`] and [`PythonError::OtherShape`], after which
    /// the next message can be received; [`PythonError::KeyRequired`] when the listener asks for a key.
    pub fn recv<T: DeserializeOwned>(&self) -> Result<T, PythonError> {
        self.recv_with(plain::decode)
    }

    /// Sends a value that knows tuples, sets, and integers of any length.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_value(&self, value: &Value) -> Result<(), PythonError> {
        self.send_bytes(&plain::encode_value(value)?)
    }

    /// Waits for a value of any shape.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_value(&self) -> Result<Value, PythonError> {
        self.recv_with(plain::decode_value)
    }

    fn recv_with<T>(&self, decode: fn(&[u8], u64) -> Result<T, PythonError>) -> Result<T, PythonError> {
        let message = self.recv_bytes()?;
        if handshake::is_challenge(&message) {
            return Err(PythonError::KeyRequired);
        }
        decode(&message, self.max_message)
    }

    /// Closes the connection, for the peer and for all threads: who waits for a message gets [`PythonError::Closed`].
    ///
    /// # Errors
    /// When the system refuses, as it does for a peer that has closed it before.
    pub fn shutdown(&self) -> Result<(), PythonError> {
        Ok(self.socket.shutdown()?)
    }
}

/// What was held by a thread that panicked was a turn, not data.
fn lock(turn: &Mutex<()>) -> MutexGuard<'_, ()> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ready when a message begins to come, or the peer is gone.
impl Waitable for Connection {
    fn sentinel(&self) -> Sentinel<'_> {
        self.as_fd().into()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
