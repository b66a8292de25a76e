//! What nobody can do to shared memory any more. A section of Windows never becomes shorter, and a duplicate of its handle
//! with fewer rights (`DuplicateHandle`, `SECTION_MAP_READ`) is to be what can only read. FreeBSD has the seals of Linux;
//! without them what is frozen has to be copied to an object that was opened for reading alone (`shm_open(2)`).

use std::io;

use crate::sys::platform::Object;
use crate::sys::unsupported::unsupported;

/// What is ruled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    /// Becoming shorter: a mapping of it is never cut off.
    Shrinking,
    /// A change of its length, or of its seals.
    Resizing,
    /// Any change.
    Writing,
}

/// Rules something out for ever.
pub(crate) fn seal(_object: &Object, _seal: Seal) -> io::Result<()> {
    Err(unsupported())
}

/// Whether something is ruled out.
pub(crate) fn is_sealed(_object: &Object, _seal: Seal) -> io::Result<bool> {
    Ok(false)
}

/// An object of the same memory that can only read.
pub(crate) fn read_only(_object: &Object) -> io::Result<Object> {
    Err(unsupported())
}

/// Whether an object can only read.
pub(crate) fn is_read_only(_object: &Object) -> io::Result<bool> {
    Ok(false)
}
