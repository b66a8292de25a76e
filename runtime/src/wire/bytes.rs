//! Bytes that are not copied more often than they must.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

use super::parcel;
use crate::sys::memory::{self, Mapping};
use crate::sys::seal::{self, Seal};
use crate::sys::{Object, borrow};

/// From this length on a buffer travels beside the value that holds it.
pub(crate) const OUT_OF_LINE: usize = 16 * 1024;

/// A buffer that is shared, not copied: for large payloads in values that travel.
///
/// A `Vec<u8>` in a value is encoded byte by byte, about 2 ms per MiB. These bytes are copied once on their way, as a
/// block, and what arrives is read where it lies. A field can also stay a `Vec<u8>`, with
/// `#[serde(with = "offspring::bytes")]` on it, for one copy more.
///
/// Those of a [frozen](crate::shm::SharedMemory::freeze) shared memory are not copied at all: every process that receives
/// them reads the same memory.
///
/// Clones and [slices](Self::slice) are cheap and share the memory. What arrived together in one large value lies in one
/// piece, which is given back with the last of its parts. Other formats than this crate's see plain bytes. It is made from a
/// `Vec<u8>`, a slice, or a [`bytes::Bytes`], and gives one back.
///
/// ```
/// use offspring::Bytes;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let image = Bytes::from(vec![7; 1 << 20]);
///     let sum = |image: Bytes| image.iter().map(|byte| u64::from(*byte)).sum::<u64>();
///     assert_eq!(offspring::spawn(sum, (image,))?.join()?, 7 << 20);
///     Ok(())
/// }
/// ```
#[derive(Clone, Default)]
pub struct Bytes {
    bytes: bytes::Bytes,
    /// The memory that they are part of, if that can travel in their place.
    sealed: Option<Arc<Sealed>>,
}

/// Memory that nobody can write any more.
#[derive(Debug)]
struct Sealed {
    object: Object,
    mapping: Mapping,
}

/// What a `bytes::Bytes` holds on to.
struct Owner(Arc<Sealed>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        self.0.mapping.as_ref()
    }
}

impl Bytes {
    /// All of a memory file that nobody can write any more.
    pub(crate) fn sealed(object: Object) -> io::Result<Self> {
        if !seal::is_sealed(&object, Seal::Writing)? {
            let why = "shared memory is not frozen: its bytes could change";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let length = usize::try_from(memory::length(&object)?).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mapping = Mapping::read_only(&object, length)?;
        let sealed = Arc::new(Sealed { object, mapping });
        Ok(Self { bytes: bytes::Bytes::from_owner(Owner(Arc::clone(&sealed))), sealed: Some(sealed) })
    }

    /// Where these bytes begin in the memory that they are part of.
    fn offset_in(&self, sealed: &Sealed) -> usize {
        self.bytes.as_ptr() as usize - sealed.mapping.as_ref().as_ptr() as usize
    }

    /// Part of these bytes, without a copy.
    ///
    /// # Panics
    /// When the range is not within the bytes.
    #[must_use]
    pub fn slice(&self, range: impl std::ops::RangeBounds<usize>) -> Self {
        Self { bytes: self.bytes.slice(range), sealed: self.sealed.clone() }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes)", self.len())
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Bytes {}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bytes {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes.cmp(&other.bytes)
    }
}

impl Hash for Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        bytes::Bytes::from(bytes).into()
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        bytes::Bytes::copy_from_slice(bytes).into()
    }
}

impl From<bytes::Bytes> for Bytes {
    fn from(bytes: bytes::Bytes) -> Self {
        Self { bytes, sealed: None }
    }
}

impl From<Bytes> for bytes::Bytes {
    fn from(bytes: Bytes) -> Self {
        bytes.bytes
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Self {
        bytes.bytes.into()
    }
}

/// Where a buffer is, as its value says.
#[derive(Serialize, Deserialize)]
enum Place {
    Here,
    Beside(u32),
    /// In the memory beside the value: its number, where they begin, how many they are.
    Within(u32, u64, u64),
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !parcel::is_loading() {
            return serializer.serialize_bytes(self);
        }
        if self.len() < OUT_OF_LINE {
            return (Place::Here, Plain(self)).serialize(serializer);
        }
        if let Some(sealed) = &self.sealed {
            let number = parcel::load_object(borrow(&sealed.object)).map_err(ser::Error::custom)?;
            let place = Place::Within(number, self.offset_in(sealed) as u64, self.len() as u64);
            return (place, Plain(&[])).serialize(serializer);
        }
        let number = parcel::load_buffer(&self.bytes).unwrap_or_else(|| Err("no parcel".into()));
        let place = Place::Beside(number.map_err(ser::Error::custom)?);
        (place, Plain(&[])).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !parcel::is_unloading() {
            return deserializer.deserialize_byte_buf(Buffer).map(Self::from);
        }
        let (place, here) = <(Place, Owned)>::deserialize(deserializer)?;
        match place {
            Place::Here => Ok(Self::from(here.0)),
            Place::Beside(number) => parcel::unload_buffer(number).map(Self::from).map_err(de::Error::custom),
            Place::Within(number, offset, length) => {
                let object = parcel::unload_object(number).map_err(de::Error::custom)?;
                let all = Self::sealed(object).map_err(de::Error::custom)?;
                let end = offset.checked_add(length).and_then(|end| usize::try_from(end).ok());
                match (usize::try_from(offset), end) {
                    (Ok(start), Some(end)) if end <= all.len() => Ok(all.slice(start..end)),
                    _ => Err(de::Error::custom("bytes outside of their memory")),
                }
            }
        }
    }
}

/// Bytes as serde's own kind of bytes.
struct Plain<'a>(&'a [u8]);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct Owned(Vec<u8>);

impl<'de> Deserialize<'de> for Owned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(Buffer).map(Self)
    }
}

struct Buffer;

impl<'de> Visitor<'de> for Buffer {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = elements.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}

/// For `#[serde(with = "offspring::bytes")]` on a field of type `Vec<u8>`.
///
/// # Errors
/// Those of the serialiser.
pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Bytes::from(bytes).serialize(serializer)
}

/// For `#[serde(with = "offspring::bytes")]` on a field of type `Vec<u8>`.
///
/// # Errors
/// Those of the deserialiser.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    Bytes::deserialize(deserializer).map(Vec::from)
}
