//! Kernel objects of others in values of ours.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::parcel;
use crate::sys::{Attachable, Borrowed, Object};

/// A file, socket or other kernel object that travels inside a value.
///
/// It can be in a field of a [process class](crate::Process), an argument, an output or a message of a channel, nested
/// as deep as you like. What arrives is a duplicate, as of [`File::try_clone`](std::fs::File::try_clone): both processes hold the same
/// open file or socket, each closes its own. A duplicate that nobody receives is closed.
///
/// On Unix it holds whatever is made from an `OwnedFd` and lends itself as a `BorrowedFd`: `OwnedFd` itself, `File`,
/// `TcpStream`, `TcpListener`, `UdpSocket`, `UnixStream`, pipes and the like of other crates.
///
/// ```
/// use offspring::Attachment;
/// use std::io::{Read, Seek, Write};
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let path = std::env::temp_dir().join(format!("attachment-{}", std::process::id()));
///     let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path)?;
///     std::fs::remove_file(&path)?; // from here on only the open file leads there
///     let write = |mut file: Attachment<std::fs::File>| file.write_all(b"from the child").unwrap();
///     offspring::spawn(write, (Attachment::new(file.try_clone()?),))?.join()?;
///     let (mut file, mut text) = (file, String::new());
///     file.rewind()?;
///     file.read_to_string(&mut text)?;
///     assert_eq!(text, "from the child");
///     Ok(())
/// }
/// ```
///
/// A field can also stay a plain `File`, with `#[serde(with = "offspring::attachment")]` on it.
///
/// Serialised by anything else than this crate it is an error that says so.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash, Clone, Copy)]
pub struct Attachment<T>(T);

impl<T> Attachment<T> {
    /// Wraps an object, so that it can travel.
    pub const fn new(object: T) -> Self {
        Self(object)
    }

    /// Unwraps the object.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Attachment<T> {
    fn from(object: T) -> Self {
        Self(object)
    }
}

impl<T> Deref for Attachment<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Attachment<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Attachment<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Attachment").field(&self.0).finish()
    }
}

impl<T: Attachable> Serialize for Attachment<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

impl<'de, T: Attachable> Deserialize<'de> for Attachment<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

/// For `#[serde(with = "offspring::attachment")]` on a field that is a file, a socket or the like.
///
/// # Errors
/// Those of the serialiser; when it is none of this crate's; when the object cannot be duplicated.
pub fn serialize<T: Attachable, S: Serializer>(object: &T, serializer: S) -> Result<S::Ok, S::Error> {
    write(object.lend(), serializer)
}

/// For `#[serde(with = "offspring::attachment")]` on a field that is a file, a socket or the like.
///
/// # Errors
/// Those of the deserialiser; when it is none of this crate's.
pub fn deserialize<'de, T: Attachable, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    read(deserializer).map(T::adopt)
}

/// Writes an object into a value.
pub(crate) fn write<S: Serializer>(object: Borrowed<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(parcel::load_object(object).map_err(ser::Error::custom)?)
}

/// Reads an object out of a value.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
    parcel::unload_object(u32::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// An object that is lent to a value on its way out.
pub(crate) struct Lent<'a>(pub(crate) Borrowed<'a>);

impl Serialize for Lent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(self.0, serializer)
    }
}

/// An object out of a value.
pub(crate) struct Arrived(pub(crate) Object);

impl<'de> Deserialize<'de> for Arrived {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer).map(Self)
    }
}
