//! Connections with programs in Python: feature `python`, where there are Unix sockets.
//!
//! A [`Listener`] here takes an unmodified `multiprocessing.connection.Client` of CPython, and [`connect`] connects to its
//! `Listener`, over TCP or the path of a socket. Both may be this crate's, too.
//!
//! ```python
//! from multiprocessing.connection import Client
//!
//! with Client(("127.0.0.1", 5000), authkey=b"abc") as connection:
//!     connection.send({"numbers": [1, 2, 3]})
//!     print(connection.recv())  # 6
//! ```
//!
//! ```
//! use std::collections::HashMap;
//!
//! use offspring::net::python::{self, Listener};
//!
//! let listener = Listener::bind(("127.0.0.1", 0), "abc")?;
//! # let endpoint = listener.endpoint().clone();
//! # let client = std::thread::spawn(move || {
//! #     let connection = python::connect(endpoint, "abc")?;
//! #     connection.send(&HashMap::from([("numbers", [1, 2, 3])]))?;
//! #     assert_eq!(connection.recv::<i64>()?, 6);
//! #     Ok::<(), python::PythonError>(())
//! # });
//! let connection = listener.accept()?;
//! let question: HashMap<String, Vec<i64>> = connection.recv()?;
//! connection.send(&question["numbers"].iter().sum::<i64>())?;
//! # client.join().expect("no panic")?;
//! # Ok::<(), python::PythonError>(())
//! ```
//!
//! # Values
//!
//! Values are plain data. What serde writes becomes `None`, `bool`, `int`, `float`, `str`, `list`, `tuple`
//! and `dict`; a struct becomes a `dict` with its fields, and an enum's variant `"Name"` or `{"Name": …}`.
//! [`Bytes`](crate::Bytes) become `bytes` and can be made of them; a `Vec<u8>` is a list of numbers.
//! Integers are up to 64 bits long, and unsigned ones that come up to 63. A [`Value`] is any of it, sets and integers of any length
//! included, for [`Connection::send_value`] and [`Connection::recv_value`].
//!
//! Pickles of Python are programs, and may call whatever they name. Here they may not: those of protocols 2 to 5 are read as far
//! as plain data needs it, and one that names anything but `set`, `frozenset` and `bytearray` is an error. In the other direction
//! there is no such rule: CPython runs what a pickle says, so it has to trust the peers that know its key.
//!
//! # Who is let in
//!
//! With a key both sides prove that they know it, in the handshake of CPython up to 3.11 or that of 3.12 and later, whichever the peer
//! speaks. Before that nothing is decoded, messages have at most 256 bytes, and all of it has a
//! [time limit](Builder::handshake_timeout). Proofs are compared in constant time.
//!
//! A key of no bytes is one that everybody knows, and that listeners of CPython before 3.13 take for none.
//!
//! The protocol promises no more: nothing is encrypted, nothing is signed after the handshake, and one who sits between the two
//! sides, or is taken for the listener, can have one side's challenge answered by the other. Over a network that is not trusted, use a tunnel.
//! Without a key, everybody is let in.
//!
//! # When a side dies or lies
//!
//! | the peer | what this side gets |
//! |---|---|
//! | has another key | [`PythonError::WrongKey`] or [`PythonError::Rejected`]; in Python `AuthenticationError` |
//! | has no key, and this side has one | [`PythonError::Protocol`], or [`PythonError::HandshakeTimedOut`] when it says nothing |
//! | has a key, and this side has none | [`PythonError::KeyRequired`] at the first `recv` |
//! | is no Python, or sends garbage | [`PythonError::Protocol`]; after the handshake [`PythonError::TooLong`], [`PythonError::InvalidLength`] or [`PythonError::NotPlain`] |
//! | ends between messages, is killed | [`PythonError::Closed`] |
//! | ends within a message | [`PythonError::Truncated`], then [`PythonError::Closed`] |
//! | announces a message that is too long | [`PythonError::TooLong`], before memory is taken for it; the connection is closed |
//! | sends an object of a class, a function, a list within itself | [`PythonError::NotPlain`]; the next message can be received |
//! | sends a value of another shape | [`PythonError::OtherShape`]; the next message can be received |
//! | stops in the middle, and lives | nothing: [`Connection::shutdown`] from another thread wakes who waits |
//! | vanishes with its machine | an error of the system, after a minute when nothing was under way to it |
//!
//! A client that fails its handshake does not end the listener: the error of [`Listener::accept`] is that client's.
//! When this side ends, the peer in Python gets `EOFError`, or `OSError` within a message.
//!
//! # Not here
//!
//! Named pipes of Windows, abstract addresses, and `XmlListener`. Managers (`BaseManager`, its queues and proxies) speak a protocol of their
//! own over such connections: see [`manager`].

#![allow(clippy::doc_markdown)] // CPython is a name

mod builder;
mod connection;
mod endpoint;
mod error;
mod frame;
mod handshake;
mod listener;
pub mod manager;
mod object;
mod plain;
mod socket;

pub use builder::{Builder, connect};
pub use connection::Connection;
pub use endpoint::Endpoint;
pub use error::PythonError;
pub use listener::{Guest, Listener};

#[doc(no_inline)]
pub use super::remote::AuthKey;

/// Values of any shape that Python knows as plain data, from `serde-pickle`.
#[doc(no_inline)]
pub use serde_pickle::{HashableValue, Value};
