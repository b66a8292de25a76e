//! Values of every shape, and what a peer may send in place of them: for tests and fuzzers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::attachment::Attachment;
use super::bytes::Bytes;
use super::envelope::{self, Opened};
use super::parcel::{self, Beside, Parcel};
use crate::launch::order::{Order, Report};
use crate::sys::channel::{Channel, Message};
use crate::sys::{Object, blob, borrow};

/// A value of any shape.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Specimen {
    Nothing,
    Flag(bool),
    Number(i64),
    Large(u128),
    Letter(char),
    Text(String),
    Buffer(Bytes),
    Vector(#[serde(with = "super::bytes")] Vec<u8>),
    Handle(Attachment<Object>),
    List(Vec<Specimen>),
    Map(BTreeMap<String, Specimen>),
    Maybe(Option<Box<Specimen>>),
    Pair(Box<(Specimen, Specimen)>),
    Fields { one: Box<Specimen>, other: Vec<Option<Specimen>> },
    Small(u8, i8, u16, i16, u32, i32),
    Wide { number: u64, signed: i128 },
    Real(f32, f64),
    Empty(Vec<()>, Hollow, Name),
}

/// Without bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hollow;

/// A struct as large as what is in it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Name(#[serde(with = "letters")] String);

/// A text as something that can be displayed.
mod letters {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        String::deserialize(deserializer)
    }
}

/// An object that can travel.
pub(crate) fn object() -> Object {
    Channel::pair().expect("there are descriptors").1
}

/// Packs a value, and checks that what is unpacked of it packs to the same.
pub(crate) fn check_round_trip(value: &Specimen) {
    let Parcel { bytes, mut beside } = parcel::pack(value).expect("a value can be packed");
    let (buffers, objects) = (beside.buffers.clone(), beside.objects.len());
    let back: Specimen = parcel::unpack(&bytes, &mut beside).expect("what was packed can be unpacked");
    let again = parcel::pack(&back).expect("it can be packed again");
    assert_eq!((&again.bytes, again.beside.objects.len()), (&bytes, objects));
    assert!(again.beside.buffers == buffers, "buffers come back as they were");
}

/// Unpacks bytes that anybody may have made, with as many objects and buffers beside them. What can be read is a value.
pub(crate) fn unpack_anything(bytes: &[u8], objects: usize, buffers: Vec<bytes::Bytes>) {
    let mut beside = Beside { objects: (0..objects).map(|_| object()).collect(), buffers };
    if let Ok(value) = parcel::unpack::<Specimen>(bytes, &mut beside) {
        check_round_trip(&value);
    }
}

/// Opens a message that anybody may have made. `objects` says which come along, by their numbers.
pub(crate) fn open_anything(bytes: &[u8], objects: &[u8], within: &[u8]) {
    let message = || Message {
        bytes: bytes.to_vec(),
        objects: objects.iter().map(|kind| doubtful(*kind, within)).collect(),
    };
    let _header = envelope::peek::<Report>(&message());
    let _opened = envelope::open::<Order>(message()).map(Opened::into_parcel);
    if let Ok(opened) = envelope::open::<Report>(message()) {
        let (_, payload, mut beside) = opened.into_parcel();
        let _value = parcel::unpack::<Specimen>(&payload, &mut beside);
    }
}

