//! One message: a header, a parcel, and objects of the sender's own; out of line when it is too large for the channel.
//!
//! The first byte says what else there is. A message that is [`OUT_OF_LINE`] has all its bytes in the blob that is its last object. One
//! with [`BUFFERS`] has the parcel's buffers after the parcel's bytes, and says the lengths of all of them before the
//! header. One with a [`BAG`] has more objects than a message takes: those that do not fit wait in a channel of their own, whose far end
//! is the last object but the blob. So a message of any size is sent by one call, and is there whole or not at all.

use std::io;
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{Codec, Wire};
use super::parcel::{Beside, Parcel};
use crate::sys::channel::{Channel, MAX_MESSAGE, MAX_OBJECTS, Message, Received};
use crate::sys::{Borrowed, Object, blob, borrow};

const OUT_OF_LINE: u8 = 1;
const BUFFERS: u8 = 2;
const BAG: u8 = 4;

/// How many objects one message can bring: as many as surely fit the buffer of the bag.
const MAX_BAGGED: usize = 16 * 1024;

/// An opened message.
#[derive(Debug)]
pub(crate) struct Opened<H> {
    pub(crate) header: H,
    /// The bytes of the parcel.
    pub(crate) payload: Payload,
    pub(crate) buffers: Vec<bytes::Bytes>,
    pub(crate) objects: Vec<Object>,
}

impl<H> Opened<H> {
    /// The header, and the parcel that came with it.
    pub(crate) fn into_parcel(self) -> (H, Payload, Beside) {
        (self.header, self.payload, Beside { objects: self.objects, buffers: self.buffers })
    }
}

