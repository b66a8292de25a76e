//! What all contestants have in common: two ends, the messages that go between them, and what the peer does with them.

use anyhow::{Result, bail, ensure};

use crate::forked::Forked;

/// How large the answer to [`ACKNOWLEDGE`] is.
pub(crate) const SHORT: usize = 8;

/// The first eight bytes of a message say what the receiver does. One that sends it back,
pub(crate) const ECHO: u64 = 0;
/// one that does nothing,
pub(crate) const SWALLOW: u64 = 1;
/// one that answers by a short message,
pub(crate) const ACKNOWLEDGE: u64 = 2;
/// and one that ends.
pub(crate) const STOP: u64 = 3;

/// One end of a duplex link. Messages have the size that the link was made for, but for short answers.
pub(crate) trait End {
    /// Sends a message of this length that begins with this signal.
    fn send(&mut self, signal: u64, length: usize) -> Result<()>;

    /// Receives a message of this length, looks at it, and returns the signal that it begins with.
    fn receive(&mut self, length: usize) -> Result<u64>;
}

/// What is at the other end.
pub(crate) trait Peer {
    /// The process that it lives in.
    fn pid(&self) -> u32;

    /// Waits for its end.
    fn join(self) -> Result<()>;
}

impl Peer for Forked {
    fn pid(&self) -> u32 {
        Forked::pid(self)
    }

    fn join(self) -> Result<()> {
        Forked::join(self)
    }
}

/// The life of a peer.
pub(crate) fn attend(mut end: impl End, size: usize) -> Result<()> {
    loop {
        match end.receive(size)? {
            ECHO => end.send(ECHO, size)?,
            SWALLOW => {}
            ACKNOWLEDGE => end.send(ACKNOWLEDGE, SHORT)?,
            STOP => return Ok(()),
            signal => bail!("a message began with {signal}"),
        }
    }
}

/// What a receiver does with every message: it reads a byte of each page, so that all of it must be there.
pub(crate) fn look(message: &[u8]) -> Result<u64> {
    for page in message.chunks(4096) {
        std::hint::black_box(page[page.len() - 1]);
    }
    let (signal, rest) = message.split_first_chunk().unwrap_or((&[0xFF; 8], &[]));
    ensure!(rest.last().is_none_or(|byte| *byte == FILL), "a message is not whole");
    Ok(u64::from_le_bytes(*signal))
}

/// What the bytes of messages are behind the signal.
const FILL: u8 = 0x5A;

/// A message of this length that begins with this signal.
pub(crate) fn message(signal: u64, length: usize) -> Vec<u8> {
    let mut message = vec![FILL; length];
    message[..8].copy_from_slice(&signal.to_le_bytes());
    message
}

/// The same in a buffer that is used again.
pub(crate) fn begin(message: &mut [u8], signal: u64) {
    message[..8].copy_from_slice(&signal.to_le_bytes());
}

/// What a typed channel is a channel of.
pub(crate) trait Item: Sized {
    /// One of this length that begins with this signal.
    fn new(signal: u64, length: usize) -> Self;

    /// The same to give away.
    fn again(&self) -> Self;

    /// Looks at it.
    fn look(&self) -> Result<u64>;
}

/// The message of 8 bytes.
impl Item for u64 {
    fn new(signal: u64, _length: usize) -> Self {
        signal
    }

    fn again(&self) -> Self {
        *self
    }

    fn look(&self) -> Result<u64> {
        Ok(*self)
    }
}

macro_rules! buffers {
    ($($buffer:ty)*) => {$(
        impl Item for $buffer {
            fn new(signal: u64, length: usize) -> Self {
                message(signal, length).into()
            }

            fn again(&self) -> Self {
                self.clone()
            }

            fn look(&self) -> Result<u64> {
                look(self)
            }
        }
    )*};
}

buffers! { Vec<u8> std::sync::Arc<[u8]> offspring::Bytes }

/// The items that an end sends, made once each.
#[derive(Debug)]
pub(crate) struct Store<I> {
    items: Vec<(u64, usize, I)>,
}

impl<I: Item> Store<I> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { items: Vec::new() }
    }

    /// One to give away.
    pub(crate) fn get(&mut self, signal: u64, length: usize) -> I {
        let known = self.items.iter().position(|item| (item.0, item.1) == (signal, length));
        let place = known.unwrap_or_else(|| {
            self.items.push((signal, length, I::new(signal, length)));
            self.items.len() - 1
        });
        self.items[place].2.again()
    }
}

/// The end of a contestant that has channels of several types.
#[derive(Debug)]
pub(crate) enum BySize<W, B> {
    /// For 8 bytes.
    Word(W),
    /// For more.
    Buffer(B),
}

impl<W: End, B: End> End for BySize<W, B> {
    fn send(&mut self, signal: u64, length: usize) -> Result<()> {
        match self {
            Self::Word(end) => end.send(signal, length),
            Self::Buffer(end) => end.send(signal, length),
        }
    }

    fn receive(&mut self, length: usize) -> Result<u64> {
        match self {
            Self::Word(end) => end.receive(length),
            Self::Buffer(end) => end.receive(length),
        }
    }
}
