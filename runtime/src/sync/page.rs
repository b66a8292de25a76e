//! What all handles of this module are: a mapping of a memory file, which begins by saying what lies in it.
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | the mark of this library's objects and their layout's version |
//! | 8..16 | which object, of which type: a hash |
//! | 16..24 | how many bytes the layout takes |
//! | 64.. | the object |

use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserializer, Serializer, de};

use crate::sys::memory::{self, Mapping};
use crate::sys::{Object, Shareable, borrow, own};
use crate::wire::{attachment, fingerprint};

const MARK: u64 = u64::from_le_bytes(*b"offsync1");
const HEADER: usize = 64;
const PAGE: usize = 4096;

/// What lies in the page of one kind of object.
pub(crate) trait Layout: Shareable {
    /// Whether a lock in it is held in this name: then its memory must stay.
    fn is_held_by(&self, holder: u64) -> bool;
}

/// An object in shared memory, as one process has it mapped.
#[derive(Debug)]
pub(crate) struct Page<L: Layout> {
    /// There until drop.
    mapping: Option<Mapping>,
    object: Object,
    /// Names this mapping among those of this process.
    place: u32,
    layout: PhantomData<fn() -> L>,
}

impl<L: Layout> Page<L> {
    /// Makes an object. `kind` names it and the types in it.
    pub(crate) fn create(kind: &str, initialise: impl FnOnce(&L) -> io::Result<()>) -> io::Result<Arc<Self>> {
        let length = Self::length()?;
        let object = memory::create(length)?;
        memory::fix_length(&object)?;
        // Memory that runs out later would be a SIGBUS.
        memory::reserve(&object, 0, length)?;
        let page = Self::map(object)?;
        initialise(&page)?;
        page.word(8).store(fingerprint::of_memory::<L>(kind), Ordering::Relaxed);
        page.word(16).store(size_of::<L>() as u64, Ordering::Relaxed);
        page.word(0).store(MARK, Ordering::Release);
        Ok(Arc::new(page))
    }

    /// Opens an object that came from another process, if it is what it should be.
    fn open(object: Object, kind: &str) -> io::Result<Arc<Self>> {
        let refuse = |what: &str| {
            let message = format!("the handle is no {kind}: {what}; both programs must be the same build");
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        };
        if !memory::has_fixed_length(&object) || memory::length(&object)? != Self::length()? {
            return refuse("its memory is of another kind or size");
        }
        let page = Self::map(object)?;
        if page.word(0).load(Ordering::Acquire) != MARK {
            return refuse("it is nothing of this module");
        }
        let size = page.word(16).load(Ordering::Relaxed);
        if page.word(8).load(Ordering::Relaxed) != fingerprint::of_memory::<L>(kind)
            || size != size_of::<L>() as u64
        {
            return refuse("it is another object, or one of another type");
        }
        Ok(Arc::new(page))
    }

    fn map(object: Object) -> io::Result<Self> {
        let length = usize::try_from(Self::length()?).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mapping = Mapping::new(&object, 0, length)?;
        let address = std::ptr::from_ref(mapping.at::<AtomicU64>(0)) as usize;
        let place = u32::try_from(address / PAGE % (1 << 31)).unwrap_or(0);
        Ok(Self { mapping: Some(mapping), object, place, layout: PhantomData })
    }

    const OFFSET: usize = if align_of::<L>() > HEADER { align_of::<L>() } else { HEADER };

    fn length() -> io::Result<u64> {
        if align_of::<L>() > PAGE {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "its alignment is above that of a page"));
        }
        let length =
            Self::OFFSET.checked_add(size_of::<L>()).and_then(|length| length.checked_next_multiple_of(PAGE));
        Ok(length.ok_or(io::ErrorKind::OutOfMemory)? as u64)
    }

    /// The name in which this process holds locks through this mapping: the process, then the mapping. The lowest bit is
    /// zero: it is for [`PANICKING`](super::lock::PANICKING).
    #[inline]
    pub(crate) fn holder(&self) -> u64 {
        (u64::from(own::pid()) << 32) | (u64::from(self.place) << 1)
    }

    #[inline]
    fn mapping(&self) -> &Mapping {
        self.mapping.as_ref().expect("it is there until drop")
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        self.mapping().at(offset)
    }

    /// Writes the object into a value that travels.
    pub(crate) fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attachment::write(borrow(&self.object), serializer)
    }

    /// Reads an object out of a value that came.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
        kind: &str,
    ) -> Result<Arc<Self>, D::Error> {
        Self::open(attachment::read(deserializer)?, kind).map_err(de::Error::custom)
    }
}

impl<L: Layout> Deref for Page<L> {
    type Target = L;

    #[inline]
    fn deref(&self) -> &L {
        self.mapping().at(Self::OFFSET)
    }
}

impl<L: Layout> Drop for Page<L> {
    /// A guard that was leaked keeps its lock held, and the C library's list of locks that the thread holds leads through this memory.
    fn drop(&mut self) {
        if self.is_held_by(self.holder()) {
            std::mem::forget(self.mapping.take());
        }
    }
}

/// The process of a holder's name.
pub(crate) fn process_of(holder: u64) -> Option<u32> {
    Some((holder >> 32) as u32).filter(|pid| *pid != 0)
}

/// Gives a handle of a page what all handles have: clones, names of its kind, and ways to travel.
macro_rules! handle {
    ($name:ident $(<$parameter:ident>)?, $kind:expr) => {
        impl$(<$parameter: $crate::sys::Shareable>)? Clone for $name$(<$parameter>)? {
            /// Another handle of the same object; it is cheap.
            fn clone(&self) -> Self {
                Self { page: std::sync::Arc::clone(&self.page) }
            }
        }

        impl$(<$parameter: $crate::sys::Shareable>)? serde::Serialize for $name$(<$parameter>)? {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.page.serialize(serializer)
            }
        }

        impl<'de, $($parameter: $crate::sys::Shareable)?> serde::Deserialize<'de> for $name$(<$parameter>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self { page: $crate::sync::page::Page::deserialize(deserializer, $kind)? })
            }
        }
    };
}
pub(crate) use handle;
