//! Streams of bytes between two processes.
//!
//! On Windows: to be sockets of TCP, with `WSAPoll` for the one that listens, and named pipes of bytes.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use super::local::{Credentials, Place};
use crate::sys::platform::poller::Sentinel;
use crate::sys::unsupported::unsupported;

/// One end of a stream.
#[derive(Debug)]
pub(crate) enum Stream {}

/// A socket at which streams begin.
#[derive(Debug)]
pub(crate) enum StreamListening {}

/// Where a stream comes from.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code)] // from nowhere yet
pub(crate) enum Origin {
    Tcp(SocketAddr),
    Local(Credentials),
}

impl Stream {
    /// Connects to one of the addresses of a host.
    pub(crate) fn connect_tcp(_host: &str, _port: u16, _deadline: Option<Instant>) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Connects to one who listens on this machine.
    pub(crate) fn connect_local(_place: Place<'_>, _deadline: Option<Instant>) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Where the other end is.
    pub(crate) fn origin(&self) -> io::Result<Origin> {
        match *self {}
    }

    /// What is ready when there is something to be read, or the end.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        match *self {}
    }

    /// Whether the other side has ended it, also if there is something left to be read.
    pub(crate) fn has_ended(&self) -> bool {
        match *self {}
    }

    /// Has reads fail with `WouldBlock` that wait for longer; `None` for never.
    pub(crate) fn set_read_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        match *self {}
    }

    /// Has writes fail with `WouldBlock` that wait for longer; `None` for never.
    pub(crate) fn set_write_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        match *self {}
    }

    /// Has a peer taken for gone that says and takes nothing for that long.
    pub(crate) fn watch_over(&self, _patience: Duration) -> io::Result<()> {
        match *self {}
    }

    /// Ends the stream.
    pub(crate) fn shut_down(&self, _how: Shutdown) -> io::Result<()> {
        match *self {}
    }

    /// Reads what is there.
    pub(crate) fn read(&self, _buffer: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    /// Reads as many bytes, behind what is in the buffer.
    pub(crate) fn read_behind(&self, _buffer: &mut Vec<u8>, _count: usize) -> io::Result<usize> {
        match *self {}
    }

    /// Writes some of the bytes.
    pub(crate) fn write(&self, _parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match *self {}
    }
}

impl StreamListening {
    /// Begins to listen at an address of this machine.
    pub(crate) fn bind_tcp(_host: &str, _port: u16) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Begins to listen for this user's processes on this machine.
    pub(crate) fn bind_local(_place: Place<'_>) -> io::Result<Self> {
        Err(unsupported())
    }

    /// The port, where there is one.
    pub(crate) fn port(&self) -> io::Result<Option<u16>> {
        match *self {}
    }

    /// What becomes ready when somebody connects.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        match *self {}
    }

    /// Takes the next who connected, if there is one.
    pub(crate) fn accept(&self) -> io::Result<Option<Stream>> {
        match *self {}
    }
}
