//! What the hand-written contestants wait by: two positions in shared memory, one of the writer and one of the reader.
//! Whoever waits spins for a while, or not at all, and then sleeps on a futex.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64, fence};

use crate::memory::{Common, futex_wait, futex_wake};

/// About 50 µs: a spin-loop hint takes 12 ns.
const SPINS: u32 = 4000;

/// What one side has published, and whether the other sleeps until it publishes more.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Cursor {
    position: AtomicU64,
    sleeper: AtomicU32,
}

/// The head of a shared memory that goes one way.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Lane {
    pub(crate) written: Cursor,
    pub(crate) read: Cursor,
}

// SAFETY: it consists of atomics, which may be zero.
#[expect(unsafe_code, reason = "says that it can be shared")]
unsafe impl Common for Lane {}

/// How long the head is, with room to spare.
pub(crate) const HEAD: usize = 4096;

impl Cursor {
    /// Says how far this side is.
    pub(crate) fn publish(&self, position: u64) {
        self.position.store(position, Release);
        fence(SeqCst); // the position is seen by whoever then says that it sleeps, or its word is seen here
        if self.sleeper.load(Relaxed) != 0 {
            self.sleeper.store(0, Relaxed);
            futex_wake(&self.sleeper);
        }
    }

    /// Waits until the other side is far enough, and returns how far.
    pub(crate) fn wait(&self, spins: bool, far_enough: impl Fn(u64) -> bool) -> u64 {
        let look = || Some(self.position.load(Acquire)).filter(|position| far_enough(*position));
        for _ in 0..if spins { SPINS } else { 1 } {
            if let Some(position) = look() {
                return position;
            }
            std::hint::spin_loop();
        }
        loop {
            self.sleeper.store(1, Relaxed);
            fence(SeqCst);
            if let Some(position) = look() {
                self.sleeper.store(0, Relaxed);
                return position;
            }
            futex_wait(&self.sleeper, 1);
        }
    }
}
