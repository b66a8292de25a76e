//! The lock under the locks: who held it last, whether that one died, and who has waited too long.
//!
//! A lock that is free belongs to whoever comes first, and that is who has just unlocked it: the others are only being woken.
//! So a thread that has waited for [`PATIENT`] says that it is **starving**. Who comes for the lock and sees that does not compete
//! but sleeps until the starving one has got it, or for [`COURTESY`]. One that was killed meanwhile costs the next comer
//! that much, once: whoever gets the lock after having waited out the courtesy takes the word down.

use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::page::process_of;
use super::poison::Cause;
use crate::sys::locked::{Got, How, Locked, LockedGuard};
use crate::sys::shareable::shared_words;
use crate::sys::{Shareable, futex, own};

/// After this long a thread that waits is starving.
const PATIENT: Duration = Duration::from_millis(1);

/// How long others let a starving one go first.
const COURTESY: Duration = Duration::from_millis(1);

/// How long one sleep lasts at most before a waiter looks whether it must say again that it is starving.
const LONGEST: Duration = Duration::from_millis(100);

shared_words! {
    /// What stands beside a lock.
    pub(crate) struct Words {
        /// In whose name it is held: see [`Page::holder`](super::page::Page::holder); perhaps with [`PANICKING`]. Zero while
        /// it is free.
        holder: AtomicU64,
        /// Why the data may be inconsistent: a [`Cause`] as a number, or zero.
        poison: AtomicU32,
        /// Which process it was.
        culprit: AtomicU32,
        /// The number of one that is starving, or zero.
        starving: AtomicU32,
        /// For those numbers.
        count: AtomicU32,
    }
}

/// The bit of a holder's name that says that its thread was panicking when it locked: only a panic since then poisons.
pub(crate) const PANICKING: u64 = 1;

const DIED: u32 = 1;
const PANICKED: u32 = 2;

impl Words {
    /// Whether somebody has waited too long.
    #[inline]
    pub(crate) fn anybody_starves(&self) -> bool {
        self.starving.load(Ordering::Relaxed) != 0
    }

    /// Says in whose name it is held.
    #[inline]
    pub(crate) fn begin(&self, holder: u64) {
        self.holder.store(holder, Ordering::Relaxed);
    }

    /// Poisons the data if it is still held in somebody's name, where the caller knows that nobody alive holds it.
    #[inline]
    pub(crate) fn bury(&self) {
        let holder = self.holder.load(Ordering::Relaxed);
        if holder != 0
            && self.holder.compare_exchange(holder, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.poison_with(Cause::Died, process_of(holder));
        }
    }

    /// Whether the lock is held by this process.
    pub(crate) fn is_held_in(&self, pid: u32) -> bool {
        process_of(self.holder.load(Ordering::Relaxed)) == Some(pid)
    }

    /// Whether the lock is held in this name.
    pub(crate) fn is_held_by(&self, holder: u64) -> bool {
        self.holder.load(Ordering::Relaxed) & !PANICKING == holder
    }

    /// Which mapping it is held by: the name of a holder but for the process.
    pub(crate) fn mapping(&self) -> u64 {
        self.holder.load(Ordering::Relaxed) & 0xFFFF_FFFF & !PANICKING
    }

    /// Whether the holder, who asks, panics now and did not when it locked.
    #[inline]
    pub(crate) fn began_to_panic(&self) -> bool {
        std::thread::panicking() && self.holder.load(Ordering::Relaxed) & PANICKING == 0
    }

    /// Why the data may be inconsistent, and which process is to blame.
    #[inline]
    pub(crate) fn poison(&self) -> Option<(Cause, Option<u32>)> {
        match self.poison.load(Ordering::Relaxed) {
            0 => None,
            poison => Some(self.culprit(poison)),
        }
    }

    #[cold]
    fn culprit(&self, poison: u32) -> (Cause, Option<u32>) {
        let culprit = Some(self.culprit.load(Ordering::Relaxed)).filter(|pid| *pid != 0);
        (if poison == PANICKED { Cause::Panicked } else { Cause::Died }, culprit)
    }

    /// Poisons the data, by a holder.
    #[cold]
    pub(crate) fn poison_with(&self, cause: Cause, culprit: Option<u32>) {
        self.culprit.store(culprit.unwrap_or(0), Ordering::Relaxed);
        let poison = if cause == Cause::Panicked { PANICKED } else { DIED };
        self.poison.store(poison, Ordering::Release);
    }

    /// Declares the data consistent.
    pub(crate) fn clear_poison(&self) {
        self.poison.store(0, Ordering::Relaxed);
    }

