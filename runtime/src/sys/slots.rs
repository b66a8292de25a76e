//! Data in shared memory that several threads read at once, or one writes ("big-reader lock").
//!
//! Each slot is a robust lock on a cache line of its own. A reader holds one slot, any; a writer holds all. So readers do not write
//! to memory of each other's, and the kernel knows who holds what, and lets go of it when the holder ends.

use std::cell::UnsafeCell;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::robust::{Held, RobustMutex};
use super::{Shareable, own};

/// How many threads can read at once.
const COUNT: usize = 32;

#[derive(Debug)]
#[repr(C, align(64))]
struct Slot {
    lock: RobustMutex,
    /// Who holds it, as the holder names itself.
    holder: AtomicU64,
}

/// The slots, words that everybody may use at any time, and the data.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Slots<W, T> {
    words: W,
    all: [Slot; COUNT],
    data: UnsafeCell<T>,
}

// SAFETY: the data is read by holders of a slot, and written by who holds all of them.
unsafe impl<W: Shareable, T: Shareable> Sync for Slots<W, T> {}
// SAFETY: laid out as in C, of shareable parts.
unsafe impl<W: Shareable, T: Shareable> Shareable for Slots<W, T> {}

/// A slot is held by this thread.
#[derive(Debug)]
#[must_use = "dropping it unlocks"]
struct Taken<'a> {
    slot: &'a Slot,
    _held: Held<'a>,
}

/// The data, for reading.
#[derive(Debug)]
#[must_use = "dropping it unlocks"]
pub(crate) struct ReadHeld<'a, T> {
    data: &'a UnsafeCell<T>,
    _taken: Taken<'a>,
}

/// The data, for writing.
#[derive(Debug)]
#[must_use = "dropping it unlocks"]
pub(crate) struct WriteHeld<'a, T> {
    data: &'a UnsafeCell<T>,
    _all: Vec<Taken<'a>>,
}

impl Slot {
    fn taken<'a>(&'a self, held: Option<Held<'a>>, holder: u64) -> Option<Taken<'a>> {
        let held = held?;
        self.holder.store(holder, Ordering::Relaxed);
        Some(Taken { slot: self, _held: held })
    }
}

impl Drop for Taken<'_> {
    #[inline]
    fn drop(&mut self) {
        // In a copy made by a fork, which holds nothing, it does nothing.
        if (self.slot.holder.load(Ordering::Relaxed) >> 32) as u32 == own::pid() {
            self.slot.holder.store(0, Ordering::Relaxed);
        }
    }
}

impl<W: Shareable, T: Shareable> Slots<W, T> {
    /// Makes the locks, in memory that is all zero and that nobody else sees yet.
    pub(crate) fn initialise(&self, data: T) -> io::Result<()> {
        self.all.iter().try_for_each(|slot| slot.lock.initialise())?;
        // SAFETY: valid for writing, and nobody else sees it yet.
        unsafe { self.data.get().write(data) };
        Ok(())
    }

    /// The words beside the slots.
    #[inline]
    pub(crate) fn words(&self) -> &W {
        &self.words
    }

    /// Whether somebody of this name holds a slot.
    pub(crate) fn is_held_by(&self, holder: u64) -> bool {
        self.all.iter().any(|slot| slot.holder.load(Ordering::Relaxed) == holder)
    }

    /// Takes a free slot for reading, the first one from this index on.
    #[inline]
    pub(crate) fn try_read_any(&self, first: usize, holder: u64) -> io::Result<Option<ReadHeld<'_, T>>> {
        for further in 0..COUNT {
            let slot = &self.all[first.wrapping_add(further) % COUNT];
            let held = match slot.lock.try_lock() {
                // This thread reads already, by this very slot.
                Err(error) if error.kind() == io::ErrorKind::Deadlock => None,
                held => held?,
            };
            if let Some(taken) = slot.taken(held, holder) {
                return Ok(Some(ReadHeld { data: &self.data, _taken: taken }));
            }
        }
        Ok(None)
    }

    /// Takes a slot for reading, waiting for it until the deadline.
    pub(crate) fn read(
        &self,
        index: usize,
        holder: u64,
        deadline: Option<Instant>,
    ) -> io::Result<Option<ReadHeld<'_, T>>> {
        let slot = &self.all[index % COUNT];
        let taken = slot.taken(slot.lock.lock(deadline)?, holder);
        Ok(taken.map(|taken| ReadHeld { data: &self.data, _taken: taken }))
    }

    /// Takes all slots, waiting until the deadline for those that are held; `wait` says whether to wait at all. One thread at a time calls
    /// this, so that no two wait for each other.
    pub(crate) fn write(
        &self,
        holder: u64,
        wait: bool,
        deadline: Option<Instant>,
    ) -> io::Result<Option<WriteHeld<'_, T>>> {
        let mut all = Vec::with_capacity(COUNT);
        // First those that are free: a thread that reads learns that here, before it waits for others.
        let mut busy = Vec::new();
        for slot in &self.all {
            match slot.taken(slot.lock.try_lock()?, holder) {
                Some(taken) => all.push(taken),
                None if wait => busy.push(slot),
                None => return Ok(None),
            }
        }
        for slot in busy {
            let Some(taken) = slot.taken(slot.lock.lock(deadline)?, holder) else { return Ok(None) };
            all.push(taken);
        }
        Ok(Some(WriteHeld { data: &self.data, _all: all }))
    }
}

impl<T> Deref for ReadHeld<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this thread holds a slot, so nobody holds all.
        unsafe { &*self.data.get() }
    }
}

impl<T> Deref for WriteHeld<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this thread holds all slots.
        unsafe { &*self.data.get() }
    }
}

impl<T> DerefMut for WriteHeld<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this thread holds all slots, by this guard alone.
        unsafe { &mut *self.data.get() }
    }
}
