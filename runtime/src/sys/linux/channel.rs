//! A pair of connected ends that carry whole messages, each with descriptors attached.
//!
//! `SOCK_SEQPACKET` keeps the boundaries of messages, so a peer that is killed while it sends leaves either the
//! whole message or nothing.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, shutdown, socketpair};
use nix::sys::stat::{SFlag, fstat};

use super::{Object, above_standard};
pub(crate) use crate::sys::unix::message::Peeked;
use crate::sys::unix::{message, socket};

/// The largest message: well below the kernel's default send buffer (208 KiB), so that one or two never block.
pub(crate) const MAX_MESSAGE: usize = message::MAX_LENGTH;
pub(crate) use message::MAX_OBJECTS;

/// One end.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// A message that arrived.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    pub(crate) objects: Vec<Object>,
}

/// What a look into the channel found.
#[derive(Debug)]
pub(crate) enum Received {
    Message(Message),
    /// Nothing is there yet.
    Empty,
    /// The peer is gone, and everything it sent has been read.
    Closed,
}

impl Channel {
    /// Makes a channel: our end, and the one that travels.
    pub(crate) fn pair() -> io::Result<(Self, Object)> {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Self::from_object(ours)?, above_standard(theirs)?))
    }

    /// Takes the end that travelled.
    pub(crate) fn from_object(object: Object) -> io::Result<Self> {
        Ok(Self(above_standard(object)?))
    }

    /// Sends a message made of parts. It is whole at the other side or not at all.
    pub(crate) fn send(&self, parts: &[&[u8]], objects: &[BorrowedFd<'_>]) -> io::Result<()> {
        message::send(self.0.as_fd(), parts, objects)
    }

    /// Sends a message unless that would wait for the peer to read: whether it was sent.
    pub(crate) fn try_send(&self, parts: &[&[u8]], objects: &[BorrowedFd<'_>]) -> io::Result<bool> {
        match message::try_send(self.0.as_fd(), parts, objects) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            sent => sent.map(|()| true),
        }
    }

    /// The first eight bytes of the message that is next, which stays there.
    pub(crate) fn peek(&self) -> io::Result<Peeked> {
        message::peek(self.0.as_fd())
    }

    /// Waits until there is room to send in, or the peer is gone, or the deadline: whether it has not passed.
    pub(crate) fn wait_for_room(&self, deadline: Option<Instant>) -> io::Result<bool> {
        socket::wait_writable(self.0.as_fd(), deadline)
    }

    /// Ends the channel for all who hold an end: nothing more can be sent, and what was sent can be received.
    pub(crate) fn shut_down(&self) -> io::Result<()> {
        match shutdown(self.0.as_raw_fd(), Shutdown::Both) {
            Ok(()) | Err(Errno::ENOTCONN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The end, as what can travel.
    pub(crate) fn object(&self) -> &Object {
        &self.0
    }

    /// Whether the peer is gone.
    pub(crate) fn is_closed(&self) -> io::Result<bool> {
        socket::is_hung_up(self.0.as_fd())
    }

    /// What becomes ready when a message arrives or the peer is gone.
    pub(crate) fn sentinel(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Receives a message if one is there.
    pub(crate) fn try_receive(&self) -> io::Result<Received> {
        self.receive_with(false)
    }

    /// Waits for a message.
    pub(crate) fn receive(&self) -> io::Result<Received> {
        self.receive_with(true)
    }

    fn receive_with(&self, wait: bool) -> io::Result<Received> {
        Ok(match message::receive(self.0.as_fd(), wait)? {
            None => Received::Empty,
            Some((bytes, _)) if bytes.is_empty() => Received::Closed,
            Some((bytes, objects)) => Received::Message(Message { bytes, objects }),
        })
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A message that the handler of a signal can send.
#[derive(Debug)]
pub(crate) struct LastWords {
    socket: RawFd,
    message: Vec<u8>,
}

impl LastWords {
    pub(crate) fn new(channel: &Channel, message: Vec<u8>) -> Self {
        Self { socket: channel.0.as_raw_fd(), message }
    }

    /// Sends it: async-signal-safe.
    pub(crate) fn say(&self) {
        message::send_from_handler(self.socket, &self.message, None);
    }
}

/// How a child finds its end after exec: its number, and its inode so that a stray number is not mistaken for it.
pub(crate) fn ticket(object: &Object) -> io::Result<String> {
    Ok(format!("{}.{}", object.as_raw_fd(), fstat(object)?.st_ino))
}

/// Takes the end that a [`ticket`] names. The descriptor is close-on-exec from here on.
pub(crate) fn redeem(ticket: &str) -> io::Result<Channel> {
    let stray = || io::Error::new(io::ErrorKind::InvalidData, format!("`{ticket}` names no boot descriptor"));
    let (number, inode) = ticket.split_once('.').ok_or_else(stray)?;
    let number: RawFd = number.parse().map_err(|_| stray())?;
    let inode: u64 = inode.parse().map_err(|_| stray())?;
    if number <= 2 {
        return Err(stray());
    }
    // SAFETY: the number is checked to be an open socket with the inode that our parent saw before this program
    // began; the guard redeems it once, first thing in `main`, so nothing else in this process owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    let status = match fstat(&fd) {
        Ok(status) => status,
        Err(errno) => {
            std::mem::forget(fd); // not open: there is nothing to close
            return Err(if errno == Errno::EBADF { stray() } else { errno.into() });
        }
    };
    if status.st_ino != inode || SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT != SFlag::S_IFSOCK
    {
        std::mem::forget(fd); // somebody else's
        return Err(stray());
    }
    fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(Channel(fd))
}
