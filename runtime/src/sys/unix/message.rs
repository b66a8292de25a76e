//! Messages with descriptors attached, over a Unix socket (`sendmsg(2)`, `recvmsg(2)`, `SCM_RIGHTS` in `unix(7)`).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};

/// How many descriptors one message takes: the kernel's `SCM_MAX_FD` is 253; the launch protocol needs far fewer.
pub(crate) const MAX_OBJECTS: usize = 16;

/// Sends one message; `EINTR` is retried and `SIGPIPE` is never raised.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[&[u8]], objects: &[BorrowedFd<'_>]) -> io::Result<()> {
    let parts: Vec<IoSlice<'_>> = bytes.iter().map(|part| IoSlice::new(part)).collect();
    let raw: Vec<RawFd> = objects.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    loop {
        match sendmsg::<UnixAddr>(socket.as_raw_fd(), &parts, control, MsgFlags::MSG_NOSIGNAL, None) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// What [`receive`] found.
#[derive(Debug)]
pub(crate) struct Received {
    /// How many bytes of the buffer the message filled; 0 means that the peer is gone.
    pub(crate) length: usize,
    /// The descriptors that came along, all close-on-exec.
    pub(crate) objects: Vec<OwnedFd>,
}

/// Receives one message. `None` means that none is there (only with `wait` false).
pub(crate) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], wait: bool) -> io::Result<Option<Received>> {
    let mut space = nix::cmsg_space!([RawFd; MAX_OBJECTS]);
    let mut flags = MsgFlags::MSG_CMSG_CLOEXEC;
    if !wait {
        flags |= MsgFlags::MSG_DONTWAIT;
    }
    loop {
        let mut parts = [IoSliceMut::new(buffer)];
        match recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Ok(message) => {
                let mut objects = Vec::new();
                for control in message.cmsgs()? {
                    if let ControlMessageOwned::ScmRights(raw) = control {
                        for fd in raw {
                            // SAFETY: the kernel just installed this descriptor for us; nobody else knows its number.
                            objects.push(unsafe { OwnedFd::from_raw_fd(fd) });
                        }
                    }
                }
                if message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC) {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was cut short"));
                }
                return Ok(Some(Received { length: message.bytes, objects }));
            }
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if !wait => return Ok(None),
            // A peer that closed with unread messages of ours: the same end as an orderly one.
            Err(Errno::ECONNRESET) => return Ok(Some(Received { length: 0, objects: Vec::new() })),
            Err(errno) => return Err(errno.into()),
        }
    }
}
