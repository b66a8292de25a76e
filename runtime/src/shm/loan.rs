//! Slices that are lent to other processes, which work at them for their owner and keep nothing.
//!
//! A loan does not count as having travelled. Owner and borrowers agree on who touches which values when: see
//! [`pool::board`](crate::pool). A borrower makes references to those alone, so that a loan which is held on to, by a process that is
//! stopped for instance, is no reference to anything.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;

use serde::{Deserialize, Deserializer, de};

use super::SharedSlice;
use super::typed::Typed;
use crate::Shareable;
use crate::wire::attachment::{self, Lent};

/// Lends what is read.
pub(crate) fn lend<T: Shareable>(slice: &SharedSlice<T>) -> Lent<'_> {
    Lent(slice.typed().lend())
}

/// A slice that nobody else has, while it is lent.
pub(crate) struct Exclusive<'a, T: Shareable>(&'a mut Typed<T>);

impl<'a, T: Shareable> Exclusive<'a, T> {
    /// `None` when others have it.
    pub(crate) fn of(slice: &'a mut SharedSlice<T>) -> Option<Self> {
        slice.typed_mut().is_alone().then(|| Self(slice.typed_mut()))
    }

    pub(crate) fn lend(&self) -> Lent<'_> {
        Lent(self.0.lend())
    }
}

impl<T: Shareable> Drop for Exclusive<'_, T> {
    fn drop(&mut self) {
        self.0.stays_alone();
    }
}

/// Memory for values that are yet to be written, of which zero bytes may be none.
pub(crate) struct Unwritten<T>(Typed<T>);

impl<T: Shareable> Unwritten<T> {
    pub(crate) fn new(count: usize) -> io::Result<Self> {
        Typed::zeroed(count).map(Self)
    }

    pub(crate) fn lend(&self) -> Lent<'_> {
        Lent(self.0.lend())
    }

    /// All of it has been written.
    pub(crate) fn written(mut self) -> SharedSlice<T> {
        self.0.stays_alone();
        SharedSlice::of(self.0)
    }
}

/// A slice that was lent to this process.
pub(crate) struct Loan<T>(Typed<T>);

impl<T: Shareable> Loan<T> {
    /// Values that nobody writes meanwhile.
    pub(crate) fn read(&self, range: Range<usize>) -> &[T] {
        self.0.values_at(range.start, range.len())
    }

    /// Values that nobody else reads or writes meanwhile.
    pub(crate) fn change(&mut self, range: Range<usize>) -> &mut [T] {
        let mapping = self.0.mapping_mut().expect("a loan has no clones");
        mapping.slice_mut(range.start * size_of::<T>(), range.len())
    }

    /// Room for values, which nobody else reads or writes meanwhile.
    pub(crate) fn fill(&mut self, range: Range<usize>) -> &mut [MaybeUninit<T>] {
        let mapping = self.0.mapping_mut().expect("a loan has no clones");
        mapping.room_mut(range.start * size_of::<T>(), range.len())
    }
}

impl<T> fmt::Debug for Loan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loan")
    }
}

impl<'de, T: Shareable> Deserialize<'de> for Loan<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Typed::from_object(attachment::read(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}
