//! Channels: values from any number of processes and threads to any number of others.
//!
//! ```
//! use offspring::channel::{self, Receiver, Sender};
//!
//! fn square(jobs: Receiver<u64>, results: Sender<u64>) {
//!     for job in jobs.iter() {
//!         let job = job.expect("it can be decoded");
//!         results.send(job * job).expect("the parent listens");
//!     }
//! }
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (to_workers, jobs) = channel::channel()?;
//!     let (answers, results) = channel::channel()?;
//!     let workers = [0, 1].map(|_| offspring::spawn(square, (jobs.clone(), answers.clone())));
//!     drop(answers); // the workers hold theirs: the results end when they do
//!     for job in 0..10 {
//!         to_workers.send(job)?;
//!     }
//!     drop(to_workers); // so that the jobs end
//!     let sum: u64 = results.iter().map(|result| result.expect("it can be decoded")).sum();
//!     assert_eq!(sum, 285);
//!     for worker in workers {
//!         worker?.join()?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What a channel is
//!
//! [`channel()`] has no limit, [`bounded`] holds at most so many messages, [`Builder`] limits bytes too. Both ends can be cloned, sent
//! to other threads, and be in any value that travels to another process: an argument, a field of a
//! [process class](crate::Process), an output, a message of another channel. An item is whatever serde can encode, with
//! [`Attachment`](crate::Attachment)s and [`Bytes`](crate::Bytes) in it anywhere; a send encodes it before it returns, so what
//! cannot be encoded is an error where it is sent, with the value inside.
//!
//! What one producer sends arrives in that order. Each message goes to one consumer.
//!
//! # The end
//!
//! When the last sender is gone, receivers get what is left and then [`RecvError::Disconnected`]; when the last receiver is
//! gone, senders get [`SendFailure::Disconnected`] and their value back. Gone is who dropped his end, and whose process ended,
//! however it ended. So keep no sender for which you have no use: a loop over a receiver in the same function would wait for it.
//! [`close`](Sender::close) ends a channel whoever still holds it.
//!
//! # Killed processes
//!
//! A process that is killed, at any instruction, harms nobody else's messages: a message is sent whole or not at all, and
//! received once or by the next one. What it had received is lost with it. Nobody waits for it: who waits wakes within milliseconds.
//!
//! # Trust
//!
//! The processes of a channel share its memory. One that was taken over by an attacker can make the others fail (not with undefined
//! decoding: lengths are checked and small messages copied before they are looked at, but large ones are read where they
//! lie, and locks are the C library's). Towards a process that you do not trust, use its arguments and its output alone, which go
//! through a socket.
//!
//! # Inside
//!
//! Small messages go through a ring in shared memory, which both sides write and read without a system call; large ones lie in slots of
//! the same memory, are written once and read in place; of those, about a million can be under way at once. Who waits spins for some microseconds where that pays, naps
//! on a futex, and then sleeps in `poll`, where it sees the other side's end. Each end holds two descriptors and no thread.

#![allow(clippy::cast_possible_truncation)] // what is counted and measured here lies in memory, so it fits an address

mod bell;
mod ends;
mod error;
mod future;
mod handle;
mod pipe;
mod queue;
mod raw;
mod receiver;
mod ring;
mod sender;
#[cfg(any(test, fuzzing))]
pub(crate) mod specimen;
mod waiting;

pub(crate) use ends::Raw;
pub use error::{RecvError, SendError, SendFailure};
pub use future::{RecvFuture, SendFuture};
pub use pipe::{Connection, pipe};
pub use queue::{Queue, QueueJoinError, TooManyDone};
pub use receiver::{IntoIter, Iter, Receiver, TryIter};
pub use sender::Sender;

use std::io;

use ring::Limits;
use serde::{Deserialize, Serialize};

use crate::wire::fingerprint::of_encoded as item;

/// Makes a channel without a limit.
///
/// See [the module](self).
///
/// # Errors
/// When the system lacks memory or descriptors.
#[doc(alias = "unbounded")]
pub fn channel<T>() -> io::Result<(Sender<T>, Receiver<T>)> {
    Builder::new().build()
}

/// Makes a channel that holds at most `count` messages: who sends one more waits.
///
/// ```
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (sender, receiver) = offspring::channel::bounded(1)?;
///     sender.send("first".to_string())?;
///     let error = sender.try_send("second".to_string()).unwrap_err();
///     assert!(error.is_full());
///     assert_eq!(error.into_inner(), "second");
///     assert_eq!(receiver.recv()?, "first");
///     Ok(())
/// }
/// ```
///
/// # Errors
/// When the system lacks memory or descriptors. A `count` of zero is invalid: a message must lie somewhere between two processes.
pub fn bounded<T>(count: usize) -> io::Result<(Sender<T>, Receiver<T>)> {
    Builder::new().max_messages(count).build()
}

/// Settings for a channel.
///
/// ```
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (frames, _shown) = offspring::channel::Builder::new().max_bytes(1 << 20).build()?;
///     frames.send(offspring::Bytes::from(vec![0; 900_000]))?;
///     assert!(frames.try_send(offspring::Bytes::from(vec![0; 900_000])).unwrap_err().is_full());
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    count: Option<usize>,
    bytes: Option<u64>,
}

impl Builder {
    /// A channel without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages wait in the channel at most.
    #[doc(alias = "maxsize")]
    pub fn max_messages(mut self, count: usize) -> Self {
        self.count = Some(count);
        self
    }

    /// How many bytes wait in the channel at most, about. A single message that is larger goes through when the channel is
    /// empty.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// Makes the channel.
    ///
    /// # Errors
    /// When the system lacks memory or descriptors. A limit of zero is invalid.
    pub fn build<T>(&self) -> io::Result<(Sender<T>, Receiver<T>)> {
        let (sending, receiving) = ends::pair(self.limits()?, item::<T>())?;
        Ok((Sender::new(sending), Receiver::new(receiving)))
    }

    /// Makes a [`pipe()`], each direction of which has these limits.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn pipe<A, B>(&self) -> io::Result<(Connection<A, B>, Connection<B, A>)> {
        pipe::with_limits(self.limits()?)
    }

    fn limits(&self) -> io::Result<Limits> {
        if self.count == Some(0) || self.bytes == Some(0) {
            let why = "a channel between processes holds at least one message: its limits are at least 1";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Ok(Limits { count: self.count.map(|count| count as u64), bytes: self.bytes })
    }
}
