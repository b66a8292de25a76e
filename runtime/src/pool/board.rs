//! The board of one pass over a slice: memory that the pool and its workers share, from which each of them takes ranges.
//!
//! Two words count. `next` says where the next range begins, and whose the one before it is; who takes a range puts its end and its
//! own number there, by one compare-and-swap. Each who takes part has a **slot**, where it says beforehand which range it is about to take, and
//! afterwards that it is done with it. So whoever dies when, it is known which range it had:
//!
//! ```text
//!              next                      slot 1              slot 2
//!   begin      0, nobody's               –                   –
//!   1 is about to take 0..8              0..8 (?)
//!   1 takes    8, 1's                    0..8
//!   2 is about to take 8..16, and        0..8, confirmed     8..16 (?)
//!     writes down that 0..8 is 1's
//!   2 takes    16, 2's                   0..8, confirmed     8..16
//! ```
//!
//! What a slot says is true if `next` or a confirmation bears it out: `next` does until somebody else takes a range, and who does has confirmed it
//! before. Ends only grow, so an old confirmation, which came late, is never taken for a new one.
//!
//! The pool **closes** the board to end the pass early: from then on nobody takes a range. What a slot still says then is being worked at, unless its
//! holder is dead. So the owner of the slice waits for the board to be closed or at its end, and for all slots to be done or their holders dead, and
//! then has it to itself again.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::shareable::shared_layout;

/// How many can take part.
pub(super) const SLOTS: usize = 64;

/// How many bits of a word are for a slot's number and one; the others are for a place, but for the last.
const BITS: u32 = 8;
/// No range is taken any more.
const CLOSED: u64 = 1 << 63;
/// How many elements a slice can have: all that fit into memory, and not all of those that have no bytes.
pub(super) const MOST: u64 = (CLOSED >> BITS) - 1;

shared_layout! {
    pub(super) struct Board {
        /// Where the next range begins, and whose the last one is.
        next: AtomicU64,
        end: u64,
        /// How many are expected to take part.
        crew: u64,
    }

    pub(super) struct Slot {
        /// The process that takes part.
        holder: AtomicU64,
        /// What it works at, if that is borne out; nothing when they are equal.
        start: AtomicU64,
        end: AtomicU64,
        /// What was in `next` when it had a range, as others saw it.
        confirmed: AtomicU64,
    }

    pub(super) struct Sheet {
        board: Board,
        slots: [Slot; SLOTS],
    }
}

/// What is in `next` when a slot has taken a range up to a place.
fn word(place: u64, slot: usize) -> u64 {
    (place << BITS) | (slot as u64 + 1)
}

fn place(word: u64) -> u64 {
    (word & !CLOSED) >> BITS
}

fn slot(word: u64) -> Option<usize> {
    usize::try_from(word & ((1 << BITS) - 1)).ok()?.checked_sub(1)
}

impl Sheet {
    /// A board with these elements on it.
    pub(super) fn new(range: &Range<u64>, crew: usize) -> Self {
        let slot = |_| Slot {
            holder: AtomicU64::new(0),
            start: AtomicU64::new(0),
            end: AtomicU64::new(0),
            confirmed: AtomicU64::new(0),
        };
        Self {
            board: Board {
                next: AtomicU64::new(range.start << BITS),
                end: range.end,
                crew: crew.max(1) as u64,
            },
            slots: std::array::from_fn(slot),
        }
    }

    // --- The workers' ---

