//! Values into bytes.

use std::fmt::{Display, Write};

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::CodecError;

type Result = std::result::Result<(), CodecError>;

/// Writes behind what is in a buffer.
#[derive(Debug)]
pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

macro_rules! varint {
    ($name:ident, $integer:ty) => {
        /// Writes a number: seven bits in each byte, the lowest first. All but the last have the eighth bit set.
        #[inline]
        fn $name(&mut self, mut number: $integer) {
            if number <= 0x7F {
                return self.0.push(number.to_le_bytes()[0]);
            }
            let mut bytes = [0; <$integer>::BITS.div_ceil(7) as usize];
            let last = (number.ilog2() / 7) as usize;
            for byte in &mut bytes[..=last] {
                *byte = number.to_le_bytes()[0] | 0x80;
                number >>= 7;
            }
            bytes[last] &= 0x7F;
            // A fixed number of bytes is copied without a call.
            let length = self.0.len() + last + 1;
            self.0.extend_from_slice(&bytes);
            self.0.truncate(length);
        }
    };
}

impl Writer<'_> {
    varint!(number, u64);
    varint!(large_number, u128);

    /// Writes how many elements follow.
    #[inline]
    fn count(&mut self, count: Option<usize>) -> Result {
        let count = count.ok_or_else(|| {
            CodecError::new(
                "a collection does not say how many elements it has (nor does `#[serde(flatten)]`): collect it first",
            )
        })?;
        self.number(count as u64);
        Ok(())
    }
}

impl Serializer for &mut Writer<'_> {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result {
        self.serialize_u8(value.into())
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Result {
        self.serialize_u8(value as u8)
    }

    #[inline]
    fn serialize_i16(self, value: i16) -> Result {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i32(self, value: i32) -> Result {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i64(self, value: i64) -> Result {
        self.serialize_u64((value << 1 ^ value >> 63) as u64)
    }

    #[inline]
    fn serialize_i128(self, value: i128) -> Result {
        self.serialize_u128((value << 1 ^ value >> 127) as u128)
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Result {
        self.0.push(value);
        Ok(())
    }

    #[inline]
    fn serialize_u16(self, value: u16) -> Result {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u32(self, value: u32) -> Result {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u64(self, value: u64) -> Result {
        self.number(value);
        Ok(())
    }

    #[inline]
    fn serialize_u128(self, value: u128) -> Result {
        self.large_number(value);
        Ok(())
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result {
        self.0.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result {
        self.0.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result {
        self.serialize_bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result {
        self.number(value.len() as u64);
        self.0.extend_from_slice(value);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result {
        self.serialize_u8(0)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        self.serialize_u8(1)?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result {
        self.serialize_u32(index)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result {
        self.serialize_u32(index)?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, count: Option<usize>) -> std::result::Result<Self, CodecError> {
        self.count(count)?;
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> std::result::Result<Self, CodecError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> std::result::Result<Self, CodecError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> std::result::Result<Self, CodecError> {
        self.serialize_u32(index)?;
        Ok(self)
    }

    #[inline]
    fn serialize_map(self, count: Option<usize>) -> std::result::Result<Self, CodecError> {
        self.count(count)?;
        Ok(self)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> std::result::Result<Self, CodecError> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> std::result::Result<Self, CodecError> {
        self.serialize_u32(index)?;
        Ok(self)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result {
        let mut text = String::new();
        write!(text, "{value}").map_err(|_| CodecError::new("a part of the value cannot be displayed"))?;
        self.serialize_str(&text)
    }
}

/// What a value consists of is written one after another.
macro_rules! parts {
    ($($kind:ident { $($method:ident),+ })+) => {$(
        impl $kind for &mut Writer<'_> {
            type Ok = ();
            type Error = CodecError;

            $(#[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, part: &T) -> Result {
                part.serialize(&mut **self)
            })+

            #[inline]
            fn end(self) -> Result {
                Ok(())
            }
        }
    )+};
}

parts! {
    SerializeSeq { serialize_element }
    SerializeTuple { serialize_element }
    SerializeTupleStruct { serialize_field }
    SerializeTupleVariant { serialize_field }
    SerializeMap { serialize_key, serialize_value }
}

/// So are fields, without their names.
macro_rules! fields {
    ($($kind:ident)+) => {$(
        impl $kind for &mut Writer<'_> {
            type Ok = ();
            type Error = CodecError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, field: &T) -> Result {
                field.serialize(&mut **self)
            }

            #[cold]
            fn skip_field(&mut self, name: &'static str) -> Result {
                Err(CodecError::new(format!("the field `{name}` is left out (`skip_serializing_if`), but its reader waits for it")))
            }

            #[inline]
            fn end(self) -> Result {
                Ok(())
            }
        }
    )+};
}

fields! { SerializeStruct SerializeStructVariant }