/// An object that may be what a message says it is, or not.
fn doubtful(kind: u8, within: &[u8]) -> Object {
    let pair = || Channel::pair().expect("there are descriptors");
    match kind % 4 {
        0 => blob::write(&[within]).expect("there is memory"),
        // A bag that is empty, of one whose other end is gone.
        1 => pair().1,
        2 => {
            let (filler, bag) = pair();
            let contents: Vec<Object> = within.iter().take(5).map(|_| object()).collect();
            let contents: Vec<_> = contents.iter().map(borrow).collect();
            let said = within.get(..1).unwrap_or(&[0]);
            filler.send(&[said], &contents).expect("a channel has room");
            bag
        }
        _ => crate::sys::memory::create(within.len() as u64).expect("there is memory"), // not sealed
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::super::bytes::OUT_OF_LINE;
    use super::super::codec::{Codec, Wire};
    use super::*;

    fn buffers() -> impl Strategy<Value = Vec<u8>> {
        let length = prop_oneof![0..20_usize, OUT_OF_LINE - 2..OUT_OF_LINE + 2, Just(100_000)];
        (any::<u8>(), length).prop_map(|(byte, length)| vec![byte; length])
    }

    fn specimens() -> impl Strategy<Value = Specimen> {
        let handle = Just(()).prop_map(|()| Specimen::Handle(object().into()));
        trees(prop_oneof![8 => leaves(), 1 => handle])
    }

    fn leaves() -> impl Strategy<Value = Specimen> {
        let small = any::<(u8, i8, u16, i16, u32, i32)>();
        let wide = (any::<(u64, i128)>(), 0..128_u32, 0..64_u32);
        prop_oneof![
            Just(()).prop_map(|()| Specimen::Nothing),
            any::<bool>().prop_map(Specimen::Flag),
            any::<i64>().prop_map(Specimen::Number),
            any::<u128>().prop_map(Specimen::Large),
            any::<char>().prop_map(Specimen::Letter),
            ".{0,20}".prop_map(Specimen::Text),
            buffers().prop_map(|bytes| Specimen::Buffer(bytes.into())),
            buffers().prop_map(Specimen::Vector),
            small.prop_map(|(a, b, c, d, e, f)| Specimen::Small(a, b, c, d, e, f)),
            wide.prop_map(|((number, signed), more, less)| Specimen::Wide {
                number: number >> less,
                signed: signed >> more
            }),
            any::<(u32, u64)>().prop_map(|(a, b)| Specimen::Real(f32::from_bits(a), f64::from_bits(b))),
            (0..300_usize, ".{0,300}").prop_map(|(a, b)| Specimen::Empty(vec![(); a], Hollow, Name(b))),
        ]
    }

    fn trees(leaves: impl Strategy<Value = Specimen> + 'static) -> impl Strategy<Value = Specimen> {
        leaves.prop_recursive(6, 40, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Specimen::List),
                btree_map(".{0,5}", inner.clone(), 0..6).prop_map(Specimen::Map),
                proptest::option::of(inner.clone().prop_map(Box::new)).prop_map(Specimen::Maybe),
                (inner.clone(), inner.clone()).prop_map(|pair| Specimen::Pair(Box::new(pair))),
                (inner.clone(), vec(proptest::option::of(inner), 0..4))
                    .prop_map(|(one, other)| Specimen::Fields { one: Box::new(one), other }),
            ]
        })
    }

    /// A byte that is something in many places: a small length, a number, the beginning of a long one.
    fn likely() -> impl Strategy<Value = u8> {
        prop_oneof![3 => 0..16_u8, 1 => Just(0x80_u8), 1 => Just(0xFF), 1 => any::<u8>()]
    }

    proptest! {
        #[test]
        fn values_of_any_shape_come_back(value in specimens()) {
            check_round_trip(&value);
        }

        #[test]
        fn values_of_any_shape_are_written_as_postcard_writes_them(value in trees(leaves())) {
            prop_assert_eq!(Wire::encode(&value).unwrap(), postcard::to_stdvec(&value).unwrap());
        }

        #[test]
        fn bytes_of_anybody_are_read_as_postcard_reads_them(
            value in trees(leaves()), place: prop::sample::Index, bytes in vec(likely(), 0..20),
        ) {
            let mut flawed = Wire::encode(&value).unwrap();
            let place = place.index(flawed.len());
            flawed.splice(place..flawed.len().min(place + bytes.len()), bytes);
            let write = |value| Wire::encode::<Specimen>(&value).unwrap();
            let ours = Wire::decode_front(&flawed).map(|(value, rest)| (write(value), rest));
            // Here we are stricter: there are no counts without end, and of a character there is one.
            let strict = |error: &String| ["elements", "character"].iter().any(|word| error.contains(word));
            let ours = ours.map_err(|error| error.to_string());
            if !ours.as_ref().is_err_and(strict) {
                let theirs = postcard::take_from_bytes(&flawed).map(|(value, rest)| (write(value), rest));
                prop_assert_eq!(ours.ok(), theirs.ok());
            }
        }

        #[test]
        fn values_of_any_shape_pass_through_a_message(value in specimens()) {
            let packed = parcel::pack(&value).unwrap();
            let (ours, theirs) = Channel::pair().unwrap();
            envelope::send(&ours, &Report::Done, &packed, &[]).unwrap();
            let theirs = Channel::from_object(theirs).unwrap();
            let crate::sys::channel::Received::Message(message) = theirs.receive().unwrap() else {
                panic!("it was sent")
            };
            let (header, payload, mut beside) = envelope::open::<Report>(message).unwrap().into_parcel();
            prop_assert!(matches!(header, Report::Done));
            prop_assert_eq!(&*payload, &packed.bytes[..]);
            prop_assert!(beside.buffers == packed.beside.buffers);
            check_round_trip(&parcel::unpack(&payload, &mut beside).unwrap());
        }

        #[test]
        fn bytes_of_anybody_are_a_value_or_an_error(
            bytes in vec(likely(), 0..200),
            objects in 0..4_usize,
            lengths in vec(0..40_000_usize, 0..4),
        ) {
            let buffers = lengths.into_iter().map(|length| vec![1; length].into()).collect();
            unpack_anything(&bytes, objects, buffers);
        }

        #[test]
        fn a_value_with_a_flaw_is_a_value_or_an_error(
            value in specimens(), place: prop::sample::Index, byte in likely(), keep: prop::sample::Index,
        ) {
            let Parcel { mut bytes, beside } = parcel::pack(&value).unwrap();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            bytes.truncate(keep.index(bytes.len()) + 1);
            unpack_anything(&bytes, beside.objects.len(), beside.buffers);
        }

        #[test]
        fn messages_of_anybody_are_opened_or_refused(
            kind in 0..10_u8, bytes in vec(likely(), 0..100), objects in vec(any::<u8>(), 0..4),
            within in vec(likely(), 0..100),
        ) {
            open_anything(&[&[kind], &bytes[..]].concat(), &objects, &within);
        }
    }
}
