//! The bell: how those who wait for a change in shared memory learn of it, whoever is killed meanwhile.
//!
//! A waiter sleeps in one of two ways. It **naps** first, on a futex, for some milliseconds at most: that is the cheap and fast way
//! and needs no descriptor. What takes longer it waits for in **deep sleep**, in `poll` on its end of a socket, where it sees its
//! peers' death too; then the bell has to be rung with a **token** through the socket.
//!
//! A bell that rings too often costs a look at nothing. One that does not ring when it should would cost the waiter's life, and whoever
//! rings may be killed at any instruction. Hence:
//!
//! - *Naps are short.* A ring that is missed because the ringer was killed between the change and the ring is made up for
//!   by the end of the nap.
//! - *Tokens come before the change.* Who changes something does so under a lock; holding it, it looks for deep sleepers
//!   ([`wants_token`](Bell::wants_token)) and sends the token first. A sleeper asks first ([`ask`](Bell::ask)), then sees that nobody holds the
//!   lock, then looks for a change, then sleeps. So either the changer sees the question, or the sleeper sees the lock held
//!   and naps instead. A changer that is killed between token and change has woken a sleeper for nothing, who naps until the
//!   lock is free or inherited.
//! - *Counts heal.* A napper that is killed stays in the count of nappers until a ring finds nobody asleep, which begins a new
//!   generation of nappers at zero. Those of the old one that live are told by a second ring to count themselves anew, and
//!   do not count themselves out of the new one.

use std::io;
use std::time::{Duration, Instant};

use crate::sys::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::sys::futex;
use crate::sys::shareable::shared_layout;

shared_layout! {
    /// A bell in shared memory. All zero is a bell that nobody waits for.
    pub(super) struct Bell {
        /// How many nap, and in the upper half the generation that they belong to.
        nappers: AtomicU64,
        sequence: AtomicU32,
        /// How many are in deep sleep, about: those that were killed stay counted.
        deep: AtomicU32,
        /// The number of the last question for a token, and of the last that was answered.
        asked: AtomicU64,
        answered: AtomicU64,
    }
}

/// The bits of the count of nappers.
const NAPPERS: u64 = 0xFFFF_FFFF;

impl Bell {
    /// After a change: wakes one who naps.
    pub(super) fn ring(&self) {
        fence(Ordering::SeqCst);
        self.ring_for(1);
    }

    /// After a change that was itself sequentially consistent, which spares the fence: wakes one who naps.
    #[inline]
    pub(super) fn ring_at_once(&self) {
        if self.nappers.load(Ordering::SeqCst) & NAPPERS > 0 {
            self.ring_for(1);
        }
    }

    /// After a change that concerns all: wakes all who nap.
    pub(super) fn ring_for_all(&self) {
        fence(Ordering::SeqCst);
        self.ring_for(u32::MAX);
    }

    fn ring_for(&self, count: u32) {
        // The change comes before this look at the nappers, in the one order of all such accesses; the other half is in `nap`.
        let nappers = self.nappers.load(Ordering::SeqCst);
        if nappers & NAPPERS == 0 {
            return;
        }
        self.sequence.fetch_add(1, Ordering::SeqCst);
        if futex::wake(&self.sequence, count) > 0 {
            return;
        }
        // All who are counted are awake, or dead, or on their way to sleep after somebody else took what this was rung for.
        let anew = (nappers | NAPPERS).wrapping_add(1);
        if self.nappers.compare_exchange(nappers, anew, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
            self.sequence.fetch_add(1, Ordering::SeqCst);
            futex::wake(&self.sequence, u32::MAX);
        }
    }

    /// Sleeps until the bell rings, or the deadline, unless there is something already.
    pub(super) fn nap(&self, there_is: impl Fn() -> bool, deadline: Option<Instant>) -> io::Result<()> {
        let time = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        self.nap_for(there_is, time)
    }

    /// Sleeps as [`nap`](Self::nap) does, for at most so long.
    pub(super) fn nap_for(&self, there_is: impl Fn() -> bool, time: Option<Duration>) -> io::Result<()> {
        // First, so that whoever counts this one out afterwards moves it on.
        let sequence = self.sequence.load(Ordering::SeqCst);
        let generation = self.nappers.fetch_add(1, Ordering::SeqCst) & !NAPPERS;
        fence(Ordering::SeqCst);
        let slept =
            if there_is() { Ok(()) } else { futex::wait_for(&self.sequence, sequence, time).map(drop) };
        let down =
            |nappers: u64| (nappers & !NAPPERS == generation && nappers & NAPPERS > 0).then(|| nappers - 1);
        let _counted_out_already = self.nappers.fetch_update(Ordering::SeqCst, Ordering::Relaxed, down);
        slept
    }

    /// Asks for a token at the next change.
    pub(super) fn ask(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts one more in deep sleep, or one less.
    pub(super) fn count(&self, lies_down: bool) {
        let moved = |deep: u32| Some(if lies_down { deep.saturating_add(1) } else { deep.saturating_sub(1) });
        let _before = self.deep.fetch_update(Ordering::SeqCst, Ordering::Relaxed, moved);
    }

    /// Counts one in deep sleep, until drop.
    pub(super) fn lie_down(&self) -> LyingDown<'_> {
        self.count(true);
        LyingDown(self)
    }

    /// Whether anybody is in deep sleep, perhaps.
    pub(super) fn somebody_lies_down(&self) -> bool {
        self.deep.load(Ordering::SeqCst) > 0
    }

    /// Whether others than the caller are in deep sleep, perhaps.
    pub(super) fn others_lie_down(&self) -> bool {
        self.deep.load(Ordering::SeqCst) > 1
    }

    /// Before a change, with its lock held: the question that a token would answer, if there is one.
    pub(super) fn wants_token(&self) -> Option<u64> {
        let asked = self.asked.load(Ordering::SeqCst);
        (asked > self.answered.load(Ordering::SeqCst)).then_some(asked)
    }

    /// The token has been sent that answers a question.
    pub(super) fn answer(&self, asked: u64) {
        self.answered.fetch_max(asked, Ordering::SeqCst);
    }
}

/// One in deep sleep.
#[derive(Debug)]
pub(super) struct LyingDown<'a>(&'a Bell);

impl Drop for LyingDown<'_> {
    fn drop(&mut self) {
        self.0.count(false);
    }
}
