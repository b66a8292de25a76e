//! A pair of connected ends that carry whole messages, each with descriptors attached, for systems whose local sockets keep no
//! boundaries of messages (Apple's lack `SOCK_SEQPACKET`).
//!
//! What goes over the socket, a stream, is *slips*: pieces of one length, each written by one call and read by one. The length is
//! below the low-water mark for sending (`SO_SNDLOWAT`, 2048 by default), so the kernel takes a slip whole or not at all, however many
//! send at once and whenever one is killed; and since all that is ever in the stream is slips, a call that reads one gets one, however
//! many receive at once. The length of a message and its first bytes lie in its slip. What has no room there lies in memory
//! ([`memory`]) that comes along as the first descriptor, and is complete before the slip is sent.
//!
//! Datagrams would keep messages whole too, but tell neither of the peer's end nor of room, and take 2 KiB by default.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, shutdown, socketpair};
use nix::sys::stat::{SFlag, fstat};

use super::descriptor::above_standard;
pub(crate) use super::message::Peeked;
use super::{message, socket};
use crate::sys::agreed::{self as memory, Mapping};

/// The largest message.
pub(crate) const MAX_MESSAGE: usize = message::MAX_LENGTH;

/// How many objects one message takes: one less than the kernel, for the memory that a long message lies in.
pub(crate) const MAX_OBJECTS: usize = message::MAX_OBJECTS - 1;

/// How long a slip is.
const SLIP: usize = 512;

/// What stands before a message's first bytes: its length, and whether there is more of it elsewhere, each four bytes.
const HEAD: usize = 8;

/// The longest message that has room in its slip.
const ROOM: usize = SLIP - HEAD;

/// One end.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// A message that arrived.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    pub(crate) objects: Vec<OwnedFd>,
}

/// What a look into the channel found.
#[derive(Debug)]
pub(crate) enum Received {
    Message(Message),
    /// Nothing is there yet.
    Empty,
    /// The peer is gone, and everything it sent has been read.
    Closed,
}

/// A way to send a slip: with waiting, or without.
type Way = fn(BorrowedFd<'_>, &[&[u8]], &[BorrowedFd<'_>]) -> io::Result<()>;

/// A message, ready to be sent.
#[derive(Debug)]
struct Letter {
    slip: [u8; SLIP],
    rest: Option<OwnedFd>,
}

impl Letter {
    fn write(parts: &[&[u8]]) -> io::Result<Self> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        if length > MAX_MESSAGE {
            return Err(io::Error::from(Errno::EMSGSIZE));
        }
        let mut slip = [0; SLIP];
        let is_long = length > ROOM;
        let short = u32::try_from(length).map_err(io::Error::other)?;
        slip[..4].copy_from_slice(&short.to_ne_bytes());
        slip[4..HEAD].copy_from_slice(&u32::from(is_long).to_ne_bytes());
        let mut bytes = parts.iter().copied().flatten();
        slip[HEAD..].iter_mut().zip(&mut bytes).for_each(|(place, byte)| *place = *byte);
        let rest = is_long.then(|| put_aside(parts, length)).transpose()?;
        Ok(Self { slip, rest })
    }
}

/// Puts a message that is too long for a slip into memory of its own.
fn put_aside(parts: &[&[u8]], length: usize) -> io::Result<OwnedFd> {
    let object = memory::create(length as u64)?;
    let mut mapping = Mapping::new(&object, 0, length)?;
    let mut room = mapping.bytes_mut();
    for part in parts {
        let (place, rest) = room.split_at_mut(part.len());
        place.copy_from_slice(part);
        room = rest;
    }
    Ok(object)
}

/// Reads a message that was put aside.
fn fetch(object: &OwnedFd, length: usize) -> io::Result<Vec<u8>> {
    if memory::length(object)? != length as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is not as long as it says"));
    }
    memory::read_at(object, length, 0)
}

/// What came in place of a slip.
fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message was cut short")
}

