//! Messages with descriptors attached, over a Unix socket (`sendmsg(2)`, `recvmsg(2)`, `SCM_RIGHTS` in `unix(7)`).
//!
//! Apple's systems lack `MSG_CMSG_CLOEXEC`: descriptors that arrive are made close-on-exec one call later there. What this library
//! executes meanwhile inherits nothing that is not named; what others do by fork and exec may.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use super::descriptor::above_standard;
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

/// How many descriptors one message takes: the kernel's `SCM_MAX_FD`.
pub(crate) const MAX_OBJECTS: usize = 253;

/// Without `SIGPIPE` (nix does not know that Apple's systems have it too).
const QUIETLY: MsgFlags = MsgFlags::from_bits_retain(libc::MSG_NOSIGNAL);

/// Sends one message; `EINTR` is retried and `SIGPIPE` is never raised.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[&[u8]], objects: &[BorrowedFd<'_>]) -> io::Result<()> {
    send_with(socket, bytes, objects, QUIETLY)
}

/// Sends one message if there is room for it; `WouldBlock` if there is none.
pub(crate) fn try_send(
    socket: BorrowedFd<'_>,
    bytes: &[&[u8]],
    objects: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send_with(socket, bytes, objects, QUIETLY | MsgFlags::MSG_DONTWAIT)
}

fn send_with(
    socket: BorrowedFd<'_>,
    bytes: &[&[u8]],
    objects: &[BorrowedFd<'_>],
    flags: MsgFlags,
) -> io::Result<()> {
    let parts: Vec<IoSlice<'_>> = bytes.iter().map(|part| IoSlice::new(part)).collect();
    let raw: Vec<RawFd> = objects.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    retry(|| sendmsg::<UnixAddr>(socket.as_raw_fd(), &parts, control, flags, None))?;
    Ok(())
}

/// What lies at the front of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peeked {
    /// A message that begins with these bytes.
    Message(u64),
    Empty,
    /// The peer is gone, and everything it sent has been read.
    Closed,
}

/// Looks at the message that is next.
#[cfg(any(target_os = "linux", target_os = "android"))] // where a message is one of the kernel's
pub(crate) fn peek(socket: BorrowedFd<'_>) -> io::Result<Peeked> {
    let mut front = [0; 8];
    Ok(match peek_at(socket, &mut front)? {
        Front::Bytes => Peeked::Message(u64::from_ne_bytes(front)),
        Front::Empty => Peeked::Empty,
        Front::Closed => Peeked::Closed,
    })
}

/// As [`Peeked`], with the bytes elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    Bytes,
    Empty,
    Closed,
}

/// Looks at the first bytes of what is next.
pub(crate) fn peek_at(socket: BorrowedFd<'_>, front: &mut [u8]) -> io::Result<Front> {
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    match retry(|| nix::sys::socket::recv(socket.as_raw_fd(), front, flags)) {
        Ok(0) => Ok(Front::Closed),
        Ok(_) => Ok(Front::Bytes),
        Err(Errno::EAGAIN) => Ok(Front::Empty),
        Err(Errno::ECONNRESET) => peek_at(socket, front), // said once, before the messages that it left us
        Err(errno) => Err(errno.into()),
    }
}

/// The largest message that [`receive`] takes.
pub(crate) const MAX_LENGTH: usize = 64 * 1024;

thread_local! {
    /// Where messages arrive. Made once a thread, and touched no further than the messages were long: a new process
    /// pays for each page of memory that it writes to.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Receives one whole message with the descriptors that came along, all close-on-exec.
///
/// `None` means that none is there (only with `wait` false); an empty message that the peer is gone.
#[cfg(any(target_os = "linux", target_os = "android"))] // as above
pub(crate) fn receive(socket: BorrowedFd<'_>, wait: bool) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    receive_at_most(socket, wait, MAX_LENGTH)
}

/// Receives as [`receive`], no more than this many bytes, which are no more than [`MAX_LENGTH`].
pub(crate) fn receive_at_most(
    socket: BorrowedFd<'_>,
    wait: bool,
    length: usize,
) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let length = length.min(MAX_LENGTH);
    // In an exit hook the thread's own buffer is gone already.
    match BUFFER.try_with(RefCell::take) {
        Err(_) => receive_into(socket, wait, length, &mut Vec::new()),
        Ok(mut buffer) => {
            let received = receive_into(socket, wait, length, &mut buffer);
            BUFFER.set(buffer);
            received
        }
    }
}

