//! The desk of one worker: memory that it shares with the pool, so that both know at any moment what it has begun.
//!
//! Of each **job** (one call, or a batch of them) that a worker has been sent there is a [`Claim`] on its desk, from which it takes the
//! number of each call before it begins it. The pool takes back what has not been begun by taking the rest of the numbers at once: so a
//! call is begun or taken back, never both, whoever dies when.
//!
//! Answers that are not worth a message each gather in the **outbox**: when the worker dies before it has sent them, the pool finds them there.
//! So of all that a dead worker had, one call at most has no answer although it was begun: the one that it died of.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::measure::Gauge;
use crate::sys::memory::{self, Mapping};
use crate::sys::shareable::{shared_layout, shared_words};
use crate::sys::{Borrowed, Object, borrow, clock};

/// How many jobs a worker can have been sent at once.
pub(super) const CLAIMS: usize = 256;
/// What fits in the outbox.
pub(super) const OUTBOX: usize = 16 * 1024;
/// Where the outbox lies.
const OUTBOX_AT: usize = 8 * 1024;

/// In a claim: the rest has been taken back.
const TAKEN: u64 = 1 << 40;

shared_layout! {
    struct Words {
        /// When the current call was begun, in milliseconds of the coarse clock, if its job has a time limit; else 0.
        begun: AtomicU64,
        /// What the outbox holds: answers of which job, from which call on, how many, in how many bytes.
        job: AtomicU64,
        first: AtomicU64,
        count: AtomicU64,
        length: AtomicU64,
        gauge: Gauge,
        claims: [Claim; CLAIMS],
    }
}

shared_words! {
    /// Who has a job's calls.
    struct Claim {
        /// The number of the next call that nobody has begun.
        next: AtomicU64,
    }
}

/// What a worker left in its outbox.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) job: u64,
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Desk {
    object: Object,
    mapping: Mapping,
}

impl Desk {
    const LENGTH: usize = OUTBOX_AT + OUTBOX;

    pub(super) fn create() -> io::Result<Self> {
        let object = memory::create(Self::LENGTH as u64)?;
        memory::fix_length(&object)?;
        Self::open(object)
    }

    pub(super) fn open(object: Object) -> io::Result<Self> {
        const { assert!(size_of::<Words>() <= OUTBOX_AT) };
        if memory::length(&object)? != Self::LENGTH as u64 || !memory::has_fixed_length(&object) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is no desk of a worker"));
        }
        let mapping = Mapping::new(&object, 0, Self::LENGTH)?;
        Ok(Self { object, mapping })
    }

    pub(super) fn object(&self) -> Borrowed<'_> {
        borrow(&self.object)
    }

    fn words(&self) -> &Words {
        self.mapping.at(0)
    }

    /// What the worker measures of itself.
    pub(super) fn gauge(&self) -> &Gauge {
        &self.words().gauge
    }

    fn claim(&self, claim: usize) -> &AtomicU64 {
        &self.words().claims[claim % CLAIMS].next
    }

    // --- The worker's ---

    /// Begins the next call of a job that has so many, unless the rest was taken back.
    pub(super) fn begin(&self, claim: usize, count: u64, limited: bool) -> Option<u64> {
        // Before the call is begun, so that a limit is never held against the time of another.
        if limited {
            self.words().begun.store(clock::coarse(), Ordering::Release);
        }
        let call = self.claim(claim).fetch_add(1, Ordering::AcqRel);
        (call < count).then_some(call)
    }

    /// Leaves no call under a time limit.
    pub(super) fn rest(&self) {
        self.words().begun.store(0, Ordering::Release);
    }

    /// Puts an answer into the outbox, at this place of it, as the last of so many from a job's call on.
    pub(super) fn gather(&self, at: usize, answer: &[u8], job: u64, first: u64, count: u64) {
        let words = self.words();
        self.mapping.write(OUTBOX_AT + at, answer);
        words.job.store(job, Ordering::Relaxed);
        words.first.store(first, Ordering::Relaxed);
        words.length.store((at + answer.len()) as u64, Ordering::Relaxed);
        words.count.store(count, Ordering::Release);
    }

    /// What gathered has been sent.
    pub(super) fn clear(&self) {
        self.words().count.store(0, Ordering::Release);
    }

    // --- The pool's ---

    /// Prepares a claim for a job that is about to be sent.
    pub(super) fn offer(&self, claim: usize) {
        self.claim(claim).store(0, Ordering::Release);
    }

    /// How many calls of a job have been begun.
    pub(super) fn begun(&self, claim: usize, count: u64) -> u64 {
        (self.claim(claim).load(Ordering::Acquire) % TAKEN).min(count)
    }

    /// Takes back what has not been begun: how many calls have been.
    pub(super) fn take_back(&self, claim: usize, count: u64) -> u64 {
        (self.claim(claim).swap(TAKEN + count, Ordering::AcqRel) % TAKEN).min(count)
    }

    /// For how long the current call has run, if it has a time limit.
    pub(super) fn running_for(&self) -> Duration {
        match self.words().begun.load(Ordering::Acquire) {
            0 => Duration::ZERO,
            begun => Duration::from_millis(clock::coarse().saturating_sub(begun)),
        }
    }

    /// What a worker that has ended left in its outbox.
    pub(super) fn left(&self) -> Option<Left> {
        let words = self.words();
        let count = words.count.load(Ordering::Acquire);
        let length = usize::try_from(words.length.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        if count == 0 || length > OUTBOX {
            return None;
        }
        let mut bytes = Vec::new();
        self.mapping.read(OUTBOX_AT, length, &mut bytes);
        let (job, first) = (words.job.load(Ordering::Relaxed), words.first.load(Ordering::Relaxed));
        Some(Left { job, first, count, bytes })
    }
}
