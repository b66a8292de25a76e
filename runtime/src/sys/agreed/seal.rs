//! What nobody can do to shared memory any more, by agreement of those who use this library: see [`agreed`](super).

use std::io;

use super::pages;
use crate::sys::Object;
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

impl Seal {
    fn bits(self) -> u32 {
        let fixed = super::NO_SHRINKING | super::NO_GROWING;
        match self {
            Self::Shrinking => super::NO_SHRINKING,
            Self::Resizing => fixed,
            Self::Writing => fixed | super::NO_WRITING,
        }
    }
}

/// Rules something out for ever. Writing can be ruled out only while nobody has the memory mapped for writing: `ResourceBusy`.
pub(crate) fn seal(object: &Object, seal: Seal) -> io::Result<()> {
    super::add_seals(object, seal.bits())
}

/// Whether something is ruled out.
pub(crate) fn is_sealed(object: &Object, seal: Seal) -> io::Result<bool> {
    Ok(super::seals(object)? & seal.bits() == seal.bits())
}

/// A descriptor of the same memory that can only read: what has no name any more cannot be opened again, and no right can be
/// taken from a descriptor.
pub(crate) fn read_only(_object: &Object) -> io::Result<Object> {
    Err(unsupported())
}

/// Whether a descriptor can only read.
pub(crate) fn is_read_only(object: &Object) -> io::Result<bool> {
    pages::is_read_only(object)
}
