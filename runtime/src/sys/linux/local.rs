//! Addresses by which processes of one machine find each other, and the kernel's word for who they are (`unix(7)`: path names,
//! abstract addresses, `SO_PEERCRED`).
//!
//! A file of a socket whose listener was killed stays, and whoever binds to it next replaces it. So that nobody takes for dead what
//! is about to listen, those who bind to one path take turns: a turn is an abstract address, which is free again whatever
//! becomes of its holder.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::sockopt::{AcceptConn, PeerCredentials, SendTimeout, SockType as TypeOfSocket};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, connect as connect_to, getsockopt,
    listen, setsockopt, socket,
};
use nix::sys::stat::{Mode, fchmod};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::geteuid;

use super::channel::Channel;
use super::{Object, above_standard};
use crate::sys::unix::poll::milliseconds;

/// The longest name or path, in bytes: `sun_path` less its NUL.
pub(crate) const MAX_LENGTH: usize = 107;

/// Where to listen or connect.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// A file.
    Path(&'a Path),
    /// A name in no file system.
    Name(&'a str),
}

impl Place<'_> {
    fn address(self) -> nix::Result<UnixAddr> {
        match self {
            Self::Path(path) => UnixAddr::new(path),
            Self::Name(name) => UnixAddr::new_abstract(name.as_bytes()),
        }
    }
}

/// Who is at the other end, as the kernel says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credentials {
    /// `None` for one in another namespace of processes.
    pub(crate) pid: Option<u32>,
    pub(crate) user: u32,
}

/// The user of this process.
pub(crate) fn user() -> u32 {
    geteuid().as_raw()
}

/// A file that is ours until drop.
#[derive(Debug)]
struct Claim {
    path: PathBuf,
    /// Its device and number: another may have come to lie there.
    file: (u64, u64),
    /// The process that made it: a copy leaves it alone.
    owner: u32,
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    path.symlink_metadata().map(|file| (file.dev(), file.ino()))
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.owner == std::process::id() && identity(&self.path).is_ok_and(|file| file == self.file) {
            let _somebody_removed_it = std::fs::remove_file(&self.path);
        }
    }
}

/// A socket that listens.
#[derive(Debug)]
pub(crate) struct Listening {
    /// Goes before the socket: as long as that one listens nobody replaces the file.
    _claim: Option<Claim>,
    socket: OwnedFd,
}

fn endpoint(kind: SockType, flags: SockFlag) -> io::Result<OwnedFd> {
    let flags = flags | SockFlag::SOCK_CLOEXEC;
    above_standard(socket(AddressFamily::Unix, kind, flags, None)?)
}

impl Listening {
    /// Begins to listen. `public` is a path that every user may connect to.
    pub(crate) fn bind(place: Place<'_>, public: bool) -> io::Result<Self> {
        Self::bind_socket(SockType::SeqPacket, place, public)
    }

    /// Begins to listen for those who want a stream, of this user.
    pub(crate) fn bind_for_streams(place: Place<'_>) -> io::Result<Self> {
        Self::bind_socket(SockType::Stream, place, false)
    }

    fn bind_socket(kind: SockType, place: Place<'_>, public: bool) -> io::Result<Self> {
        let socket = endpoint(kind, SockFlag::SOCK_NONBLOCK)?;
        let claim = match place {
            Place::Path(path) => Some(bind_to_file(&socket, path, public)?),
            Place::Name(_) => {
                bind(socket.as_raw_fd(), &place.address()?)?;
                listen(&socket, Backlog::MAXCONN)?;
                None
            }
        };
        Ok(Self { _claim: claim, socket })
    }

    /// Takes a socket that travelled. The file stays another's.
    pub(crate) fn from_object(object: Object) -> io::Result<Self> {
        let socket = above_standard(object)?;
        if !getsockopt(&socket, AcceptConn)? || getsockopt(&socket, TypeOfSocket)? != SockType::SeqPacket {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no socket that listens"));
        }
        Ok(Self { _claim: None, socket })
    }

