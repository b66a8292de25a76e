//! A Unix socket. Both ends know the size of the messages, so a stream needs no lengths between them.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use anyhow::{Result, ensure};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};

use super::Contender;
use super::crowd::{self, Tally};
use super::end::{self, End, attend};
use crate::forked::Forked;
use crate::summary::Rate;

/// Packets of a socket's standard buffer have at most this size: longer messages go as several.
const PACKET: usize = 64 << 10;

/// `SOCK_STREAM`.
#[derive(Debug)]
pub(crate) struct Stream;

/// `SOCK_SEQPACKET`.
#[derive(Debug)]
pub(crate) struct Packets;

/// A socket and the messages that go through it.
#[derive(Debug)]
pub(crate) struct Socket<S> {
    through: S,
    outbox: Vec<u8>,
    inbox: Vec<u8>,
}

impl<S> Socket<S> {
    fn new(socket: S, size: usize) -> Self {
        Self { through: socket, outbox: end::message(0, size), inbox: vec![0; size] }
    }
}

impl End for Socket<UnixStream> {
    fn send(&mut self, signal: u64, length: usize) -> Result<()> {
        end::begin(&mut self.outbox, signal);
        Ok(self.through.write_all(&self.outbox[..length])?)
    }

    fn receive(&mut self, length: usize) -> Result<u64> {
        self.through.read_exact(&mut self.inbox[..length])?;
        end::look(&self.inbox[..length])
    }
}

impl End for Socket<OwnedFd> {
    fn send(&mut self, signal: u64, length: usize) -> Result<()> {
        end::begin(&mut self.outbox, signal);
        self.outbox[..length].chunks(PACKET).try_for_each(|packet| send_packet(&self.through, packet))
    }

    fn receive(&mut self, length: usize) -> Result<u64> {
        let mut packets = self.inbox[..length].chunks_mut(PACKET);
        packets.try_for_each(|packet| receive_packet(&self.through, packet))?;
        end::look(&self.inbox[..length])
    }
}

fn send_packet(socket: &OwnedFd, packet: &[u8]) -> Result<()> {
    let sent = send(socket.as_raw_fd(), packet, MsgFlags::MSG_NOSIGNAL)?;
    ensure!(sent == packet.len(), "only {sent} bytes of a packet were sent");
    Ok(())
}

fn receive_packet(socket: &OwnedFd, packet: &mut [u8]) -> Result<()> {
    let received = recv(socket.as_raw_fd(), packet, MsgFlags::empty())?;
    ensure!(received == packet.len(), "a packet had {received} bytes");
    Ok(())
}

fn packet_pair() -> Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

impl Contender for Stream {
    type End = Socket<UnixStream>;
    type Peer = Forked;

    fn open(&self, size: usize) -> Result<(Self::End, Forked)> {
        let (mine, theirs) = UnixStream::pair()?;
        let theirs = Socket::new(theirs, size);
        Ok((Socket::new(mine, size), Forked::start(|| attend(theirs, size))?))
    }
}

impl Contender for Packets {
    type End = Socket<OwnedFd>;
    type Peer = Forked;

    fn open(&self, size: usize) -> Result<(Self::End, Forked)> {
        let (mine, theirs) = packet_pair()?;
        let theirs = Socket::new(theirs, size);
        Ok((Socket::new(mine, size), Forked::start(|| attend(theirs, size))?))
    }

    /// Several can use each end of one socket: a packet goes to one of them.
    fn crowd(&self, millis: u64) -> Result<Rate> {
        let (sender, receiver) = packet_pair()?;
        let send = |item: crowd::Item| send_packet(&sender, &item.map(u64::to_le_bytes).concat());
        let receive = || {
            let mut item = [0; 16];
            receive_packet(&receiver, &mut item)?;
            let word = |at: usize| item[at..at + 8].try_into().map(u64::from_le_bytes);
            Ok([word(0)?, word(8)?])
        };
        let mut consumers = Vec::new();
        let mut producers = Vec::new();
        for _ in 0..2 {
            consumers.push(Forked::start(|| crowd::consume(receive))?);
            producers.push(Forked::start(|| crowd::produce(millis, send))?);
        }
        let produced = producers.into_iter().map(Forked::join).collect::<Result<Vec<Tally>>>()?;
        for _ in &consumers {
            send(crowd::END)?;
        }
        let consumed = consumers.into_iter().map(Forked::join).collect::<Result<Vec<Tally>>>()?;
        crowd::settle(&produced, &consumed)
    }
}