/// Bytes that are part of what a message arrived in, and not copied again.
#[derive(Debug)]
pub(crate) struct Payload(bytes::Bytes);

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Sends a header and a parcel of any size, after objects of the sender's own. Never waits for a reader.
pub(crate) fn send<H: Serialize>(
    channel: &Channel,
    header: &H,
    parcel: &Parcel,
    objects: &[Borrowed<'_>],
) -> io::Result<()> {
    let mut kind = 0;
    let mut head = Vec::new();
    let Beside { objects: attached, buffers } = &parcel.beside;
    if !buffers.is_empty() {
        kind |= BUFFERS;
        let lengths: Vec<usize> =
            std::iter::once(parcel.bytes.len()).chain(buffers.iter().map(bytes::Bytes::len)).collect();
        head = Wire::encode(&lengths).map_err(io::Error::other)?;
    }
    let header = Wire::encode(header).map_err(io::Error::other)?;
    let mut parts: Vec<&[u8]> = vec![&head, &header, &parcel.bytes];
    parts.extend(buffers.iter().map(|buffer| &buffer[..]));

    let mut objects: Vec<Borrowed<'_>> = objects.iter().copied().chain(attached.iter().map(borrow)).collect();
    let blob;
    let out_of_line = 1 + parts.iter().map(|part| part.len()).sum::<usize>() > MAX_MESSAGE;
    let bag;
    if objects.len() + usize::from(out_of_line) > MAX_OBJECTS {
        kind |= BAG;
        bag = fill_bag(&objects.split_off(MAX_OBJECTS - 2))?;
        objects.push(borrow(&bag));
    }
    if out_of_line {
        kind |= OUT_OF_LINE;
        blob = blob::write(&parts)?;
        objects.push(borrow(&blob));
        return channel.send(&[&[kind]], &objects);
    }
    let kind = [kind];
    parts.insert(0, &kind);
    channel.send(&parts, &objects)
}

/// Puts objects where they wait for who has the far end.
fn fill_bag(objects: &[Borrowed<'_>]) -> io::Result<Object> {
    if objects.len() > MAX_BAGGED {
        let why = format!("{} handles in one message: at most {MAX_BAGGED} travel together", objects.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let (ours, theirs) = Channel::pair()?;
    objects.chunks(MAX_OBJECTS).try_for_each(|chunk| ours.send(&[&[BAG]], chunk))?;
    Ok(theirs)
}

fn empty_bag(bag: Object, objects: &mut Vec<Object>) -> io::Result<()> {
    let bag = Channel::from_object(bag)?;
    let mut room = MAX_BAGGED;
    // Whoever still holds the other end could fill it as fast as it is emptied here.
    while let Received::Message(message) = bag.try_receive()? {
        let count = message.objects.len();
        if count == 0 || count > room {
            return Err(malformed("its bag holds more than one can"));
        }
        room -= count;
        objects.extend(message.objects);
    }
    Ok(())
}

/// Whether an error of a channel says that the peer is gone.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// The bytes of a message without parcel that is sent later by other means than [`send`].
pub(crate) fn inline<H: Serialize>(header: &H) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0];
    bytes.extend(Wire::encode(header).map_err(io::Error::other)?);
    Ok(bytes)
}

/// Reads the header of a message that has it at the front, and leaves the message whole.
pub(crate) fn peek<H: DeserializeOwned>(message: &Message) -> Option<H> {
    match message.bytes.split_first()? {
        (kind, rest) if kind & (OUT_OF_LINE | BUFFERS) == 0 => {
            Wire::decode_front(rest).ok().map(|(header, _)| header)
        }
        _ => None,
    }
}

/// Opens a message that [`send`] made.
pub(crate) fn open<H: DeserializeOwned>(message: Message) -> io::Result<Opened<H>> {
    let Message { bytes, mut objects } = message;
    let kind = *bytes.first().ok_or_else(|| malformed("it is empty"))?;
    if kind & !(OUT_OF_LINE | BUFFERS | BAG) != 0 {
        return Err(malformed("unknown kind"));
    }
    let bytes = if kind & OUT_OF_LINE == 0 {
        bytes::Bytes::from(bytes).slice(1..)
    } else {
        blob::read(&objects.pop().ok_or_else(|| malformed("no blob came along"))?)?
    };
    if kind & BAG != 0 {
        let bag = objects.pop().ok_or_else(|| malformed("no bag came along"))?;
        empty_bag(bag, &mut objects)?;
    }
    let unreadable = |error: &dyn std::fmt::Display| malformed(&error.to_string());
    let mut rest = &bytes[..];
    let mut lengths: Vec<usize> = Vec::new();
    if kind & BUFFERS != 0 {
        (lengths, rest) = Wire::decode_front(rest).map_err(|error| unreadable(&error))?;
    }
    let (header, rest) = Wire::decode_front(rest).map_err(|error| unreadable(&error))?;
    let mut rest = bytes.slice_ref(rest);
    if lengths.is_empty() {
        return Ok(Opened { header, payload: Payload(rest), buffers: Vec::new(), objects });
    }
    let mut pieces = Vec::with_capacity(lengths.len());
    for length in lengths {
        if length > rest.len() {
            return Err(malformed("a buffer is cut short"));
        }
        pieces.push(rest.split_to(length));
    }
    let payload = Payload(pieces.remove(0));
    Ok(Opened { header, payload, buffers: pieces, objects })
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed message: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(parcel: &Parcel) -> Opened<String> {
        let (ours, theirs) = Channel::pair().unwrap();
        send(&ours, &"header".to_owned(), parcel, &[borrow(&theirs)]).unwrap();
        let Received::Message(message) = Channel::from_object(theirs).unwrap().receive().unwrap() else {
            panic!("it was sent")
        };
        open(message).unwrap()
    }

    #[test]
    fn buffers_come_apart_again_in_line_and_out_of_line() {
        for length in [0, 10, 100_000] {
            let buffers = vec![bytes::Bytes::from(vec![1; length]), bytes::Bytes::from(vec![2; 3])];
            let opened =
                through(&Parcel { bytes: b"bytes".into(), beside: Beside { objects: vec![], buffers } });
            assert_eq!((&opened.header[..], &*opened.payload), ("header", &b"bytes"[..]));
            assert_eq!(opened.buffers, [vec![1; length], vec![2; 3]]);
            assert_eq!(opened.objects.len(), 1);
        }
    }

    #[test]
    fn more_objects_than_a_message_takes_arrive_in_order() {
        use std::io::Write;
        for (count, length) in [(252, 1), (252, 100_000), (253, 1), (254, 100_000), (600, 1)] {
            let objects = (0..count).map(|number: u32| {
                let (reader, writer) = std::io::pipe().unwrap();
                (&writer).write_all(&number.to_le_bytes()).unwrap();
                reader.into()
            });
            let beside = Beside { objects: objects.collect(), buffers: vec![] };
            let opened = through(&Parcel { bytes: vec![0; length], beside });
            assert_eq!(opened.objects.len(), 1 + count as usize);
            for (number, object) in (0..).zip(opened.objects.into_iter().skip(1)) {
                let mut bytes = [0; 4];
                std::io::Read::read_exact(&mut std::io::PipeReader::from(object), &mut bytes).unwrap();
                assert_eq!(u32::from_le_bytes(bytes), number);
            }
        }
    }

    #[test]
    fn a_bag_that_is_filled_without_end_is_refused() {
        let (filler, bag) = Channel::pair().unwrap();
        filler.send(&[&[BAG]], &[]).unwrap();
        let header = Wire::encode("header").unwrap();
        let message = Message { bytes: [&[BAG], &header[..]].concat(), objects: vec![bag] };
        let error = open::<String>(message).unwrap_err();
        assert!(error.to_string().contains("its bag holds more than one can"), "{error}");
    }
}
