//! A memory file with its mapping: how each kind of shared memory is made and arrives.

use std::io;

use crate::sys::memory::{self, Mapping};
use crate::sys::seal::{self, Seal};
use crate::sys::{Object, available};

/// How memory is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taking {
    /// When it is made, and not when it is first written.
    pub(super) reserve: bool,
    pub(super) huge_pages: bool,
}

impl Default for Taking {
    fn default() -> Self {
        Self { reserve: true, huge_pages: false }
    }
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) object: Object,
    pub(super) mapping: Mapping,
}

impl Block {
    /// Makes a block that never becomes shorter, all zero.
    pub(super) fn new(length: usize, taking: Taking) -> io::Result<Self> {
        let make = || {
            let object = memory::create(length as u64)?;
            seal::seal(&object, Seal::Shrinking)?;
            // Before memory is taken: what does not fit into the address space needs none.
            let mapping = Mapping::new(&object, 0, length)?;
            take(&object, &mapping, 0, taking)?;
            Ok(Self { object, mapping })
        };
        make().map_err(|error| cannot(&format!("make {length} bytes of shared memory"), &error))
    }

    /// Maps all of a block that arrived.
    pub(super) fn from_object(object: Object) -> io::Result<Self> {
        if !seal::is_sealed(&object, Seal::Shrinking)? {
            return Err(invalid("what arrived is no shared memory: it could be cut off"));
        }
        let mapping = Mapping::new(&object, 0, length(&object)?).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => cannot("write shared memory that was frozen", &error),
            _ => cannot("map shared memory", &error),
        })?;
        Ok(Self { object, mapping })
    }

    /// Maps a longer part of the same file, which is made longer if need be.
    pub(super) fn grown(&self, length: usize, taking: Taking) -> io::Result<Mapping> {
        let grow = || {
            let before = self::length(&self.object)?;
            if length > before {
                // Should another process be quicker and ask for more, the seal makes this an error.
                memory::set_length(&self.object, length as u64)?;
            }
            let mapping = Mapping::new(&self.object, 0, length)?;
            take(&self.object, &mapping, before.min(length), taking)?;
            Ok(mapping)
        };
        grow().map_err(|error| cannot(&format!("make shared memory {length} bytes long"), &error))
    }
}

/// How long a memory file is, as far as it can be mapped.
pub(super) fn length(object: &Object) -> io::Result<usize> {
    usize::try_from(memory::length(object)?).map_err(|_| io::ErrorKind::OutOfMemory.into())
}

/// Takes the memory from an offset to the end of a mapping.
fn take(object: &Object, mapping: &Mapping, from: usize, taking: Taking) -> io::Result<()> {
    if taking.huge_pages {
        mapping.prefer_huge_pages();
    }
    let length = mapping.len() - from;
    if !taking.reserve || length == 0 {
        return Ok(());
    }
    if length >= LARGE {
        enough(length as u64, available::available())?;
    }
    if taking.huge_pages {
        // Through the mapping, which has the advice; a file by itself knows of none.
        let page = from - from % PAGE;
        match mapping.populate(page, mapping.len() - page, memory::Populate::ToWrite) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            done => return done,
        }
    }
    memory::reserve(object, from as u64, length as u64)
}

/// What is smaller is not worth a look at the system's memory, which takes longer than to make it.
const LARGE: usize = 16 * 1024 * 1024;

/// A multiple of the size of every page that is not huge.
const PAGE: usize = 64 * 1024;

fn enough(length: u64, available: Option<u64>) -> io::Result<()> {
    match available {
        Some(available) if length > available => {
            let why = format!("{available} bytes of memory are free");
            Err(io::Error::new(io::ErrorKind::OutOfMemory, why))
        }
        _ => Ok(()),
    }
}

/// An error that says what could not be done.
pub(super) fn cannot(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {what}: {error}"))
}

pub(super) fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.into())
}

/// The error of a range that is not all there.
pub(super) fn outside(offset: usize, count: usize, length: usize) -> io::Error {
    invalid(format!("{count} bytes at {offset} are not within {length} bytes of shared memory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_is_free_is_refused_before_it_is_asked_for() {
        assert!(enough(10, Some(10)).is_ok() && enough(10, None).is_ok());
        assert_eq!(enough(11, Some(10)).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
    }
}
