//! [`SharedView`]: shared memory that can be read and not written.

use std::fmt;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::block::{self, cannot, invalid, outside};
use super::{Cursor, copy};
use crate::sys::memory::Mapping;
use crate::sys::seal::{self, Seal};
use crate::sys::{Object, borrow};
use crate::wire::attachment;

/// Shared memory that can be read and not written, while others write it. Made by [`SharedMemory::view`](super::SharedMemory::view).
///
/// What travels is a descriptor that can only read: the process that receives it cannot write the memory through it, nor map it
/// so. A process of the same user that means harm can open the memory anew, as it can do to anything of that user's;
/// one of another user cannot, even if it is handed a view.
///
/// ```
/// use offspring::shm::{SharedMemory, SharedView};
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let memory = SharedMemory::create(100)?;
///     memory.write_at(0, b"look, but do not touch")?;
///     let read = |view: SharedView| view.to_vec()[..4].to_vec();
///     assert_eq!(offspring::spawn(read, (memory.view()?,))?.join()?, b"look");
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct SharedView(Arc<Held>);

struct Held {
    object: Object,
    mapping: Mapping,
}

impl SharedView {
    pub(super) fn of(object: &Object) -> io::Result<Self> {
        let view = seal::read_only(object).and_then(Self::map);
        view.map_err(|error| cannot("make a view of shared memory", &error))
    }

    fn map(object: Object) -> io::Result<Self> {
        let mapping = Mapping::view(&object, 0, block::length(&object)?)?;
        Ok(Self(Arc::new(Held { object, mapping })))
    }

    pub(super) fn mapping(&self) -> &Mapping {
        &self.0.mapping
    }

    /// How many bytes this view shows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mapping().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies bytes out of the memory. Should somebody write them meanwhile, some are old and some new.
    ///
    /// # Errors
    /// `InvalidInput` when they are not all within the memory.
    pub fn read_at(&self, offset: usize, into: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(into.len()).is_none_or(|end| end > self.len()) {
            return Err(outside(offset, into.len(), self.len()));
        }
        copy::load(self.mapping(), offset, into);
        Ok(())
    }

    /// A copy of all bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len()];
        copy::load(self.mapping(), 0, &mut bytes);
        bytes
    }

    /// Reads the memory as a file that has this length.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_, Self> {
        Cursor::new(self)
    }

    /// Shows what was added to the memory by [`SharedMemory::resize`](super::SharedMemory::resize).
    ///
    /// # Errors
    /// Those of the system.
    pub fn refresh(&mut self) -> io::Result<()> {
        if block::length(&self.0.object)? > self.len() {
            *self = Self::map(self.0.object.try_clone()?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for SharedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedView").field("length", &self.len()).finish_non_exhaustive()
    }
}

impl Serialize for SharedView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attachment::write(borrow(&self.0.object), serializer)
    }
}

impl<'de> Deserialize<'de> for SharedView {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let arrived = |object: Object| {
            if !seal::is_sealed(&object, Seal::Shrinking)? || !seal::is_read_only(&object)? {
                return Err(invalid("what arrived is no view of shared memory"));
            }
            Self::map(object)
        };
        arrived(attachment::read(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for SharedView {
    /// The memory file, for reading.
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        borrow(&self.0.object)
    }
}