    /// What a holder does before it unlocks; in a copy made by a fork, which holds nothing, it does nothing.
    #[inline]
    pub(crate) fn let_go(&self, panicked_meanwhile: bool) {
        let holder = self.holder.load(Ordering::Relaxed);
        if (holder >> 32) as u32 == own::pid() {
            if panicked_meanwhile {
                self.poison_with(Cause::Panicked, process_of(holder));
            }
            self.holder.store(0, Ordering::Relaxed);
        }
    }
}

/// The data of a lock, for its holder.
pub(crate) type Guard<'a, T> = LockedGuard<'a, Words, T>;

/// Locks if nobody holds it.
#[inline]
pub(crate) fn try_lock<T: Shareable>(
    lock: &Locked<Words, T>,
    holder: u64,
) -> io::Result<Option<Guard<'_, T>>> {
    Ok(lock.try_lock()?.map(|got| take(got, holder)))
}

/// Locks, waiting until the deadline: `None` when it has passed. One that inherits the lock of a dead holder poisons it.
#[inline]
pub(crate) fn lock<T: Shareable>(
    lock: &Locked<Words, T>,
    holder: u64,
    deadline: Option<Instant>,
) -> io::Result<Option<Guard<'_, T>>> {
    if !lock.words().anybody_starves() {
        if let Some(got) = lock.try_lock()? {
            return Ok(Some(take(got, holder)));
        }
    }
    wait(lock, holder, deadline)
}

#[inline]
pub(crate) fn take<T: Shareable>((guard, how): Got<'_, Words, T>, holder: u64) -> Guard<'_, T> {
    let words = guard.place().words();
    if how == How::Inherited {
        // One that died before it had left its name left a zero.
        words.poison_with(Cause::Died, process_of(words.holder.load(Ordering::Relaxed)));
    }
    words.holder.store(holder, Ordering::Relaxed);
    guard
}

/// As [`lock`], for one that has just found it held, or somebody starving.
#[cold]
pub(crate) fn wait<T: Shareable>(
    lock: &Locked<Words, T>,
    holder: u64,
    deadline: Option<Instant>,
) -> io::Result<Option<Guard<'_, T>>> {
    Ok(wait_fairly(lock, deadline)?.map(|got| take(got, holder)))
}

fn wait_fairly<T: Shareable>(
    lock: &Locked<Words, T>,
    deadline: Option<Instant>,
) -> io::Result<Option<Got<'_, Words, T>>> {
    if let Some(guard) = after_the_starving(lock, deadline)? {
        return Ok(Some(guard));
    }
    let mut starving = Starving { word: &lock.words().starving, number: 0 };
    let mut slice = PATIENT;
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let guard = lock.wait_for(left.map_or(slice, |left| left.min(slice)))?;
        if guard.is_some() || left.is_some_and(|left| left <= slice) {
            return Ok(guard);
        }
        starving.say_so(&lock.words().count);
        slice = (slice * 2).min(LONGEST);
    }
}

/// Lets a starving one go first, if there is one.
fn after_the_starving<T: Shareable>(
    lock: &Locked<Words, T>,
    deadline: Option<Instant>,
) -> io::Result<Option<Got<'_, Words, T>>> {
    let word = &lock.words().starving;
    let number = word.load(Ordering::Relaxed);
    if number == 0 {
        return Ok(None);
    }
    let end = Instant::now() + COURTESY;
    let until = deadline.map_or(end, |deadline| deadline.min(end));
    while word.load(Ordering::Relaxed) == number {
        if futex::wait(word, number, Some(until))? == futex::Woken::TimedOut {
            break;
        }
    }
    let guard = lock.try_lock()?;
    if guard.is_some() {
        // Still there: it is dead, or slower than the courtesy lasts and will say so again.
        let _another_is_starving_now = word.compare_exchange(number, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
    Ok(guard)
}

/// What a waiter has said.
struct Starving<'a> {
    word: &'a AtomicU32,
    /// Zero if it has said nothing.
    number: u32,
}

impl Starving<'_> {
    fn say_so(&mut self, count: &AtomicU32) {
        if self.number == 0 {
            self.number = count.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
        }
        let _another_has_said_so =
            self.word.compare_exchange(0, self.number, Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl Drop for Starving<'_> {
    /// It has the lock, or gives up: the others may go on.
    fn drop(&mut self) {
        if self.number != 0
            && self.word.compare_exchange(self.number, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            futex::wake(self.word, u32::MAX);
        }
    }
}
