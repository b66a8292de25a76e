//! Freezing: shared memory becomes plain bytes.

use std::io;

use super::SharedMemory;
use crate::Bytes;
use crate::sys::Object;
use crate::sys::seal::{self, Seal};

/// Shared memory could not be frozen: it is in here.
#[derive(Debug, thiserror::Error)]
#[error("shared memory cannot be frozen: {source}")]
pub struct FreezeError {
    source: io::Error,
    memory: Memory,
}

#[derive(Debug)]
enum Memory {
    Mapped(SharedMemory),
    Unmapped(Object),
}

impl FreezeError {
    pub(super) fn cloned(memory: SharedMemory) -> Self {
        let why = "this process has a clone of the handle: drop it first";
        let source = io::Error::new(io::ErrorKind::ResourceBusy, why);
        Self { source, memory: Memory::Mapped(memory) }
    }

    /// Freezes what this process has not mapped any more.
    pub(super) fn or(object: Object) -> Result<Bytes, Self> {
        let busy = |error: io::Error| match error.kind() {
            io::ErrorKind::ResourceBusy => io::Error::new(
                error.kind(),
                "another process can still write it: wait until its handle is dropped, for example by joining it",
            ),
            _ => error,
        };
        if let Err(error) = seal::seal(&object, Seal::Writing) {
            return Err(Self { source: busy(error), memory: Memory::Unmapped(object) });
        }
        let kept = object.try_clone();
        let bytes = kept.and_then(Bytes::sealed);
        bytes.map_err(|source| Self { source, memory: Memory::Unmapped(object) })
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// The memory, as it was but for its name.
    ///
    /// # Errors
    /// When it cannot be mapped again.
    pub fn into_memory(self) -> io::Result<SharedMemory> {
        match self.memory {
            Memory::Mapped(memory) => Ok(memory),
            Memory::Unmapped(object) => SharedMemory::thawed(object),
        }
    }
}