impl Channel {
    /// Makes a channel: our end, and the one that travels.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::empty())?;
        for end in [&ours, &theirs] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
        let theirs = above_standard(theirs)?;
        socket::without_signal(theirs.as_fd())?;
        Ok((Self::from_object(ours)?, theirs))
    }

    /// Takes the end that travelled.
    pub(crate) fn from_object(object: OwnedFd) -> io::Result<Self> {
        let socket = above_standard(object)?;
        socket::without_signal(socket.as_fd())?;
        Ok(Self(socket))
    }

    /// Sends a message made of parts. It is whole at the other side or not at all.
    pub(crate) fn send(&self, parts: &[&[u8]], objects: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_by(message::send, parts, objects)
    }

    /// Sends a message unless that would wait for the peer to read: whether it was sent.
    pub(crate) fn try_send(&self, parts: &[&[u8]], objects: &[BorrowedFd<'_>]) -> io::Result<bool> {
        match self.send_by(message::try_send, parts, objects) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            sent => sent.map(|()| true),
        }
    }

    fn send_by(&self, send: Way, parts: &[&[u8]], objects: &[BorrowedFd<'_>]) -> io::Result<()> {
        let letter = Letter::write(parts)?;
        let Some(rest) = &letter.rest else { return send(self.0.as_fd(), &[&letter.slip], objects) };
        let all: Vec<BorrowedFd<'_>> = std::iter::once(rest.as_fd()).chain(objects.iter().copied()).collect();
        send(self.0.as_fd(), &[&letter.slip], &all)
    }

    /// The first eight bytes of the message that is next, which stays there.
    pub(crate) fn peek(&self) -> io::Result<Peeked> {
        let mut front = [0; HEAD + 8];
        Ok(match message::peek_at(self.0.as_fd(), &mut front)? {
            message::Front::Bytes => {
                Peeked::Message(u64::from_ne_bytes(front[HEAD..].try_into().map_err(io::Error::other)?))
            }
            message::Front::Empty => Peeked::Empty,
            message::Front::Closed => Peeked::Closed,
        })
    }

    /// Waits until there is room to send in, or the peer is gone, or the deadline: whether it has not passed.
    pub(crate) fn wait_for_room(&self, deadline: Option<Instant>) -> io::Result<bool> {
        socket::wait_writable(self.0.as_fd(), deadline)
    }

    /// Ends the channel for all who hold an end: nothing more can be sent, and what was sent can be received.
    pub(crate) fn shut_down(&self) -> io::Result<()> {
        // To end reading is to throw away what has arrived, except on Linux. Who waits for this end to become ready is
        // woken by what has arrived, or by the end.
        let how = if self.peek()? == Peeked::Empty { Shutdown::Both } else { Shutdown::Write };
        match shutdown(self.0.as_raw_fd(), how) {
            Ok(()) | Err(Errno::ENOTCONN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The end, as what can travel.
    pub(crate) fn object(&self) -> &OwnedFd {
        &self.0
    }

    /// Whether the peer is gone.
    pub(crate) fn is_closed(&self) -> io::Result<bool> {
        socket::is_hung_up(self.0.as_fd())
    }

    /// What becomes ready when a message arrives or the peer is gone.
    pub(crate) fn sentinel(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Receives a message if one is there.
    pub(crate) fn try_receive(&self) -> io::Result<Received> {
        self.receive_with(false)
    }

    /// Waits for a message.
    pub(crate) fn receive(&self) -> io::Result<Received> {
        self.receive_with(true)
    }

    fn receive_with(&self, wait: bool) -> io::Result<Received> {
        let Some((slip, mut objects)) = message::receive_at_most(self.0.as_fd(), wait, SLIP)? else {
            return Ok(Received::Empty);
        };
        if slip.is_empty() {
            return Ok(Received::Closed);
        }
        let slip = <[u8; SLIP]>::try_from(slip).map_err(|_| cut_short())?;
        let word = |at: usize| u32::from_ne_bytes([slip[at], slip[at + 1], slip[at + 2], slip[at + 3]]);
        let (length, is_long) = (word(0) as usize, word(4) != 0);
        if length > MAX_MESSAGE || (is_long && objects.is_empty()) || (!is_long && length > ROOM) {
            return Err(cut_short());
        }
        let bytes =
            if is_long { fetch(&objects.remove(0), length)? } else { slip[HEAD..HEAD + length].to_vec() };
        Ok(Received::Message(Message { bytes, objects }))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A message that the handler of a signal can send.
#[derive(Debug)]
pub(crate) struct LastWords {
    socket: RawFd,
    /// None where there was no memory to put it into.
    letter: Option<Letter>,
}

impl LastWords {
    #[allow(clippy::needless_pass_by_value)] // elsewhere it is kept
    pub(crate) fn new(channel: &Channel, message: Vec<u8>) -> Self {
        Self { socket: channel.0.as_raw_fd(), letter: Letter::write(&[&message]).ok() }
    }

    /// Sends it: async-signal-safe.
    pub(crate) fn say(&self) {
        let Some(letter) = &self.letter else { return };
        message::send_from_handler(self.socket, &letter.slip, letter.rest.as_ref().map(AsRawFd::as_raw_fd));
    }
}

/// How a child finds its end after exec: its number, and its inode so that a stray number is not mistaken for it.
pub(crate) fn ticket(object: &OwnedFd) -> io::Result<String> {
    Ok(format!("{}.{}", object.as_raw_fd(), fstat(object)?.st_ino))
}

/// Takes the end that a [`ticket`] names. The descriptor is close-on-exec from here on.
pub(crate) fn redeem(ticket: &str) -> io::Result<Channel> {
    let stray = || io::Error::new(io::ErrorKind::InvalidData, format!("`{ticket}` names no boot descriptor"));
    let (number, inode) = ticket.split_once('.').ok_or_else(stray)?;
    let number: RawFd = number.parse().map_err(|_| stray())?;
    if number <= 2 {
        return Err(stray());
    }
    // SAFETY: the number is checked to be an open socket with the inode that our parent saw before this program
    // began; the guard redeems it once, first thing in `main`, so nothing else in this process owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    let status = match fstat(&fd) {
        Ok(status) => status,
        Err(errno) => {
            std::mem::forget(fd); // not open: there is nothing to close
            return Err(if errno == Errno::EBADF { stray() } else { errno.into() });
        }
    };
    if status.st_ino.to_string() != inode
        || SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT != SFlag::S_IFSOCK
    {
        std::mem::forget(fd); // somebody else's
        return Err(stray());
    }
    fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Channel::from_object(fd)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn pair() -> (Channel, Channel) {
        let (ours, theirs) = Channel::pair().unwrap();
        (ours, Channel::from_object(theirs).unwrap())
    }

    fn message(received: Received) -> Message {
        match received {
            Received::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn messages_of_every_length_arrive_whole_and_in_order() {
        let (ours, theirs) = pair();
        for length in [1, 7, 8, 9, ROOM - 1, ROOM, ROOM + 1, 4096, MAX_MESSAGE] {
            let sent: Vec<u8> = (0..=250).cycle().take(length).collect();
            let (front, back) = sent.split_at(length / 3);
            ours.send(&[front, back], &[]).unwrap();
            let mut first = [0; 8];
            first[..length.min(8)].copy_from_slice(&sent[..length.min(8)]);
            assert_eq!(theirs.peek().unwrap(), Peeked::Message(u64::from_ne_bytes(first)));
            assert_eq!(message(theirs.receive().unwrap()).bytes, sent);
        }
        assert!(ours.send(&[&vec![0; MAX_MESSAGE + 1]], &[]).is_err());
        assert!(matches!(theirs.try_receive().unwrap(), Received::Empty));
        assert!(!theirs.is_closed().unwrap());
        drop(ours);
        assert!(theirs.is_closed().unwrap());
        assert!(matches!(theirs.receive().unwrap(), Received::Closed));
    }

    #[test]
    fn descriptors_come_with_the_message_that_they_were_attached_to() {
        let (ours, theirs) = pair();
        let pipes: Vec<_> = (0..4_u8).map(|index| (index, std::io::pipe().unwrap())).collect();
        for (index, (_, writer)) in &pipes {
            let bytes = vec![*index; if index % 2 == 0 { 3 } else { 9000 }];
            ours.send(&[&bytes], &[writer.as_fd(), ours.as_fd()]).unwrap();
            ours.send(&[b"none"], &[]).unwrap();
        }
        for (index, (mut reader, writer)) in pipes {
            drop(writer);
            let message = self::message(theirs.receive().unwrap());
            assert_eq!((message.bytes[0], message.objects.len()), (index, 2));
            std::fs::File::from(message.objects.into_iter().next().unwrap()).write_all(&[index]).unwrap();
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            assert_eq!(all, [index]);
            assert!(self::message(theirs.receive().unwrap()).objects.is_empty());
        }
    }

    #[test]
    fn as_many_objects_as_it_says_go_along_with_a_long_message() {
        let (ours, theirs) = pair();
        let objects = vec![ours.as_fd(); MAX_OBJECTS];
        ours.send(&[&vec![1; MAX_MESSAGE]], &objects).unwrap();
        let message = message(theirs.receive().unwrap());
        assert_eq!((message.bytes.len(), message.objects.len()), (MAX_MESSAGE, MAX_OBJECTS));
    }

    #[test]
    fn several_senders_and_receivers_get_in_nobodys_way() {
        const EACH: u32 = 500;
        let (ours, theirs) = pair();
        let sum = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for sender in 0..4_u32 {
                let ours = &ours;
                scope.spawn(move || {
                    for number in 0..EACH {
                        let word = (sender * EACH + number).to_ne_bytes();
                        let long = vec![word; if number % 50 == 0 { 1000 } else { 5 }];
                        ours.send(&[long.as_flattened()], &[]).unwrap();
                    }
                });
            }
            for _ in 0..2 {
                let (theirs, sum) = (&theirs, &sum);
                scope.spawn(move || {
                    for _ in 0..2 * EACH {
                        let bytes = message(theirs.receive().unwrap()).bytes;
                        let words: Vec<&[u8]> = bytes.chunks(4).collect();
                        assert!(words.iter().all(|word| *word == words[0]));
                        let word = u32::from_ne_bytes(words[0].try_into().unwrap());
                        sum.fetch_add(word.into(), std::sync::atomic::Ordering::Relaxed);
                    }
                });
            }
        });
        let all = u64::from(4 * EACH);
        assert_eq!(sum.into_inner(), all * (all - 1) / 2);
    }

    #[test]
    fn a_full_channel_refuses_and_says_when_there_is_room() {
        let (ours, theirs) = pair();
        let mut sent = 0_u64;
        while ours.try_send(&[&sent.to_ne_bytes()], &[]).unwrap() {
            sent += 1;
        }
        assert!(!ours.wait_for_room(Some(Instant::now())).unwrap());
        for number in 0..sent {
            assert_eq!(message(theirs.receive().unwrap()).bytes, number.to_ne_bytes());
        }
        assert!(ours.wait_for_room(None).unwrap());
        drop(theirs);
        assert!(ours.wait_for_room(None).unwrap());
        assert!(ours.try_send(&[b"x"], &[]).is_err());
    }

    #[test]
    fn a_sender_that_is_killed_while_it_sends_leaves_whole_messages() {
        let (ours, theirs) = pair();
        let bytes = vec![7; 3000];
        // SAFETY: the copy only makes system calls and allocates, and nobody else in it holds the allocator for long enough to matter
        // here: glibc takes its lock over a fork.
        match unsafe { crate::fork() }.unwrap() {
            crate::Fork::Child => loop {
                drop(ours.send(&[&bytes], &[theirs.as_fd()]));
            },
            crate::Fork::Parent(child) => {
                for _ in 0..20 {
                    assert_eq!(message(theirs.receive().unwrap()).bytes, bytes);
                }
                nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(child as i32),
                    nix::sys::signal::Signal::SIGKILL,
                )
                .unwrap();
                crate::waitpid(child, true).unwrap();
            }
        }
        drop(ours);
        // What lies there holds ends of the channel itself: it is not closed before they are.
        while let Received::Message(message) = theirs.try_receive().unwrap() {
            assert_eq!((message.bytes.as_slice(), message.objects.len()), (&*bytes, 1));
        }
    }

    #[test]
    fn what_was_sent_before_the_end_is_received() {
        let (ours, theirs) = pair();
        theirs.send(&[b"kept"], &[]).unwrap();
        ours.shut_down().unwrap();
        assert_eq!(message(ours.receive().unwrap()).bytes, b"kept");
        assert!(ours.send(&[b"more"], &[]).is_err());
        assert!(matches!(theirs.receive().unwrap(), Received::Closed));
    }

    #[test]
    fn last_words_of_any_length_are_a_message_like_others() {
        let (ours, theirs) = pair();
        for length in [10, 10_000] {
            let words = LastWords::new(&ours, vec![3; length]);
            words.say();
            assert_eq!(message(theirs.receive().unwrap()).bytes, vec![3; length]);
        }
    }
}
