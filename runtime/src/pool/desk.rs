//! The desk of one worker: memory that it shares with the pool, so that both know at any moment what it has begun.
//!
//! Of each **job** (one call, or a batch of them) that a worker has been sent there is a [`Claim`] on its desk, from which it takes the
//! number of each call before it begins it. The pool takes back what has not been begun by taking the rest of the numbers at once: so a
//! call is begun or taken back, never both, whoever dies when.
//!
//! Answers that are not worth a message each gather in the **outbox**: those of the job that the worker is at, and whole records of jobs before
//! it. When the worker dies before it has sent them the pool finds them there, so of all that a dead worker had, one call at most has no
//! answer although it was begun: the one that it died of. And when it has been at one call for long, the pool looks there for what was before it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use super::measure::Gauge;
use super::message::{HEAD, next_part};
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
        /// Whether the worker has more memory than it may.
        large: AtomicU64,
        /// How often the outbox has been emptied.
        emptied: AtomicU64,
        /// What the outbox holds: so many bytes of whole records, and behind them those of a record that is not: from where on, answers of
        /// which job, from which call on, how many, and where they end.
        whole: AtomicU64,
        start: AtomicU64,
        job: AtomicU64,
        first: AtomicU64,
        count: AtomicU64,
        end: AtomicU64,
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

/// What is in an outbox.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Whole records.
    pub(super) records: Vec<u8>,
    /// Answers of a job that is not done: of which, from which call on, how many.
    pub(super) job: u64,
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) answers: Vec<u8>,
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
            self.restart();
        }
        let call = self.claim(claim).fetch_add(1, Ordering::AcqRel);
        (call < count).then_some(call)
    }

    /// Gives the current call its time limit anew.
    pub(super) fn restart(&self) {
        self.words().begun.store(clock::coarse(), Ordering::Release);
    }

    /// Leaves no call under a time limit.
    pub(super) fn rest(&self) {
        self.words().begun.store(0, Ordering::Release);
    }

    /// Puts an answer into the outbox, at this place of it, as the last of so many from a job's call on, of a record that starts there.
    pub(super) fn gather(&self, at: usize, answer: &[u8], start: usize, job: u64, first: u64, count: u64) {
        let words = self.words();
        self.mapping.write(OUTBOX_AT + at, answer);
        words.start.store(start as u64, Ordering::Relaxed);
        words.job.store(job, Ordering::Relaxed);
        words.first.store(first, Ordering::Relaxed);
        words.end.store((at + answer.len()) as u64, Ordering::Relaxed);
        words.count.store(count, Ordering::Release);
    }

    /// The record that starts there is whole: its head, and what has not been put into the outbox of its answers, which lies there.
    pub(super) fn complete(&self, start: usize, head: &[u8], at: usize, answers: &[u8]) {
        let words = self.words();
        self.mapping.write(OUTBOX_AT + at, answers);
        self.mapping.write(OUTBOX_AT + start, head);
        // In this order: between the two its answers are there twice, which does no harm.
        words.whole.store((at + answers.len()) as u64, Ordering::Release);
        words.count.store(0, Ordering::Release);
    }

    /// What was in the outbox has been sent.
    pub(super) fn empty(&self) {
        let words = self.words();
        words.count.store(0, Ordering::Relaxed);
        words.whole.store(0, Ordering::Relaxed);
        words.emptied.fetch_add(1, Ordering::Release);
        fence(Ordering::Release); // what is written there from now on is seen after this
    }

    /// The worker has more memory than it may.
    pub(super) fn say_large(&self) {
        self.words().large.store(1, Ordering::Release);
    }

    // --- The pool's ---

    /// Whether the worker has more memory than it may.
    pub(super) fn is_large(&self) -> bool {
        self.words().large.load(Ordering::Acquire) != 0
    }

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

    /// What is in the outbox: `None` if there is nothing, or the worker has emptied it meanwhile.
    pub(super) fn held(&self) -> Option<Held> {
        let words = self.words();
        let load = |word: &AtomicU64, order| usize::try_from(word.load(order)).unwrap_or(usize::MAX);
        let emptied = words.emptied.load(Ordering::Acquire);
        let count = words.count.load(Ordering::Acquire);
        let whole = load(&words.whole, Ordering::Acquire);
        let (start, end) = (load(&words.start, Ordering::Relaxed), load(&words.end, Ordering::Relaxed));
        let (job, first) = (words.job.load(Ordering::Relaxed), words.first.load(Ordering::Relaxed));
        let mut held = Held { job, first, count, ..Held::default() };
        if whole > OUTBOX || end > OUTBOX || (count == 0 && whole == 0) {
            return None;
        }
        self.mapping.read(OUTBOX_AT, whole, &mut held.records);
        let answers = start + HEAD;
        if count > 0 && answers <= end {
            self.mapping.read(OUTBOX_AT + answers, end - answers, &mut held.answers);
        }
        fence(Ordering::Acquire);
        // Where these have not moved the record that is not whole is the same one, and its last answer may be one more than that.
        let is_same = words.emptied.load(Ordering::Relaxed) == emptied
            && load(&words.whole, Ordering::Relaxed) == whole;
        let mut rest = &held.answers[..];
        let has_all = (0..count).all(|_| next_part(&mut rest).is_some());
        let length = held.answers.len() - rest.len();
        held.answers.truncate(length);
        (is_same && has_all).then_some(held)
    }
}