    /// Takes part, as a process: `false` if the slot is another's.
    pub(super) fn enter(&self, slot: usize, process: u64) -> bool {
        let holder = &self.slots[slot].holder;
        holder.compare_exchange(0, process, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Takes the next range, of at most so many elements; what was taken before is done.
    pub(super) fn take(&self, slot: usize, most: u64) -> Option<Range<u64>> {
        let mine = &self.slots[slot];
        self.done(slot);
        let mut seen = self.board.next.load(Ordering::Acquire);
        loop {
            let (start, end) = (place(seen), self.board.end);
            if seen & CLOSED != 0 || start >= end {
                self.done(slot);
                return None;
            }
            // The last ones are shared.
            let share = (end - start).div_ceil(4 * self.board.crew);
            let stop = start + most.clamp(1, share);
            // In this order: in between it is nothing.
            mine.start.store(start, Ordering::Release);
            mine.end.store(stop, Ordering::Release);
            self.confirm(seen);
            let taken = word(stop, slot);
            match self.board.next.compare_exchange(seen, taken, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(start..stop),
                Err(now) => seen = now,
            }
        }
    }

    /// Says that what was taken is done.
    fn done(&self, slot: usize) {
        let mine = &self.slots[slot];
        mine.start.store(mine.end.load(Ordering::Relaxed), Ordering::Release);
    }

    /// Writes down whose the last range is, before the word that says so is gone.
    fn confirm(&self, seen: u64) {
        if let Some(slot) = slot(seen).and_then(|slot| self.slots.get(slot)) {
            slot.confirmed.fetch_max(seen, Ordering::AcqRel);
        }
    }

    // --- The pool's ---

    /// Lets nobody take a range any more: what nobody has taken.
    pub(super) fn close(&self) -> Range<u64> {
        let last = self.board.next.fetch_or(CLOSED, Ordering::AcqRel);
        place(last).min(self.board.end)..self.board.end
    }

    /// Whether there is nothing more to be taken.
    pub(super) fn is_at_its_end(&self) -> bool {
        let next = self.board.next.load(Ordering::Acquire);
        next & CLOSED != 0 || place(next) >= self.board.end
    }

    /// How many elements nobody has taken.
    pub(super) fn untaken(&self) -> u64 {
        self.board.end.saturating_sub(place(self.board.next.load(Ordering::Acquire)))
    }

    /// The process that has a slot.
    pub(super) fn holder(&self, slot: usize) -> Option<u64> {
        Some(self.slots[slot].holder.load(Ordering::Acquire)).filter(|holder| *holder != 0)
    }

    /// What a slot is at. The answer lasts if its holder is dead, and an answer of nothing if the board is closed.
    pub(super) fn has(&self, slot: usize) -> Option<Range<u64>> {
        let its = &self.slots[slot];
        let end = its.end.load(Ordering::Acquire);
        let range = its.start.load(Ordering::Acquire)..end;
        let taken = word(end, slot);
        // In this order: it is not gone from there before it is confirmed.
        let is_last = self.board.next.load(Ordering::Acquire) & !CLOSED == taken;
        let is_its = is_last || its.confirmed.load(Ordering::Acquire) == taken;
        (!range.is_empty() && is_its).then_some(range)
    }

    /// Clears a slot whose holder is dead, or has left.
    pub(super) fn clear(&self, slot: usize) {
        self.done(slot);
        self.slots[slot].holder.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(count: u64) -> Sheet {
        Sheet::new(&(0..count), 2)
    }

    #[test]
    fn ranges_are_taken_once_each_and_the_last_ones_are_small() {
        let sheet = sheet(1000);
        let (mut next, mut lengths) = (0, Vec::new());
        while let Some(range) = sheet.take(usize::try_from(next % 3).unwrap(), 100) {
            assert_eq!(range.start, next);
            next = range.end;
            lengths.push(range.end - range.start);
        }
        assert_eq!(next, 1000);
        assert!(lengths.is_sorted_by(|a, b| a >= b) && lengths[0] == 100 && lengths.ends_with(&[1]));
        assert!(sheet.is_at_its_end() && (0..3).all(|slot| sheet.take(slot, 1).is_none()));
        assert!((0..SLOTS).all(|slot| sheet.has(slot).is_none()));
    }

    #[test]
    fn who_dies_after_any_step_has_what_it_took_and_nothing_else() {
        for others in 0..3 {
            let sheet = sheet(1000);
            assert_eq!(sheet.take(0, 8), Some(0..8));
            (0..others).for_each(|_| assert!(sheet.take(1, 8).is_some()));
            assert_eq!(sheet.has(0), Some(0..8), "others went on {others} times");
        }
        // About to take what another one takes.
        let sheet = sheet(1000);
        sheet.slots[0].end.store(8, Ordering::Relaxed);
        assert_eq!((sheet.has(0), sheet.take(1, 8), sheet.has(0)), (None, Some(0..8), None));
        assert_eq!((sheet.take(2, 8), sheet.has(0), sheet.has(1)), (Some(8..16), None, Some(0..8)));
        // Done, and about to take the next.
        assert_eq!((sheet.take(1, 8), sheet.take(2, 8)), (Some(16..24), Some(24..32)));
        sheet.done(1);
        assert_eq!(sheet.has(1), None);
        sheet.slots[1].start.store(32, Ordering::Relaxed);
        assert_eq!(sheet.has(1), None);
        sheet.slots[1].end.store(40, Ordering::Relaxed);
        assert_eq!(sheet.has(1), None);
    }

    #[test]
    fn a_confirmation_that_comes_late_takes_nothing_away() {
        let sheet = sheet(1000);
        sheet.take(0, 8);
        let seen = sheet.board.next.load(Ordering::Relaxed);
        sheet.take(1, 8);
        sheet.take(0, 8);
        sheet.take(1, 8);
        sheet.confirm(seen);
        assert_eq!(sheet.has(0), Some(16..24));
    }

    #[test]
    fn nothing_is_taken_from_a_closed_board() {
        let sheet = sheet(1000);
        assert!(sheet.enter(0, 7) && !sheet.enter(0, 8));
        sheet.take(0, 8);
        assert_eq!((sheet.close(), sheet.take(1, 8)), (8..1000, None));
        assert_eq!((sheet.has(0), sheet.holder(0)), (Some(0..8), Some(7)));
        assert_eq!((sheet.take(0, 8), sheet.has(0)), (None, None));
        sheet.clear(0);
        assert!(sheet.holder(0).is_none() && sheet.is_at_its_end());
    }

    #[test]
    fn threads_that_take_at_once_share_all_of_it() {
        let sheet = sheet(100_000);
        let sum: u64 = std::thread::scope(|scope| {
            let (sheet, mut threads) = (&sheet, Vec::new());
            for slot in 0..4 {
                let take = move || std::iter::from_fn(|| sheet.take(slot, 7)).map(Iterator::sum::<u64>).sum();
                threads.push(scope.spawn::<_, u64>(take));
            }
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(sum, (0..100_000).sum());
    }
}
