//! Streams of bytes between two processes, of one machine or of two: sockets of TCP (`tcp(7)`), and local ones (`unix(7)`).
//!
//! A read takes what is there and waits if there is nothing; a write waits for room. Both can be made to give up after a
//! while ([`WouldBlock`](io::ErrorKind::WouldBlock)), and both end at once when [`Stream::shut_down`] is called, whoever calls it.

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
use std::io::Write;
use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use crate::sys::local::{self, Credentials, Place};
use crate::sys::platform::{Object, above_standard};

/// One end of a stream.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Local(UnixStream),
}

/// A socket at which streams begin.
#[derive(Debug)]
pub(crate) enum StreamListening {
    Tcp(TcpListener),
    Local(local::Listening),
}

/// Where a stream comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    Tcp(SocketAddr),
    Local(Credentials),
}

/// Does the same with either kind.
macro_rules! either {
    ($stream:expr, $socket:ident => $action:expr) => {
        match $stream {
            Stream::Tcp($socket) => $action,
            Stream::Local($socket) => $action,
        }
    };
}

impl Stream {
    /// Connects to one of the addresses of a host.
    pub(crate) fn connect_tcp(host: &str, port: u16, deadline: Option<Instant>) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (host, port).to_socket_addrs()? {
            let connected = match deadline {
                None => TcpStream::connect(address),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    TcpStream::connect_timeout(&address, left.max(Duration::from_millis(1)))
                }
            };
            match connected {
                Ok(socket) => return Self::new_tcp(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The two ends of a new one.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        UnixStream::pair().map(|(one, other)| (Self::Local(one), Self::Local(other)))
    }

    fn new_tcp(socket: TcpStream) -> io::Result<Self> {
        let socket = TcpStream::from(above_standard(socket.into())?);
        socket.set_nonblocking(false)?;
        socket.set_nodelay(true)?;
        Ok(Self::Tcp(socket))
    }

    /// Connects to one who listens on this machine.
    pub(crate) fn connect_local(place: Place<'_>, deadline: Option<Instant>) -> io::Result<Self> {
        let socket = UnixStream::from(local::connect_stream(place, deadline)?);
        socket.set_write_timeout(None)?; // the deadline was for the connection
        Ok(Self::Local(socket))
    }

    /// Where the other end is.
    pub(crate) fn origin(&self) -> io::Result<Origin> {
        match self {
            Self::Tcp(socket) => socket.peer_addr().map(Origin::Tcp),
            Self::Local(socket) => local::peer(socket).map(Origin::Local),
        }
    }

    /// What is ready when there is something to be read, or the end.
    pub(crate) fn sentinel(&self) -> BorrowedFd<'_> {
        either!(self, socket => socket.as_fd())
    }

    /// Whether the other side has ended it, also if there is something left to be read. A guess: without a look at the network.
    pub(crate) fn has_ended(&self) -> bool {
        let mut fds = [PollFd::new(self.sentinel(), HUNG_UP)];
        matches!(poll(&mut fds, PollTimeout::ZERO), Ok(count) if count > 0)
    }

    /// Has reads fail with `WouldBlock` that wait for longer; `None` for never.
    pub(crate) fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(at_least_a_little);
        either!(self, socket => socket.set_read_timeout(timeout))
    }

    /// Has writes fail with `WouldBlock` that wait for longer; `None` for never.
    pub(crate) fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(at_least_a_little);
        either!(self, socket => socket.set_write_timeout(timeout))
    }

    /// Has a peer taken for gone that, for that long, answers nothing when the kernel asks whether it is there, or takes nothing of what
    /// is sent. That a local peer has ended is seen at once anyway.
    pub(crate) fn watch_over(&self, patience: Duration) -> io::Result<()> {
        self.set_write_timeout(Some(patience))?;
        match self {
            Self::Tcp(socket) => {
                keep_asking(socket, patience)?;
                take_for_gone(socket, patience)
            }
            Self::Local(_) => Ok(()),
        }
    }

    /// Ends the stream: in both directions, or what is sent. Whoever waits in a read or write returns.
    pub(crate) fn shut_down(&self, how: Shutdown) -> io::Result<()> {
        either!(self, socket => socket.shutdown(how))
    }

    /// Reads what is there, at most what there is room for; none at the end.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, socket => { let mut socket = socket; retry(|| socket.read(buffer)) })
    }

    /// Reads as many bytes, behind what is in the buffer, unless the stream ends or an error comes in between.
    pub(crate) fn read_behind(&self, buffer: &mut Vec<u8>, count: usize) -> io::Result<usize> {
        either!(self, socket => socket.take(count as u64).read_to_end(buffer))
    }

    /// Writes some of the bytes. Where nobody reads any more that is an error, and no signal, also in programs that have `SIGPIPE` as it was
    /// before Rust.
    pub(crate) fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, socket => retry(|| write_quietly(socket, parts)))
    }
}