fn receive_into(
    socket: BorrowedFd<'_>,
    wait: bool,
    length: usize,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    buffer.reserve_exact(MAX_LENGTH);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: length };
    // Aligned as a header of a control message must be.
    let mut control = [0_u64; CONTROL_LENGTH / size_of::<u64>()];
    // SAFETY: all-zero is a valid header: no name, no parts, no control data.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    #[allow(clippy::cast_possible_truncation)] // a kilobyte, in a type that differs between systems
    let room = size_of_val(&control) as _;
    header.msg_controllen = room;
    let flags = CLOSE_ON_EXEC | if wait { 0 } else { libc::MSG_DONTWAIT };
    let length = loop {
        // SAFETY: the header leads to one part of reserved memory and to the control buffer, each with its length.
        let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
        match usize::try_from(length) {
            Ok(length) => break length,
            Err(_) => match Errno::last() {
                Errno::EAGAIN => return Ok(None),
                // A peer that closed with unread messages of ours: said once, before the messages that it left us.
                Errno::ECONNRESET | Errno::EINTR => {}
                errno => return Err(errno.into()),
            },
        }
    };
    let objects = take_descriptors(&header)?;
    if header.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(Errno::EMFILE.into()); // there was no room for what came along
    }
    if header.msg_flags & libc::MSG_TRUNC != 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was cut short"));
    }
    // SAFETY: the kernel wrote this many bytes, no more than were reserved.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.as_ptr(), length) };
    Ok(Some((bytes.to_vec(), objects)))
}

#[cfg(not(target_vendor = "apple"))]
const CLOSE_ON_EXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
const CLOSE_ON_EXEC: libc::c_int = 0;

/// How many bytes the descriptors of one message take.
#[allow(clippy::cast_possible_truncation)] // a thousand
const DESCRIPTORS: u32 = 4 * MAX_OBJECTS as u32;

/// Room for them.
const CONTROL_LENGTH: usize = {
    // SAFETY: CMSG_SPACE only computes.
    let length = unsafe { libc::CMSG_SPACE(DESCRIPTORS) };
    (length as usize).next_multiple_of(size_of::<u64>())
};

/// Takes the descriptors that the kernel installed for a message.
fn take_descriptors(header: &libc::msghdr) -> io::Result<Vec<OwnedFd>> {
    let mut objects = Vec::new();
    // SAFETY: the header describes the control data that the kernel filled in.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: the kernel's headers are valid, and aligned in our buffer.
    while let Some(entry) = unsafe { control.as_ref() } {
        if (entry.cmsg_level, entry.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: CMSG_LEN only computes.
            let empty = unsafe { libc::CMSG_LEN(0) } as usize;
            #[allow(clippy::unnecessary_cast)] // its type differs between C libraries
            let count = (entry.cmsg_len as usize - empty) / size_of::<RawFd>();
            // SAFETY: the data follow the header.
            let data = unsafe { libc::CMSG_DATA(control) }.cast::<RawFd>();
            for index in 0..count {
                // SAFETY: within the data of this entry.
                let place = unsafe { data.add(index) };
                // SAFETY: the kernel wrote a descriptor there.
                let fd = unsafe { place.read_unaligned() };
                // SAFETY: the kernel just installed it for us; nobody else knows its number.
                objects.push(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
        // SAFETY: the header describes the control data that this entry is part of.
        control = unsafe { libc::CMSG_NXTHDR(header, control) };
    }
    #[cfg(target_vendor = "apple")]
    for object in &objects {
        nix::fcntl::fcntl(object, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    }
    objects.into_iter().map(above_standard).collect()
}

/// Sends bytes, with one descriptor or none, from the handler of a signal: nothing is allocated, and what fails is not said.
pub(crate) fn send_from_handler(socket: RawFd, bytes: &[u8], object: Option<RawFd>) {
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = [0_u64; 4];
    // SAFETY: all-zero is a valid header: no name, no parts, no control data.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    if let Some(object) = object {
        header.msg_control = control.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE only computes.
        header.msg_controllen = unsafe { libc::CMSG_SPACE(4) } as _;
        // SAFETY: the header describes the control buffer, which has room for an entry.
        let entry = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
        // SAFETY: the entry lies in the buffer, aligned.
        let place = unsafe { &mut *entry };
        place.cmsg_level = libc::SOL_SOCKET;
        place.cmsg_type = libc::SCM_RIGHTS;
        // SAFETY: CMSG_LEN only computes.
        place.cmsg_len = unsafe { libc::CMSG_LEN(4) } as _;
        // SAFETY: as above, and the entry has room for one descriptor.
        let data = unsafe { libc::CMSG_DATA(entry) }.cast::<RawFd>();
        // SAFETY: within the buffer.
        unsafe { data.write_unaligned(object) };
    }
    // SAFETY: the header leads to the bytes and to the control buffer; sendmsg(2) is async-signal-safe.
    unsafe { libc::sendmsg(socket, &raw const header, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) };
}

fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}
