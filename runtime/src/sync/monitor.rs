//! State in shared memory that threads of all processes change and wait for, and that a killed one cannot break.
//!
//! A robust lock guards the state. It is there **twice**, with a word that says which copy holds: a change is made to
//! the other copy and then declared by one store. So one that is killed in the middle has changed nothing.
//!
//! A wake-up must not be lost either, so it comes **before** the change is declared, with the lock held. Who is woken
//! looks at the state, for which it needs the lock, which it gets when the change is declared and the lock let go, or when
//! the kernel has let it go for one that was killed:
//!
//! | killed | the state | those who slept |
//! |---|---|---|
//! | before or in the middle of the wake-up | is the old one | sleep on, rightly, or look once in vain |
//! | between wake-up and declaration | is the old one | look once in vain |
//! | after the declaration | is the new one | look, and find it |
//!
//! There is no count of sleepers that a killed one could leave too high, only a word that says that somebody may sleep: a waiter
//! sets it with the lock held, and a wake-up, which is for all, clears it.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::sys::locked::{Locked, LockedGuard};
use crate::sys::shareable::shared_words;
use crate::sys::{Shareable, futex};

shared_words! {
    /// What stands beside the state.
    pub(crate) struct Bell {
        /// Which of the two copies holds: its lowest bit.
        current: AtomicU32,
        /// Sleepers sleep until it changes.
        sequence: AtomicU32,
        /// Not zero if somebody may sleep.
        sleepers: AtomicU32,
    }
}

/// The state, guarded.
pub(crate) type Monitor<S> = Locked<Bell, [S; 2]>;

/// What an attempt comes to.
#[derive(Debug)]
pub(crate) enum Step<R> {
    /// It waits, and its changes are dropped. `look` asks for an attempt now and then although nothing changed.
    Wait { look: bool },
    /// It is done, in a way that lets nobody else go on.
    Done(R),
    /// It is done, and others may go on by it.
    Tell(R),
}

/// Which attempt it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// It has waited for a while: time to look whether those that it waits for live.
    pub(crate) look: bool,
    /// The last one: the deadline has passed.
    pub(crate) timed_out: bool,
}

/// When a waiter looks for the first time whether those that it waits for live, and how long apart it does so later.
const FIRST_LOOK: Duration = Duration::from_millis(4);
const LATER_LOOKS: Duration = Duration::from_millis(250);

impl<S: Shareable + Copy> Locked<Bell, [S; 2]> {
    /// Makes the state, in memory that is all zero and that nobody else sees yet.
    pub(crate) fn begin(&self, state: S) -> io::Result<()> {
        self.initialise([state; 2])
    }

    /// The state as it is.
    pub(crate) fn state(&self) -> io::Result<S> {
        let guard = self.enter()?;
        Ok(guard[self.current()])
    }

    /// Changes the state, and wakes who waits.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut S) -> R) -> io::Result<R> {
        let mut guard = self.enter()?;
        let mut state = guard[self.current()];
        let result = change(&mut state);
        self.wake();
        self.declare(&mut guard, state);
        Ok(result)
    }

    /// Changes the state in a way that lets nobody go on.
    pub(crate) fn update_quietly<R>(&self, change: impl FnOnce(&mut S) -> R) -> io::Result<R> {
        let mut guard = self.enter()?;
        let mut state = guard[self.current()];
        let result = change(&mut state);
        self.declare(&mut guard, state);
        Ok(result)
    }

    /// Attempts something at once and after each change, until it is done, or the deadline: `None` when also the last attempt, for
    /// which [`Turn::timed_out`] is set, waits.
    pub(crate) fn wait_until<R>(
        &self,
        deadline: Option<Instant>,
        mut attempt: impl FnMut(&mut S, Turn) -> Step<R>,
    ) -> io::Result<Option<R>> {
        let bell = self.words();
        let mut turn = Turn { look: false, timed_out: false };
        let (mut next_look, mut pause) = (None, FIRST_LOOK);
        loop {
            let mut guard = self.enter()?;
            let mut state = guard[self.current()];
            let look = match attempt(&mut state, turn) {
                Step::Done(result) => {
                    self.declare(&mut guard, state);
                    return Ok(Some(result));
                }
                Step::Tell(result) => {
                    self.wake();
                    self.declare(&mut guard, state);
                    return Ok(Some(result));
                }
                Step::Wait { .. } if turn.timed_out => return Ok(None),
                Step::Wait { look } => look,
            };
            let sequence = bell.sequence.load(Ordering::Relaxed);
            bell.sleepers.store(1, Ordering::Relaxed);
            drop(guard);
            if turn.look {
                pause = (pause * 2).min(LATER_LOOKS);
                next_look = None;
            }
            let next = look.then(|| *next_look.get_or_insert_with(|| Instant::now() + pause));
            let until = deadline.into_iter().chain(next).min();
            futex::wait(&bell.sequence, sequence, until)?;
            let has_passed = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= Instant::now());
            turn = Turn { look: has_passed(next), timed_out: has_passed(deadline) };
        }
    }

    fn enter(&self) -> io::Result<LockedGuard<'_, Bell, [S; 2]>> {
        // Whether the last holder died makes no difference: that is what this is for.
        let (guard, _) = self.lock(None)?.ok_or(io::ErrorKind::TimedOut)?;
        Ok(guard)
    }

    fn current(&self) -> usize {
        (self.words().current.load(Ordering::Relaxed) & 1) as usize
    }

    /// Wakes all who sleep. The lock is held, and the change not yet declared.
    fn wake(&self) {
        let bell = self.words();
        if bell.sleepers.load(Ordering::Relaxed) != 0 {
            bell.sequence.fetch_add(1, Ordering::Relaxed);
            futex::wake(&bell.sequence, u32::MAX);
            bell.sleepers.store(0, Ordering::Relaxed);
        }
    }

    fn declare(&self, guard: &mut LockedGuard<'_, Bell, [S; 2]>, state: S) {
        guard[self.current() ^ 1] = state;
        self.words().current.fetch_xor(1, Ordering::Release);
    }
}
