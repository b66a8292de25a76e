//! Values as bytes. One format stands behind a trait, so that another can take its place.
//!
//! The format is [postcard](https://postcard.jamesmunns.com/wire-format.html): compact, documented, without code execution. It is written and
//! read here, not by the crate of that name, whose errors drop the text that a `Serialize` or `Deserialize` gave them.

mod reader;
mod writer;

use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde::{Serialize, de, ser};

use self::reader::Reader;
use self::writer::Writer;

/// A value could not be written or read: why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CodecError(Box<Box<str>>); // a thin pointer, because it is in the result of every little step

impl CodecError {
    #[cold]
    pub(super) fn new(why: impl Into<Box<str>>) -> Self {
        Self(Box::new(why.into()))
    }
}

impl ser::Error for CodecError {
    #[cold]
    fn custom<T: Display>(why: T) -> Self {
        Self::new(why.to_string())
    }
}

impl de::Error for CodecError {
    #[cold]
    fn custom<T: Display>(why: T) -> Self {
        Self::new(why.to_string())
    }
}

/// A format for values.
pub(crate) trait Codec {
    /// Writes a value.
    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
        let mut buffer = Vec::new();
        Self::encode_into(value, &mut buffer)?;
        Ok(buffer)
    }

    /// Writes a value in a buffer, in place of what is there.
    fn encode_into<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
        buffer.clear();
        Self::append(value, buffer)
    }

    /// Writes a value in a buffer, behind what is there.
    fn append<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Reads a value from the front of the bytes; returns it with the bytes that follow.
    fn decode_front<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), CodecError>;

    /// Reads a value that fills the bytes.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        match Self::decode_front(bytes)? {
            (value, []) => Ok(value),
            (_, rest) => Err(CodecError::new(format!("{} bytes follow the value", rest.len()))),
        }
    }
}

/// The [wire format](https://postcard.jamesmunns.com/wire-format.html) of postcard 1.
#[derive(Debug)]
pub(crate) struct Postcard;

/// The format between a parent and its children.
pub(crate) type Wire = Postcard;

