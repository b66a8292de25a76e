//! Messages with descriptors attached, over a Unix socket (`sendmsg(2)`, `recvmsg(2)`, `SCM_RIGHTS` in `unix(7)`).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recv, recvmsg, sendmsg};

/// How many descriptors one message takes: the kernel's `SCM_MAX_FD` is 253; the launch protocol needs far fewer.
pub(crate) const MAX_OBJECTS: usize = 16;

/// Sends one message; `EINTR` is retried and `SIGPIPE` is never raised.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[&[u8]], objects: &[BorrowedFd<'_>]) -> io::Result<()> {
    let parts: Vec<IoSlice<'_>> = bytes.iter().map(|part| IoSlice::new(part)).collect();
    let raw: Vec<RawFd> = objects.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    retry(|| sendmsg::<UnixAddr>(socket.as_raw_fd(), &parts, control, MsgFlags::MSG_NOSIGNAL, None))?;
    Ok(())
}

/// Receives one whole message with the descriptors that came along, all close-on-exec.
///
/// `None` means that none is there (only with `wait` false); an empty message that the peer is gone.
pub(crate) fn receive(socket: BorrowedFd<'_>, wait: bool) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let patience = if wait { MsgFlags::empty() } else { MsgFlags::MSG_DONTWAIT };
    // A buffer for the largest message would cost a new process more than this look ahead: memory it never touched.
    let length = match retry(|| {
        recv(socket.as_raw_fd(), &mut [], patience | MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC)
    }) {
        Ok(length) => length,
        Err(Errno::EAGAIN) => return Ok(None),
        // A peer that closed with unread messages of ours: the same end as an orderly one.
        Err(Errno::ECONNRESET) => 0,
        Err(errno) => return Err(errno.into()),
    };
    if length == 0 {
        return Ok(Some((Vec::new(), Vec::new())));
    }
    let mut bytes = vec![0; length];
    let mut space = nix::cmsg_space!([RawFd; MAX_OBJECTS]);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let flags = patience | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = loop {
        match recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(None), // another thread was faster
            received => break received?,
        }
    };
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
    Ok(Some((bytes, objects)))
}

fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}
