//! [`Shared`]: one value that processes share.

use std::fmt;
use std::io;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::typed::Typed;
use crate::Shareable;
use crate::wire::attachment;

/// One value that processes share.
///
/// A handle: its clones, and those that travelled to other processes, are of the same value, which is there as long as one of them.
/// What is to change is an atomic, alone or in a struct; for changes of several parts at once put the value into a mutex. What is no
/// atomic stays as it was made, and can be read as it is.
///
/// ```
/// use offspring::{Shareable, shm::Shared};
/// use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Progress {
///     total: u64,
///     done: AtomicU64,
///     cancel: AtomicBool,
/// }
///
/// fn work(progress: Shared<Progress>) {
///     for _ in 0..progress.total {
///         if progress.cancel.load(Relaxed) {
///             return;
///         }
///         progress.done.fetch_add(1, Relaxed);
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let progress = Progress { total: 100, done: AtomicU64::new(0), cancel: AtomicBool::new(false) };
///     let progress = Shared::new(progress)?;
///     offspring::spawn(work, (progress.clone(),))?.join()?;
///     assert_eq!(progress.done.load(Relaxed), 100);
///     Ok(())
/// }
/// ```
///
/// It takes one descriptor and the pages that the value needs. Deserialised as another type than it was made of it is an error.
#[doc(alias = "Value")]
#[doc(alias = "RawValue")]
pub struct Shared<T>(Typed<T>);

impl<T: Shareable> Shared<T> {
    /// Moves a value into memory that processes can share.
    ///
    /// # Errors
    /// `OutOfMemory` when there is no memory; those of the system.
    pub fn new(value: T) -> io::Result<Self> {
        Typed::one(value).map(Self)
    }
}

impl<T: Shareable> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.values()[0]
    }
}

impl<T: Shareable> AsRef<T> for Shared<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&**self).finish()
    }
}

impl<T: Shareable> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attachment::write(self.0.share(), serializer)
    }
}

impl<'de, T: Shareable> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let typed = Typed::from_object(attachment::read(deserializer)?).map_err(de::Error::custom)?;
        if typed.values().len() != 1 {
            return Err(de::Error::custom(
                "what arrived is a shared slice, where one shared value was expected",
            ));
        }
        Ok(Self(typed))
    }
}
