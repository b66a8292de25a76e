//! A pair of connected ends that carry whole messages with descriptors attached: to be a pair of stream sockets
//! (`AF_UNIX` has no `SOCK_SEQPACKET` on macOS) with the length of each message in front, written in one call, so
//! that a peer that is killed while it sends leaves a message that is seen to be cut short.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::poller::Sentinel;
use super::{Borrowed, Object};
use crate::sys::unsupported::unsupported;

/// The largest message.
pub(crate) const MAX_MESSAGE: usize = 64 * 1024;

/// One end.
#[derive(Debug)]
pub(crate) enum Channel {}

/// A message that arrived.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    pub(crate) objects: Vec<Object>,
}

/// What a look into the channel found.
#[derive(Debug)]
#[expect(dead_code, reason = "nothing arrives before there are channels")]
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
        Err(unsupported())
    }

    /// Takes the end that travelled.
    pub(crate) fn from_object(_object: Object) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Sends a message made of parts. It is whole at the other side or not at all.
    pub(crate) fn send(&self, _parts: &[&[u8]], _objects: &[Borrowed<'_>]) -> io::Result<()> {
        match *self {}
    }

    /// What becomes ready when a message arrives or the peer is gone.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        match *self {}
    }

    /// Receives a message if one is there.
    pub(crate) fn try_receive(&self) -> io::Result<Received> {
        match *self {}
    }

    /// Waits for a message.
    pub(crate) fn receive(&self) -> io::Result<Received> {
        match *self {}
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match *self {}
    }
}

/// How a child finds its end after exec.
pub(crate) fn ticket(_object: &Object) -> io::Result<String> {
    Err(unsupported())
}

/// Takes the end that a [`ticket`] names.
pub(crate) fn redeem(_ticket: &str) -> io::Result<Channel> {
    Err(unsupported())
}
