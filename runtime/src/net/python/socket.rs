//! A socket of either family.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::Endpoint;
use crate::sys::local::Place;
use crate::sys::stream::{Stream, keep_asking};

/// How long a machine may not answer, until its connections count as over.
const SILENCE: Duration = Duration::from_secs(60);

/// A connected socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Connects until a moment; `None` for as long as the system tries.
    pub(super) fn connect(endpoint: &Endpoint, deadline: Option<Instant>) -> io::Result<Self> {
        let connected = match endpoint {
            Endpoint::Tcp(host, port) => Stream::connect_tcp(host, *port, deadline),
            Endpoint::Path(path) if deadline.is_some() => Stream::connect_local(Place::Path(path), deadline),
            Endpoint::Path(path) => return UnixStream::connect(path).map(Self::Unix),
        };
        match connected? {
            Stream::Tcp(stream) => Self::tcp(stream),
            Stream::Local(stream) => Ok(Self::Unix(stream)),
        }
    }

    /// Small messages go at once, and a machine that vanishes is noticed. A peer that does not read may take its time, as with CPython.
    pub(super) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        keep_asking(&stream, SILENCE)?;
        Ok(Self::Tcp(stream))
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(nonblocking),
            Self::Unix(stream) => stream.set_nonblocking(nonblocking),
        }
    }

    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                stream.set_read_timeout(timeout).and_then(|()| stream.set_write_timeout(timeout))
            }
            Self::Unix(stream) => {
                stream.set_read_timeout(timeout).and_then(|()| stream.set_write_timeout(timeout))
            }
        }
    }

    /// Ends both directions, for whoever reads and writes.
    pub(super) fn shutdown(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => (&*stream).read(buffer),
            Socket::Unix(stream) => (&*stream).read(buffer),
        }
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => (&*stream).write(bytes),
            Socket::Unix(stream) => (&*stream).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket until a moment: whatever is read and written, byte by byte or at once.
pub(super) struct Hurried<'a> {
    socket: &'a Socket,
    deadline: Option<Instant>,
}

impl<'a> Hurried<'a> {
    /// `None`: a time that never comes.
    pub(super) fn new(socket: &'a Socket, deadline: Option<Instant>) -> Self {
        Self { socket, deadline }
    }

    fn hurry(&self) -> io::Result<()> {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.socket.set_timeout(left)
    }

    /// From now on it takes as long as it takes.
    pub(super) fn relax(self) -> io::Result<()> {
        self.socket.set_timeout(None)
    }
}

impl Read for Hurried<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.hurry()?;
        let mut socket = self.socket;
        socket.read(buffer)
    }
}

impl Write for Hurried<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hurry()?;
        let mut socket = self.socket;
        socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
