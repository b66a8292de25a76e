//! A pair of connected ends that carry whole messages with objects attached.
//!
//! On macOS: to be a pair of stream sockets (`AF_UNIX` has no `SOCK_SEQPACKET` there) with the length of each message in front,
//! written in one call, so that a peer that is killed while it sends leaves a message that is seen to be cut short.

use std::io;
use std::time::Instant;

use crate::sys::platform::poller::Sentinel;
use crate::sys::platform::{Borrowed, Object};
use crate::sys::unsupported::unsupported;

/// The largest message.
pub(crate) const MAX_MESSAGE: usize = 64 * 1024;

/// How many objects one message takes.
pub(crate) const MAX_OBJECTS: usize = 253;

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

/// What lies at the front of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(dead_code, reason = "as above")]
pub(crate) enum Peeked {
    /// A message that begins with these bytes.
    Message(u64),
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

    /// Sends a message unless that would wait for the peer to read: whether it was sent.
    pub(crate) fn try_send(&self, _parts: &[&[u8]], _objects: &[Borrowed<'_>]) -> io::Result<bool> {
        match *self {}
    }

    /// The first eight bytes of the message that is next, which stays there.
    pub(crate) fn peek(&self) -> io::Result<Peeked> {
        match *self {}
    }

    /// Waits until there is room to send in, or the peer is gone, or the deadline: whether it has not passed.
    pub(crate) fn wait_for_room(&self, _deadline: Option<Instant>) -> io::Result<bool> {
        match *self {}
    }

    /// Ends the channel for all who hold an end: nothing more can be sent, and what was sent can be received.
    pub(crate) fn shut_down(&self) -> io::Result<()> {
        match *self {}
    }

    /// The end, as what can travel.
    pub(crate) fn object(&self) -> &Object {
        match *self {}
    }

    /// Whether the peer is gone.
    pub(crate) fn is_closed(&self) -> io::Result<bool> {
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

/// How a child finds its end after exec.
pub(crate) fn ticket(_object: &Object) -> io::Result<String> {
    Err(unsupported())
}

/// Takes the end that a [`ticket`] names.
pub(crate) fn redeem(_ticket: &str) -> io::Result<Channel> {
    Err(unsupported())
}
