//! ipc-channel: channels of values, which it encodes, and channels of bytes.

use anyhow::Result;
use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender, IpcReceiver, IpcSender};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Contender;
use super::end::{self, BySize, End, Item, Store, attend};
use crate::forked::Forked;

/// `ipc::channel`, of `u64` for 8 bytes and `Vec<u8>` for more.
#[derive(Debug)]
pub(crate) struct Typed;

/// `ipc::bytes_channel`.
#[derive(Debug)]
pub(crate) struct Bytes;

/// A channel for each direction.
#[derive(Debug)]
pub(crate) struct Channels<I> {
    to: IpcSender<I>,
    from: IpcReceiver<I>,
    store: Store<I>,
}

impl<I: Item + Serialize + DeserializeOwned> End for Channels<I> {
    fn send(&mut self, signal: u64, length: usize) -> Result<()> {
        Ok(self.to.send(self.store.get(signal, length))?)
    }

    fn receive(&mut self, _length: usize) -> Result<u64> {
        self.from.recv()?.look()
    }
}

fn open<I: Item + Serialize + DeserializeOwned>(size: usize) -> Result<(Channels<I>, Forked)> {
    let ((to, there), (back, from)) = (ipc::channel()?, ipc::channel()?);
    let theirs = Channels { to: back, from: there, store: Store::<I>::new() };
    Ok((Channels { to, from, store: Store::new() }, Forked::start(|| attend(theirs, size))?))
}

impl Contender for Typed {
    type End = BySize<Channels<u64>, Channels<Vec<u8>>>;
    type Peer = Forked;

    fn open(&self, size: usize) -> Result<(Self::End, Forked)> {
        Ok(if size == 8 {
            let (end, peer) = open(size)?;
            (BySize::Word(end), peer)
        } else {
            let (end, peer) = open(size)?;
            (BySize::Buffer(end), peer)
        })
    }
}

/// A channel of bytes for each direction.
#[derive(Debug)]
pub(crate) struct ByteChannels {
    to: IpcBytesSender,
    from: IpcBytesReceiver,
    outbox: Vec<u8>,
}

impl End for ByteChannels {
    fn send(&mut self, signal: u64, length: usize) -> Result<()> {
        end::begin(&mut self.outbox, signal);
        Ok(self.to.send(&self.outbox[..length])?)
    }

    fn receive(&mut self, _length: usize) -> Result<u64> {
        end::look(&self.from.recv()?)
    }
}

impl Contender for Bytes {
    type End = ByteChannels;
    type Peer = Forked;

    fn open(&self, size: usize) -> Result<(ByteChannels, Forked)> {
        let ((to, there), (back, from)) = (ipc::bytes_channel()?, ipc::bytes_channel()?);
        let outbox = || end::message(0, size);
        let theirs = ByteChannels { to: back, from: there, outbox: outbox() };
        Ok((ByteChannels { to, from, outbox: outbox() }, Forked::start(|| attend(theirs, size))?))
    }
}
