//! Addresses by which processes of one machine find each other.
//!
//! On macOS: to be sockets with a path, or in a directory of the user for names, with a length before each message; the peer
//! is told by `getpeereid` and `LOCAL_PEERPID`.
//!
//! On Windows: to be named pipes of messages, with the security descriptor of the user; the peer is told by
//! `GetNamedPipeClientProcessId` and its token.

use std::io;
use std::path::Path;
use std::time::Instant;

use crate::sys::platform::channel::Channel;
use crate::sys::platform::poller::Sentinel;
use crate::sys::platform::{Borrowed, Object};
use crate::sys::unsupported::unsupported;

/// The longest name or path, in bytes: of a socket's address, of a pipe's name.
pub(crate) const MAX_LENGTH: usize = if cfg!(unix) { 103 } else { 247 };

/// Where to listen or connect.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code)] // nobody listens yet
pub(crate) enum Place<'a> {
    /// A file.
    Path(&'a Path),
    /// A name in no file system.
    Name(&'a str),
}

/// Who is at the other end, as the system says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credentials {
    pub(crate) pid: Option<u32>,
    pub(crate) user: u32,
}

/// The user of this process.
#[cfg(unix)]
pub(crate) fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The user of this process: none here has a number, and nobody can be asked for one.
#[cfg(windows)]
pub(crate) fn user() -> u32 {
    0
}

/// A socket that listens.
#[derive(Debug)]
pub(crate) enum Listening {}

impl Listening {
    /// Begins to listen. `public` is a path that every user may connect to.
    pub(crate) fn bind(_place: Place<'_>, _public: bool) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Begins to listen for those who want a stream, of this user.
    #[cfg(unix)]
    pub(crate) fn bind_for_streams(_place: Place<'_>) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Takes a socket that travelled.
    pub(crate) fn from_object(_object: Object) -> io::Result<Self> {
        Err(unsupported())
    }

    /// The socket, as what can travel.
    pub(crate) fn object(&self) -> Borrowed<'_> {
        match *self {}
    }

    /// What becomes ready when somebody connects.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        match *self {}
    }

    /// Takes the next who connected, if there is one.
    pub(crate) fn accept(&self) -> io::Result<Option<Channel>> {
        match *self {}
    }

    /// Takes the next who connected, if there is one: its socket.
    #[cfg(unix)]
    pub(crate) fn accept_object(&self) -> io::Result<Option<Object>> {
        match *self {}
    }
}

/// Connects.
pub(crate) fn connect(_place: Place<'_>, _deadline: Option<Instant>) -> io::Result<Channel> {
    Err(unsupported())
}

/// Connects to one who listens for streams.
#[cfg(unix)]
pub(crate) fn connect_stream(_place: Place<'_>, _deadline: Option<Instant>) -> io::Result<Object> {
    Err(unsupported())
}

/// Who is at the other end.
pub(crate) fn peer<T>(_socket: &T) -> io::Result<Credentials> {
    Err(unsupported())
}