    /// The socket, as what can travel.
    pub(crate) fn object(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// What becomes ready when somebody connects.
    pub(crate) fn sentinel(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Takes the next who connected, if there is one.
    pub(crate) fn accept(&self) -> io::Result<Option<Channel>> {
        self.accept_object()?.map(Channel::from_object).transpose()
    }

    /// Takes the next who connected, if there is one: its socket, which blocks.
    pub(crate) fn accept_object(&self) -> io::Result<Option<Object>> {
        loop {
            match accept4(self.socket.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
                Ok(raw) => {
                    // SAFETY: the kernel just made it for us.
                    let accepted = unsafe { OwnedFd::from_raw_fd(raw) };
                    return above_standard(accepted).map(Some);
                }
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR | Errno::ECONNABORTED) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

fn bind_to_file(socket: &OwnedFd, path: &Path, public: bool) -> io::Result<Claim> {
    let address = UnixAddr::new(path)?;
    let _turn = take_turn(path)?;
    // On Linux these become the file's rights, less the umask, and nobody sees it with others.
    fchmod(socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    match bind(socket.as_raw_fd(), &address) {
        Err(Errno::EADDRINUSE) if is_left_behind(path, &address)? => {
            std::fs::remove_file(path)?;
            bind(socket.as_raw_fd(), &address)?;
        }
        bound => bound?,
    }
    let claim = Claim { path: path.to_owned(), file: identity(path)?, owner: std::process::id() };
    listen(socket, Backlog::MAXCONN)?;
    if public {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    }
    Ok(claim)
}

/// Keeps others from binding to a path, until drop; `AddrInUse` when another is at it.
fn take_turn(path: &Path) -> io::Result<OwnedFd> {
    const ROOM_FOR_NAME: usize = 50;
    let directory = path.parent().map_or_else(|| Err(io::ErrorKind::InvalidInput.into()), identity_of)?;
    let name = path.file_name().map_or(&[][..], OsStr::as_bytes);
    let name = &name[name.len().saturating_sub(ROOM_FOR_NAME)..];
    let turn = [format!("offspring/bind/{:x}:{:x}/", directory.0, directory.1).as_bytes(), name].concat();
    let socket = endpoint(SockType::SeqPacket, SockFlag::empty())?;
    bind(socket.as_raw_fd(), &UnixAddr::new_abstract(&turn)?)?;
    Ok(socket)
}

/// Of what a path leads to.
fn identity_of(path: &Path) -> io::Result<(u64, u64)> {
    path.metadata().map(|file| (file.dev(), file.ino()))
}

/// Whether a path is that of a socket which nobody holds any more.
fn is_left_behind(path: &Path, address: &UnixAddr) -> io::Result<bool> {
    if !path.symlink_metadata()?.file_type().is_socket() {
        return Ok(false);
    }
    let probe = endpoint(SockType::SeqPacket, SockFlag::SOCK_NONBLOCK)?;
    Ok(connect_to(probe.as_raw_fd(), address) == Err(Errno::ECONNREFUSED))
}

/// Connects. `TimedOut` when too many wait to be accepted until the deadline; `InvalidData` when another kind of socket is there.
pub(crate) fn connect(place: Place<'_>, deadline: Option<Instant>) -> io::Result<Channel> {
    Channel::from_object(connect_socket(SockType::SeqPacket, place, deadline)?)
}

/// Connects to one who listens for streams, as [`connect`]: the socket.
pub(crate) fn connect_stream(place: Place<'_>, deadline: Option<Instant>) -> io::Result<Object> {
    connect_socket(SockType::Stream, place, deadline)
}

fn connect_socket(kind: SockType, place: Place<'_>, deadline: Option<Instant>) -> io::Result<Object> {
    let address = place.address()?;
    let socket = endpoint(kind, SockFlag::empty())?;
    loop {
        if deadline.is_some() {
            let left = i64::from(milliseconds(deadline)).max(1); // zero would be for ever
            setsockopt(&socket, SendTimeout, &TimeVal::milliseconds(left))?;
        }
        match connect_to(socket.as_raw_fd(), &address) {
            Ok(()) => return Ok(socket),
            Err(Errno::EINTR | Errno::EAGAIN)
                if deadline.is_none_or(|deadline| Instant::now() < deadline) => {}
            Err(Errno::EINTR | Errno::EAGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            Err(Errno::EPROTOTYPE) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it is a socket of another kind"));
            }
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Who is at the other end: who connected, at that moment; who listened, when it began to.
pub(crate) fn peer(socket: &impl AsFd) -> io::Result<Credentials> {
    let credentials = getsockopt(socket, PeerCredentials)?;
    let pid = u32::try_from(credentials.pid()).ok().filter(|pid| *pid > 0);
    Ok(Credentials { pid, user: credentials.uid() })
}
