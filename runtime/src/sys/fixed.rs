//! Data in shared memory that is written once, and from then on only read; what changes in it, changes atomically.

use std::cell::UnsafeCell;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Shareable;

/// Words that everybody may use at any time, and the data.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Fixed<W, T> {
    words: W,
    stage: AtomicU32,
    data: UnsafeCell<T>,
}

const BEING_WRITTEN: u32 = 1;
const WRITTEN: u32 = 2;

// SAFETY: the data is written once, before anybody gets to see it, and `T` is fit for being seen by all at once.
unsafe impl<W: Shareable, T: Shareable> Sync for Fixed<W, T> {}
// SAFETY: laid out as in C, of shareable parts.
unsafe impl<W: Shareable, T: Shareable> Shareable for Fixed<W, T> {}

impl<W: Shareable, T: Shareable> Fixed<W, T> {
    /// Writes the data, in memory that is all zero.
    ///
    /// # Errors
    /// When they are written already.
    pub(crate) fn initialise(&self, data: T) -> io::Result<()> {
        let fresh = self.stage.compare_exchange(0, BEING_WRITTEN, Ordering::Acquire, Ordering::Relaxed);
        fresh.map_err(|_| io::ErrorKind::AlreadyExists)?;
        // SAFETY: valid for writing, and nobody else does, nor reads before the next line.
        unsafe { self.data.get().write(data) };
        self.stage.store(WRITTEN, Ordering::Release);
        Ok(())
    }

    /// The words beside the data.
    #[inline]
    pub(crate) fn words(&self) -> &W {
        &self.words
    }

    /// The data.
    ///
    /// # Panics
    /// When they are not written yet: whoever opened this has checked that they are.
    #[inline]
    pub(crate) fn data(&self) -> &T {
        assert_eq!(self.stage.load(Ordering::Acquire), WRITTEN, "the shared value is not there yet");
        // SAFETY: written, and never again.
        unsafe { &*self.data.get() }
    }
}
