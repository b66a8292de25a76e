//! Values as bytes. One format stands behind a trait, so that another can take its place.

use serde::Serialize;
use serde::de::DeserializeOwned;

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
        postcard::take_from_bytes(bytes).map_err(|error| CodecError(error.to_string()))
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

    #[test]
    fn a_length_that_lies_is_an_error_and_not_an_allocation() {
        let bytes = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
        assert!(Wire::decode::<Vec<u64>>(&bytes).is_err());
    }
}
