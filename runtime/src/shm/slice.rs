//! [`SharedSlice`]: many values of one type that processes share.

use std::fmt;
use std::io;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Zero;
use super::typed::Typed;
use crate::Shareable;
use crate::wire::attachment;

/// Values of one type, side by side, that processes share. Their number is fixed.
///
/// A handle, as [`Shared`](super::Shared) is one; and as there, atomics change, and what is none stays as it is from when a second handle
/// was made or one was sent. Before that it can be changed: here by [`get_mut`](Self::get_mut), and by the workers of a
/// [`Pool`](crate::pool::Pool::for_each_mut).
///
/// ```
/// use offspring::shm::SharedSlice;
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
///
/// fn count(text: SharedSlice<u8>, histogram: SharedSlice<AtomicU32>) {
///     for byte in &text {
///         histogram[usize::from(*byte)].fetch_add(1, Relaxed);
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let text = SharedSlice::from_slice(b"hello")?;
///     let histogram = SharedSlice::<AtomicU32>::zeroed(256)?;
///     offspring::spawn(count, (text, histogram.clone()))?.join()?;
///     assert_eq!(histogram[usize::from(b'l')].load(Relaxed), 2);
///     Ok(())
/// }
/// ```
#[doc(alias = "Array")]
#[doc(alias = "RawArray")]
pub struct SharedSlice<T>(Typed<T>);

impl<T: Shareable> SharedSlice<T> {
    /// Makes this many values, each of its index.
    ///
    /// # Errors
    /// `OutOfMemory` when there is not as much memory, `InvalidInput` when there cannot be; those of the system.
    pub fn from_fn(count: usize, value: impl FnMut(usize) -> T) -> io::Result<Self> {
        Typed::new(count, value).map(Self)
    }

    /// Makes copies of these values.
    ///
    /// # Errors
    /// As [`from_fn`](Self::from_fn).
    pub fn from_slice(values: &[T]) -> io::Result<Self>
    where
        T: Copy,
    {
        Self::from_fn(values.len(), |index| values[index])
    }

    /// Makes this many values that are zero.
    ///
    /// # Errors
    /// As [`from_fn`](Self::from_fn).
    pub fn zeroed(count: usize) -> io::Result<Self>
    where
        T: Zero,
    {
        Typed::zeroed(count).map(Self)
    }

    /// The values themselves, to be changed, while nobody else has them: they were made in this process, and no handle was cloned or
    /// sent. As [`Arc::get_mut`](std::sync::Arc::get_mut); a [pool](crate::pool::Pool::for_each_mut) changes them so with several processes.
    ///
    /// ```
    /// use offspring::shm::SharedSlice;
    ///
    /// let mut table = SharedSlice::from_fn(3, |index| index as f64)?;
    /// table.get_mut().unwrap()[2] = 0.5;
    /// let clone = table.clone();
    /// assert!(table.get_mut().is_none());
    /// assert_eq!(clone[..], [0.0, 1.0, 0.5]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> Option<&mut [T]> {
        if !self.0.is_alone() {
            return None;
        }
        let count = self.0.count();
        self.0.mapping_mut().map(|mapping| mapping.slice_mut(0, count))
    }

    pub(super) fn typed(&self) -> &Typed<T> {
        &self.0
    }

    pub(super) fn typed_mut(&mut self) -> &mut Typed<T> {
        &mut self.0
    }

    pub(super) fn of(typed: Typed<T>) -> Self {
        Self(typed)
    }
}

impl<T: Shareable> Deref for SharedSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.values()
    }
}

impl<T: Shareable> AsRef<[T]> for SharedSlice<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<'a, T: Shareable> IntoIterator for &'a SharedSlice<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> Clone for SharedSlice<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for SharedSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<T: Shareable> Serialize for SharedSlice<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attachment::write(self.0.share(), serializer)
    }
}

impl<'de, T: Shareable> Deserialize<'de> for SharedSlice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Typed::from_object(attachment::read(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}