/// What says that the other side sends nothing more, beside what is said unasked.
#[cfg(any(target_os = "linux", target_os = "android"))]
const HUNG_UP: PollFlags = PollFlags::from_bits_retain(libc::POLLRDHUP);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const HUNG_UP: PollFlags = PollFlags::empty();

/// Zero would be for ever.
fn at_least_a_little(timeout: Duration) -> Duration {
    timeout.max(Duration::from_micros(1))
}

fn retry<T>(mut action: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match action() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

// The standard library's vectored write is `writev(2)`, which cannot be asked for that.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn write_quietly(socket: &impl AsFd, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    use nix::sys::socket::{MsgFlags, sendmsg};
    use std::os::fd::AsRawFd;
    const IOV_MAX: usize = 1024;

    let (socket, some) = (socket.as_fd().as_raw_fd(), &parts[..parts.len().min(IOV_MAX)]);
    Ok(sendmsg::<()>(socket, some, &[], MsgFlags::MSG_NOSIGNAL, None)?)
}

/// There the standard library makes its sockets such that they raise no signal.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn write_quietly<S>(mut socket: &S, parts: &[IoSlice<'_>]) -> io::Result<usize>
where
    for<'a> &'a S: Write,
{
    socket.write_vectored(parts)
}

/// Has a peer taken for gone whose machine, for that long, answers nothing when the kernel asks whether it is there. One that does not read is
/// there.
pub(crate) fn keep_asking(socket: &TcpStream, patience: Duration) -> io::Result<()> {
    setsockopt(socket, sockopt::KeepAlive, &true)?;
    ask_often(socket, patience)
}

/// In whole seconds, as the system has it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn seconds(patience: Duration) -> u32 {
    u32::try_from(patience.as_secs()).unwrap_or(u32::MAX).clamp(2, 32_767)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn ask_often(socket: &TcpStream, patience: Duration) -> io::Result<()> {
    const PROBES: u32 = 3;
    let seconds = seconds(patience);
    let interval = (seconds / (2 * PROBES)).max(1);
    setsockopt(socket, sockopt::TcpKeepIdle, &seconds.saturating_sub(interval * PROBES).max(1))?;
    setsockopt(socket, sockopt::TcpKeepInterval, &interval)?;
    setsockopt(socket, sockopt::TcpKeepCount, &PROBES)?;
    Ok(())
}

/// The system's own times.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unnecessary_wraps)] // elsewhere it can fail
fn ask_often(_socket: &TcpStream, _patience: Duration) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn take_for_gone(socket: &TcpStream, patience: Duration) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::TcpUserTimeout, &(seconds(patience) * 1000))?)
}

/// The system's own times.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps)] // elsewhere it can fail
fn take_for_gone(_socket: &TcpStream, _patience: Duration) -> io::Result<()> {
    Ok(())
}

impl StreamListening {
    /// Begins to listen at an address of this machine; port 0 is one that is free.
    pub(crate) fn bind_tcp(host: &str, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((host, port))?;
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(TcpListener::from(above_standard(Object::from(listener))?)))
    }

    /// Begins to listen for this user's processes on this machine.
    pub(crate) fn bind_local(place: Place<'_>) -> io::Result<Self> {
        local::Listening::bind_for_streams(place).map(Self::Local)
    }

    /// The port, where there is one.
    pub(crate) fn port(&self) -> io::Result<Option<u16>> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(|address| Some(address.port())),
            Self::Local(_) => Ok(None),
        }
    }

    /// What becomes ready when somebody connects.
    pub(crate) fn sentinel(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Local(listening) => listening.sentinel(),
        }
    }

    /// Takes the next who connected, if there is one.
    pub(crate) fn accept(&self) -> io::Result<Option<Stream>> {
        match self {
            Self::Tcp(listener) => match retry(|| listener.accept()) {
                Ok((socket, _)) => Stream::new_tcp(socket).map(Some),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(error),
            },
            Self::Local(listening) => Ok(listening.accept_object()?.map(UnixStream::from).map(Stream::Local)),
        }
    }
}
