//! Values as bytes. One format stands behind a trait, so that another can take its place.

use postcard::de_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sys::stack::Floor;

/// A value could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CodecError(String);

impl CodecError {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
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
    fn encode_into<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Reads a value from the front of the bytes; returns it with the bytes that follow.
    fn decode_front<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), CodecError>;

    /// Reads a value that fills the bytes.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        match Self::decode_front(bytes)? {
            (value, []) => Ok(value),
            (_, rest) => Err(CodecError(format!("{} bytes follow the value", rest.len()))),
        }
    }
}

/// `postcard`: compact, documented, without code execution.
#[derive(Debug)]
pub(crate) struct Postcard;

/// The format between a parent and its children.
pub(crate) type Wire = Postcard;

/// Where postcard writes.
struct Buffer<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Buffer<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

impl Codec for Postcard {
    fn encode_into<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
        buffer.clear();
        postcard::serialize_with_flavor(value, Buffer(buffer)).map_err(|error| CodecError(error.to_string()))
    }

    fn decode_front<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), CodecError> {
        let source = Source { rest: bytes.iter(), floor: Floor::new(), too_deep: false };
        let mut deserializer = postcard::Deserializer::from_flavor(source);
        let value = T::deserialize(&mut deserializer);
        let unreadable = |error: postcard::Error| CodecError(error.to_string());
        let (rest, too_deep) = deserializer.finalize().map_err(unreadable)?;
        match value {
            Ok(value) => Ok((value, rest)),
            Err(_) if too_deep => Err(CodecError::new(
                "it is nested deeper than the stack of this thread goes: read it on a thread with a larger one",
            )),
            Err(error) => Err(unreadable(error)),
        }
    }
}

/// The bytes that a value is read from, down to as many levels of nesting as fit the stack.
///
/// Nothing but an enum, an option or a collection can be nested without end, and each of these begins with a byte that is popped.
struct Source<'de> {
    rest: std::slice::Iter<'de, u8>,
    floor: Floor,
    too_deep: bool,
}

impl<'de> Flavor<'de> for Source<'de> {
    type Remainder = (&'de [u8], bool);
    type Source = &'de [u8];

    #[inline]
    fn pop(&mut self) -> postcard::Result<u8> {
        if !self.floor.is_below_us() {
            self.too_deep = true;
            return Err(postcard::Error::SerdeDeCustom);
        }
        self.rest.next().copied().ok_or(postcard::Error::DeserializeUnexpectedEnd)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }

    #[inline]
    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'de [u8]> {
        let (taken, rest) =
            self.rest.as_slice().split_at_checked(count).ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.rest = rest.iter();
        Ok(taken)
    }

    fn finalize(self) -> postcard::Result<Self::Remainder> {
        Ok((self.rest.as_slice(), self.too_deep))
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_length_that_lies_is_an_error_and_not_an_allocation() {
        let bytes = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
        assert!(Wire::decode::<Vec<u64>>(&bytes).is_err());
    }
}