impl Codec for Postcard {
    fn append<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
        value.serialize(&mut Writer(buffer))
    }

    fn decode_front<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), CodecError> {
        let mut reader = Reader::new(bytes);
        let value = T::deserialize(&mut reader)?;
        Ok((value, reader.into_rest()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn a_value_comes_back() {
        let bytes = Wire::encode(&("name", 7_u32, vec![1.5_f64])).unwrap();
        assert_eq!(Wire::decode::<(String, u32, Vec<f64>)>(&bytes).unwrap(), ("name".into(), 7, vec![1.5]));
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        let mut bytes = Wire::encode(&7_u8).unwrap();
        bytes.push(0);
        assert!(Wire::decode::<u8>(&bytes).is_err());
    }

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    enum List {
        End,
        More(Box<List>),
    }

    impl List {
        fn len(&self) -> usize {
            std::iter::successors(
                Some(self),
                |list| if let Self::More(rest) = list { Some(rest) } else { None },
            )
            .count()
        }
    }

    #[test]
    fn what_is_nested_deeper_than_the_stack_is_an_error_and_not_a_death() {
        let nested = |depth| [vec![1; depth], vec![0]].concat();
        let in_thread = |stack, depth| {
            let read = move || Wire::decode::<List>(&nested(depth)).map(|list| list.len());
            std::thread::Builder::new().stack_size(stack).spawn(read).unwrap().join().unwrap()
        };
        assert_eq!(in_thread(1 << 20, 500).unwrap(), 501);
        assert_eq!(in_thread(64 << 20, 50_000).unwrap(), 50_001);
        for stack in [64 << 10, 1 << 20, 64 << 20] {
            let error = in_thread(stack, 10_000_000).unwrap_err().to_string();
            assert!(error.contains("nested deeper"), "{error}");
        }
    }

    fn error<T: DeserializeOwned>(bytes: &[u8]) -> String {
        Wire::decode::<T>(bytes).map(drop).unwrap_err().to_string()
    }

    /// A count of more than there can be.
    const MANY: [u8; 9] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];

    #[test]
    fn a_length_that_lies_is_an_error_and_not_an_allocation() {
        assert!(error::<Vec<u64>>(&MANY).contains("9223372036854775807 elements"));
        assert!(error::<BTreeMap<u64, u64>>(&MANY).contains("9223372036854775807 elements"));
        assert!(error::<String>(&MANY).contains("the bytes end"));
    }

    /// Takes 8 KiB of memory and no bytes.
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Hollow {
        #[serde(skip)]
        cache: [[u64; 32]; 32],
    }

    #[test]
    fn elements_without_bytes_are_bounded_by_the_memory_they_take() {
        let comes_back =
            |count| Wire::decode::<Vec<()>>(&Wire::encode(&vec![(); count])?).map(|units| units.len());
        assert_eq!(comes_back(1_000_000).unwrap(), 1_000_000);
        assert_eq!(comes_back(16_000_000).unwrap(), 16_000_000);
        assert!(comes_back(17_000_000).unwrap_err().to_string().contains("17000000 elements"));
        assert!(error::<Vec<()>>(&MANY).contains("elements"));
        assert!(error::<BTreeSet<()>>(&MANY).contains("elements"));
        let hollow = |count: u32| Wire::encode(&count).unwrap();
        let some = Wire::decode::<Vec<Hollow>>(&hollow(2_000)).unwrap();
        assert!(some.len() == 2_000 && some[1_999].cache == [[0; 32]; 32]);
        assert!(error::<Vec<Hollow>>(&hollow(3_000)).contains("elements without bytes"));
        // Each of many lists has as many as there are bytes left for the others.
        let nested = Wire::encode(&vec![100_000; 100_000]).unwrap();
        assert!(error::<Vec<Vec<()>>>(&nested).contains("elements without bytes"));
    }

    /// Refuses what the one says, as a user's type may.
    #[derive(Debug)]
    struct Picky(u8);

    impl Serialize for Picky {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(ser::Error::custom(format_args!("{} is not written", self.0)))
        }
    }

    impl<'de> serde::Deserialize<'de> for Picky {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let number = u8::deserialize(deserializer)?;
            Err(de::Error::custom(format_args!("{number} is not read")))
        }
    }

    #[test]
    fn errors_say_what_the_value_said() {
        assert_eq!(Wire::encode(&(1, [Picky(7)])).unwrap_err().to_string(), "7 is not written");
        assert_eq!(error::<(u8, Option<Picky>)>(&[1, 1, 7]), "7 is not read");
        assert!(error::<List>(&[9]).contains("variant index 0 <= i < 2"), "{}", error::<List>(&[9]));
        assert!(error::<std::num::NonZeroU8>(&[0]).contains("expected a nonzero u8"));
    }

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Flat {
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }

    #[derive(serde::Serialize)]
    struct Skipping {
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    }

    #[test]
    fn errors_of_the_format_say_what_is_wrong() {
        assert_eq!(error::<bool>(&[2]), "2 is no bool");
        assert_eq!(error::<Option<u8>>(&[3]), "3 is no option");
        assert_eq!(error::<u16>(&[0xFF, 0xFF, 0x04]), "a number is too large for u16");
        assert_eq!(error::<u16>(&[0xFF, 0xFF, 0xFF, 0]), "a number is too large for u16");
        assert_eq!(error::<u64>(&[0xFF]), "the bytes end within the value");
        assert_eq!(error::<String>(&[1, 0xFF]), "a text is not UTF-8");
        assert_eq!(error::<char>(&[2, b'a', b'b']), "a character is none, or several");
        assert_eq!(error::<char>(&[0]), "a character is none, or several");
        assert!(Wire::encode(&Flat { rest: BTreeMap::new() }).unwrap_err().to_string().contains("flatten"));
        let skipping = Skipping { name: None };
        assert!(Wire::encode(&skipping).unwrap_err().to_string().contains("the field `name` is left out"));
        assert!(error::<Flat>(&[1, 1, b'a', 7]).contains("flatten"));
    }
}
