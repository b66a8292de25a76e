//! An object under a name, for processes of the same user (abstract addresses and `SO_PEERCRED` in `unix(7)`).
//!
//! The name is the address of a listening socket. It is in no file system and belongs to nobody but the socket, so it
//! is gone with it, however its process ends. Names are those of a network namespace.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{PeerCredentials, SendTimeout};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, connect, getsockopt, listen,
    setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::geteuid;

use super::{Borrowed, Object, above_standard, poller};
use crate::sys::unix::message;

/// The longest name, in bytes: what an address has room for.
pub(crate) const MAX_NAME: usize = 64;

/// How many askers are answered before others are looked after.
const AT_ONCE: usize = 64;

/// A name that is held.
#[derive(Debug)]
pub(crate) struct Host(OwnedFd);

fn address(name: &str) -> io::Result<UnixAddr> {
    // Each user has names of their own.
    Ok(UnixAddr::new_abstract(format!("offspring/{}/{name}", geteuid()).as_bytes())?)
}

fn endpoint(flags: SockFlag) -> io::Result<OwnedFd> {
    let flags = flags | SockFlag::SOCK_CLOEXEC;
    above_standard(socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?)
}

impl Host {
    /// Takes a name; `AddrInUse` when another has it.
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        let socket = endpoint(SockFlag::SOCK_NONBLOCK)?;
        bind(socket.as_raw_fd(), &address(name)?)?;
        listen(&socket, Backlog::MAXCONN)?;
        Ok(Self(socket))
    }

    /// What becomes ready when somebody asks.
    pub(crate) fn sentinel(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Gives a duplicate of the object to those who ask, at most [`AT_ONCE`]. Waits for nobody.
    pub(crate) fn serve(&self, object: Borrowed<'_>) -> io::Result<()> {
        for _ in 0..AT_ONCE {
            let asker = match accept4(self.0.as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK) {
                // SAFETY: the kernel just made it for us.
                Ok(raw) => above_standard(unsafe { OwnedFd::from_raw_fd(raw) })?,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR | Errno::ECONNABORTED) => continue,
                Err(errno) => return Err(errno.into()),
            };
            if is_of_same_user(&asker)? {
                let _gave_up_asking = message::send(asker.as_fd(), &[&[1]], &[object]);
            }
        }
        Ok(())
    }
}

fn is_of_same_user(peer: &OwnedFd) -> io::Result<bool> {
    Ok(getsockopt(peer, PeerCredentials)?.uid() == geteuid().as_raw())
}

/// Asks for what is under a name; `None` when nobody has the name.
pub(crate) fn ask(name: &str, patience: Duration) -> io::Result<Option<Object>> {
    let deadline = Instant::now() + patience;
    let socket = endpoint(SockFlag::empty())?;
    let milliseconds = i64::try_from(patience.as_millis()).unwrap_or(i64::MAX);
    setsockopt(&socket, SendTimeout, &TimeVal::milliseconds(milliseconds))?;
    let address = address(name)?;
    loop {
        match connect(socket.as_raw_fd(), &address) {
            Ok(()) => break,
            Err(Errno::ECONNREFUSED) => return Ok(None),
            Err(Errno::EINTR) if Instant::now() < deadline => {}
            Err(Errno::EINTR | Errno::EAGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            Err(errno) => return Err(errno.into()),
        }
    }
    if !is_of_same_user(&socket)? {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    while poller::wait(&[socket.as_fd()], Some(deadline))?[0] {
        if let Some((_, mut objects)) = message::receive(socket.as_fd(), false)? {
            return Ok(objects.pop()); // or none: it has given the name up
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}
