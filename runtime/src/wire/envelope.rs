//! One message: a header, a payload, and descriptors; out of line when it is too large for the channel.
//!
//! The first byte says where the rest is: in this message, or in the blob that is its last object.

use std::io;
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{Codec, Wire};
use crate::sys::channel::{Channel, MAX_MESSAGE, Message};
use crate::sys::{Borrowed, Object, blob, borrow};

const INLINE: u8 = 0;
const OUT_OF_LINE: u8 = 1;

/// An opened message.
#[derive(Debug)]
pub(crate) struct Opened<H> {
    pub(crate) header: H,
    pub(crate) payload: Payload,
    pub(crate) objects: Vec<Object>,
}

/// The payload of a message: the end of the bytes that it arrived in, which are not copied again.
#[derive(Debug)]
pub(crate) struct Payload {
    bytes: Vec<u8>,
    start: usize,
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// Sends a header and a payload of any size, with objects attached. Never waits for a reader.
pub(crate) fn send<H: Serialize>(
    channel: &Channel,
    header: &H,
    payload: &[u8],
    objects: &[Borrowed<'_>],
) -> io::Result<()> {
    let header = Wire::encode(header).map_err(io::Error::other)?;
    if 1 + header.len() + payload.len() <= MAX_MESSAGE {
        return channel.send(&[&[INLINE], &header, payload], objects);
    }
    let blob = blob::write(&[&header, payload])?;
    let mut objects = objects.to_vec();
    objects.push(borrow(&blob));
    channel.send(&[&[OUT_OF_LINE]], &objects)
}

/// Whether an error of a channel says that the peer is gone.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// The bytes of a message without payload that is sent later by other means than [`send`].
pub(crate) fn inline<H: Serialize>(header: &H) -> io::Result<Vec<u8>> {
    let mut bytes = vec![INLINE];
    bytes.extend(Wire::encode(header).map_err(io::Error::other)?);
    Ok(bytes)
}

/// Reads the header of a message that is not out of line, and leaves the message whole.
pub(crate) fn peek<H: DeserializeOwned>(message: &Message) -> Option<H> {
    match message.bytes.split_first()? {
        (&INLINE, rest) => Wire::decode_front(rest).ok().map(|(header, _)| header),
        _ => None,
    }
}

/// Opens a message that [`send`] made.
pub(crate) fn open<H: DeserializeOwned>(message: Message) -> io::Result<Opened<H>> {
    let Message { mut bytes, mut objects } = message;
    let start = match bytes.first() {
        Some(&INLINE) => 1,
        Some(&OUT_OF_LINE) => {
            let blob = objects.pop().ok_or_else(|| malformed("no blob came along"))?;
            bytes = blob::read(blob)?;
            0
        }
        _ => return Err(malformed("unknown kind")),
    };
    let (header, payload) =
        Wire::decode_front(&bytes[start..]).map_err(|error| malformed(&error.to_string()))?;
    let start = bytes.len() - payload.len();
    Ok(Opened { header, payload: Payload { bytes, start }, objects })
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed message: {why}"))
}
