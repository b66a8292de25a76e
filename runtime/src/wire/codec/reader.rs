//! Values out of bytes, which anybody may have made.

use serde::de::value::U32Deserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::CodecError;
use crate::sys::stack::Floor;

type Result<T> = std::result::Result<T, CodecError>;

/// How much memory, in bytes, those elements of one value may take together that have no bytes, at least one each: as many can be claimed
/// for nothing. `vec![(); 16_000_000]` still travels.
const EMPTY: usize = 1 << 24;

/// Reads from the front of bytes, down to as many levels of nesting as fit the stack.
#[derive(Debug)]
pub(super) struct Reader<'de> {
    rest: std::slice::Iter<'de, u8>,
    floor: Floor,
    /// What is left of [`EMPTY`].
    empty: usize,
}

macro_rules! varint {
    ($name:ident, $integer:ty) => {
        /// Reads a number, as the writer wrote it.
        #[inline]
        fn $name(&mut self) -> Result<$integer> {
            let byte = self.byte()?;
            if byte <= 0x7F {
                return Ok(byte.into());
            }
            let mut number = <$integer>::from(byte & 0x7F);
            for shift in (7..<$integer>::BITS).step_by(7) {
                let byte = self.byte()?;
                let bits = <$integer>::from(byte & 0x7F);
                number |= bits << shift;
                if byte <= 0x7F {
                    if (bits << shift) >> shift != bits {
                        break;
                    }
                    return Ok(number);
                }
            }
            Err(CodecError::new(concat!("a number is too large for ", stringify!($integer))))
        }
    };
}

impl<'de> Reader<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self { rest: bytes.iter(), floor: Floor::new(), empty: EMPTY }
    }

    /// What was not read.
    pub(super) fn into_rest(self) -> &'de [u8] {
        self.rest.as_slice()
    }

    varint!(u16, u16);
    varint!(u32, u32);
    varint!(u64, u64);
    varint!(u128, u128);

    #[inline]
    fn byte(&mut self) -> Result<u8> {
        self.rest.next().copied().ok_or_else(ended)
    }

    #[inline]
    fn bytes(&mut self, count: usize) -> Result<&'de [u8]> {
        let (taken, rest) = self.rest.as_slice().split_at_checked(count).ok_or_else(ended)?;
        self.rest = rest.iter();
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.as_slice().split_first_chunk().ok_or_else(ended)?;
        self.rest = rest.iter();
        Ok(*taken)
    }

    /// Bytes after their length.
    #[inline]
    fn counted(&mut self) -> Result<&'de [u8]> {
        let length = self.u64()?;
        self.bytes(usize::try_from(length).map_err(|_| ended())?)
    }

    #[inline]
    fn text(&mut self) -> Result<&'de str> {
        std::str::from_utf8(self.counted()?).map_err(|_| CodecError::new("a text is not UTF-8"))
    }

    /// Before everything that can hold values of its own kind, or of the kind that holds it.
    #[inline]
    fn descend(&mut self) -> Result<()> {
        if self.floor.is_below_us() { Ok(()) } else { Err(too_deep()) }
    }

    /// Accounts for an element for which there are no bytes.
    #[inline(never)]
    fn account_for_empty(&mut self, size: usize) -> Result<()> {
        self.empty = self.empty.checked_sub(size.max(1)).ok_or_else(too_empty)?;
        Ok(())
    }

    /// The elements of a collection, after their count.
    #[inline]
    fn elements(&mut self) -> Result<Elements<'_, 'de>> {
        self.descend()?;
        let count = self.u64()?;
        let most = self.rest.len().saturating_add(self.empty);
        match usize::try_from(count) {
            Ok(left) if left <= most => Ok(Elements { reader: self, left }),
            _ => Err(too_many(count)),
        }
    }
}

#[cold]
fn ended() -> CodecError {
    CodecError::new("the bytes end within the value")
}

#[cold]
fn too_deep() -> CodecError {
    CodecError::new(
        "it is nested deeper than the stack of this thread goes: read it on a thread with a larger one",
    )
}

#[cold]
fn too_many(count: u64) -> CodecError {
    CodecError::new(format!("a collection of {count} elements has not the bytes for them"))
}

#[cold]
fn too_empty() -> CodecError {
    CodecError::new(format!("elements without bytes take more than {EMPTY} bytes of memory together"))
}

#[cold]
fn unknown_shape() -> CodecError {
    CodecError::new(
        "the bytes do not say of what shape they are, so `#[serde(flatten)]`, untagged and internally tagged enums, and types for \
         any value cannot be read from them",
    )
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = CodecError;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(unknown_shape())
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(unknown_shape())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(unknown_shape())
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.byte()? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            other => Err(CodecError::new(format!("{other} is no bool"))),
        }
    }

    #[inline]
    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_i8(self.byte()? as i8)
    }

    #[inline]
    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let number = self.u16()?;
        visitor.visit_i16((number >> 1) as i16 ^ -((number & 1) as i16))
    }

    #[inline]
    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let number = self.u32()?;
        visitor.visit_i32((number >> 1) as i32 ^ -((number & 1) as i32))
    }

    #[inline]
    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let number = self.u64()?;
        visitor.visit_i64((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    #[inline]
    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let number = self.u128()?;
        visitor.visit_i128((number >> 1) as i128 ^ -((number & 1) as i128))
    }

    #[inline]
    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u8(self.byte()?)
    }

    #[inline]
    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u16(self.u16()?)
    }

    #[inline]
    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u32(self.u32()?)
    }

    #[inline]
    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u64(self.u64()?)
    }

    #[inline]
    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u128(self.u128()?)
    }

    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_f32(f32::from_le_bytes(self.array()?))
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_f64(f64::from_le_bytes(self.array()?))
    }

    #[inline]
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let mut letters = self.text()?.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => visitor.visit_char(letter),
            _ => Err(CodecError::new("a character is none, or several")),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(self.text()?)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_bytes(self.counted()?)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.descend()?;
        match self.byte()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            other => Err(CodecError::new(format!("{other} is no option"))),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(self.elements()?)
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value> {
        self.descend()?;
        visitor.visit_seq(Fields { reader: self, left: count })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(count, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_map(self.elements()?)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.descend()?;
        visitor.visit_enum(self)
    }
}

impl<'de> EnumAccess<'de> for &mut Reader<'de> {
    type Error = CodecError;
    type Variant = Self;

    #[inline]
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let index: U32Deserializer<CodecError> = U32Deserializer::new(self.u32()?);
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Reader<'de> {
    type Error = CodecError;

    #[inline]
    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_tuple(count, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}

/// Parts of which the type says how many they are.
struct Fields<'a, 'de> {
    reader: &'a mut Reader<'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Fields<'_, 'de> {
    type Error = CodecError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// Parts of which the bytes say how many they are.
struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    left: usize,
}

impl<'de> Elements<'_, 'de> {
    /// An element, or what is first in it.
    #[inline]
    fn next<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let before = self.reader.rest.as_slice().as_ptr();
        let element = seed.deserialize(&mut *self.reader)?;
        if self.reader.rest.as_slice().as_ptr() == before {
            self.reader.account_for_empty(size_of::<T::Value>())?;
        }
        Ok(Some(element))
    }

    /// Others than serde's own collections may allocate as much as this says.
    #[inline]
    fn hint(&self) -> usize {
        self.left.min(self.reader.rest.len())
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = CodecError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.next(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = CodecError;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.next(seed)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(&mut *self.reader)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}
