//! An object under a name, for processes of the same user (abstract addresses and `SO_PEERCRED` in `unix(7)`).
//!
//! The name is the address of a listening socket. It is in no file system and belongs to nobody but the socket, so it
//! is gone with it, however its process ends. Names are those of a network namespace.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
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
pub(crate) struct Host {
    socket: OwnedFd,
    /// Given up for a moment to turn an asker away when no descriptor is left: one who stays unanswered keeps the socket ready, and
    /// its watcher busy.
    spare: Mutex<Option<OwnedFd>>,
}

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
        let spare = Mutex::new(Some(above_standard(socket.try_clone()?)?));
        Ok(Self { socket, spare })
    }

    /// What becomes ready when somebody asks.
    pub(crate) fn sentinel(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Gives a duplicate of the object to those who ask, at most [`AT_ONCE`]. Waits for nobody.
    pub(crate) fn serve(&self, object: Borrowed<'_>) -> io::Result<()> {
        for _ in 0..AT_ONCE {
            let asker = match self.accept() {
                Ok(asker) => above_standard(asker)?,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR | Errno::ECONNABORTED) => continue,
                // Which it says also when nobody asks.
                Err(Errno::EMFILE | Errno::ENFILE) => {
                    if self.turn_away()? {
                        continue;
                    }
                    return Ok(());
                }
                Err(errno) => return Err(errno.into()),
            };
            if is_of_same_user(&asker)? {
                let _gave_up_asking = message::send(asker.as_fd(), &[&[1]], &[object]);
            }
        }
        Ok(())
    }
}

impl Host {
    fn accept(&self) -> nix::Result<OwnedFd> {
        let raw = accept4(self.socket.as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)?;
        // SAFETY: the kernel just made it for us.
        Ok(unsafe { OwnedFd::from_raw_fd(raw) })
    }

    /// Takes an asker, if there is one, and closes the connection.
    fn turn_away(&self) -> io::Result<bool> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        drop(spare.take().ok_or(Errno::EMFILE)?);
        let turned_away = self.accept().map(drop);
        *spare = Some(self.socket.try_clone()?);
        match turned_away {
            Ok(()) => Ok(true),
            Err(Errno::EAGAIN) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
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
