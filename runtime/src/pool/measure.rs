//! What a worker measures of itself, so cheaply that calls of a few nanoseconds do not notice.
//!
//! A clock is read when a job begins and when it ends, after each call that takes microseconds, and after one in [`UNLOOKED`] of those that
//! are quicker: then it is known how long these took together. How long arguments take to be decoded is measured for one quick
//! call in [`SAMPLED`], which stands for the others.
//!
//! The sums lie on the worker's [desk](super::desk), where the pool sees them at any time, also those of a worker that was killed. The clock is
//! that of the machine, so that times of several processes can be compared.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::sys::clock;
use crate::sys::shareable::shared_layout;

/// A call that takes more nanoseconds is not quick.
const QUICK: u64 = 2_000;
/// After how many quick calls a clock is read.
const UNLOOKED: u64 = 16;
/// The decoding of one quick call in so many is measured.
const SAMPLED: u64 = 64;
/// Arguments of so many bytes are not decoded quickly.
const LARGE: usize = 4096;
/// How often the pool looks again at sums that are just being changed.
const TRIES: usize = 100;

shared_layout! {
    /// What a worker says of itself, times in nanoseconds.
    pub(super) struct Gauge {
        /// Since when it works or waits: twice the time, and one if it works. 0 while it writes.
        since: AtomicU64,
        /// When it was ready.
        ready: AtomicU64,
        /// How long it waited for jobs, and was at them, up to then.
        waiting: AtomicU64,
        working: AtomicU64,
        /// How long it decoded arguments, where that was measured.
        decoding: AtomicU64,
        /// How long that took for quick calls: of so many measured ones, and of how many there were.
        quick_decoding: AtomicU64,
        quick_measured: AtomicU64,
        quick_calls: AtomicU64,
        /// How many calls failed.
        failed: AtomicU64,
    }
}

/// What the pool reads there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// When it was ready, if it is.
    pub(super) ready: Option<u64>,
    /// Since when it has been at a job.
    pub(super) at_job_since: Option<u64>,
    pub(super) waiting: u64,
    pub(super) working: u64,
    pub(super) decoding: u64,
    pub(super) failed: u64,
}

impl Gauge {
    /// What it shows at a time: what goes on counts up to then.
    pub(super) fn read(&self, now: u64) -> Reading {
        let load = |word: &AtomicU64| word.load(Ordering::Relaxed);
        for attempt in 0.. {
            let since = self.since.load(Ordering::Acquire);
            let (waiting, working, failed) = (load(&self.waiting), load(&self.working), load(&self.failed));
            let (quick, measured) = (load(&self.quick_decoding), load(&self.quick_measured));
            let (decoding, calls) = (load(&self.decoding), load(&self.quick_calls));
            fence(Ordering::Acquire);
            // A worker that was killed while it wrote leaves it so.
            if attempt < TRIES && (since == 0 || since != load(&self.since)) && load(&self.ready) != 0 {
                std::hint::spin_loop();
                continue;
            }
            let ready = Some(load(&self.ready)).filter(|ready| *ready != 0);
            let is_working = since % 2 == 1;
            let lasts = if since == 0 { 0 } else { now.saturating_sub(since / 2) };
            let (idle, busy) = if is_working { (0, lasts) } else { (lasts, 0) };
            let scaled = u128::from(quick) * u128::from(calls) / u128::from(measured.max(1));
            let working = working.saturating_add(busy);
            return Reading {
                ready,
                at_job_since: is_working.then_some(since / 2),
                waiting: waiting.saturating_add(idle),
                working,
                decoding: decoding.saturating_add(u64::try_from(scaled).unwrap_or(u64::MAX)).min(working),
                failed,
            };
        }
        Reading::default()
    }
}

/// The longest call of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Longest {
    pub(super) nanoseconds: u64,
    /// Which of the job's calls, from 0.
    pub(super) call: u64,
    /// It is one of so many from there on.
    pub(super) among: u64,
}

/// What there is to say of a job that is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measured {
    /// When it was begun, and how long it took.
    pub(super) begun: u64,
    pub(super) time: u64,
    pub(super) failed: u64,
    pub(super) longest: Longest,
}

/// The worker's watch.
#[derive(Debug, Default)]
pub(super) struct Meter {
    waiting: u64,
    working: u64,
    decoding: u64,
    quick_decoding: u64,
    quick_measured: u64,
    quick_calls: u64,
    failed: u64,
    /// Since when it works or waits.
    since: u64,
    calls: u64,
    /// How long the last calls took that were measured, each.
    pace: u64,
    /// The job: what is known of it, how many of its calls are over, how many of them had been when the clock was last read, and what it said.
    job: Measured,
    over: u64,
    measured: u64,
    now: u64,
    /// After how many calls it is read next, and whether it has been since the last one.
    next: u64,
    fresh: bool,
    /// When the decoding began that is measured, or 0, and whether it stands for itself alone.
    decoding_since: u64,
    alone: bool,
}

impl Meter {
    /// The worker is ready.
    pub(super) fn start(gauge: &Gauge) -> Self {
        let now = clock::nanoseconds();
        let meter = Self { since: now, ..Self::default() };
        gauge.ready.store(now, Ordering::Relaxed);
        meter.publish(gauge, false);
        meter
    }

    fn publish(&self, gauge: &Gauge, works: bool) {
        gauge.since.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        let store = |word: &AtomicU64, value| word.store(value, Ordering::Relaxed);
        store(&gauge.waiting, self.waiting);
        store(&gauge.working, self.working);
        store(&gauge.decoding, self.decoding);
        store(&gauge.quick_decoding, self.quick_decoding);
        store(&gauge.quick_measured, self.quick_measured);
        store(&gauge.quick_calls, self.quick_calls);
        store(&gauge.failed, self.failed);
        gauge.since.store(self.since * 2 + u64::from(works), Ordering::Release);
    }

    /// When the last job ended.
    pub(super) fn since(&self) -> u64 {
        self.since
    }

    /// A job begins; at once if nothing took time since the last one.
    pub(super) fn begin_job(&mut self, gauge: &Gauge, at_once: bool) {
        self.now = if at_once { self.since } else { clock::nanoseconds() };
        self.waiting += self.now.saturating_sub(self.since);
        self.since = self.now;
        self.job = Measured { begun: self.now, ..Measured::default() };
        (self.over, self.measured, self.next, self.fresh) = (0, 0, 1, true);
        self.publish(gauge, true);
    }

    /// A call begins, with so many bytes of arguments that are decoded next.
    #[inline]
    pub(super) fn begin_call(&mut self, bytes: usize) {
        self.calls += 1;
        // The first calls meet code that was never run.
        let alone = self.pace > QUICK || bytes > LARGE || self.calls <= UNLOOKED;
        if !alone {
            self.quick_calls += 1;
            if self.quick_calls % SAMPLED != 0 {
                self.decoding_since = 0;
                return;
            }
        }
        self.begin_decoding(alone);
    }

    fn begin_decoding(&mut self, alone: bool) {
        self.alone = alone;
        self.decoding_since = if self.fresh { self.now } else { clock::nanoseconds() };
    }

    /// The arguments have been decoded.
    #[inline]
    pub(super) fn decoded(&mut self) {
        if self.decoding_since != 0 {
            self.note_decoding();
        }
    }

    fn note_decoding(&mut self) {
        let took = clock::nanoseconds().saturating_sub(self.decoding_since);
        if self.alone {
            self.decoding += took;
        } else {
            self.quick_decoding += took;
            self.quick_measured += 1;
        }
    }

    /// A call is over, one of so many of its job.
    #[inline]
    pub(super) fn end_call(&mut self, count: u64, failed: bool) {
        self.over += 1;
        self.job.failed += u64::from(failed);
        self.fresh = false;
        // The end of the job is the end of its last call.
        if self.over >= self.next && self.over < count {
            self.look();
        }
    }

    /// Says how many calls have failed: an answer may be seen before the end of its job.
    pub(super) fn tell_failures(&self, gauge: &Gauge) {
        gauge.failed.store(self.failed + self.job.failed, Ordering::Release);
    }

    /// The time, as of the end of the call that is just over.
    pub(super) fn now(&mut self) -> u64 {
        if !self.fresh {
            self.look();
        }
        self.now
    }

    fn look(&mut self) {
        self.settle(clock::nanoseconds());
        self.next = self.over + if self.pace > QUICK { 1 } else { UNLOOKED };
    }

    /// What has not been measured of the job took up to now.
    fn settle(&mut self, now: u64) {
        let calls = self.over - self.measured;
        let took = now.saturating_sub(self.now);
        if let Some(each) = took.checked_div(calls) {
            // The others took what such calls took before.
            let usual = self.now.saturating_sub(self.job.begun).checked_div(self.measured).unwrap_or(each);
            let nanoseconds = took.saturating_sub(usual.min(each) * (calls - 1));
            if nanoseconds > self.job.longest.nanoseconds {
                self.job.longest = Longest { nanoseconds, call: self.measured, among: calls };
            }
            self.pace = each;
        }
        (self.now, self.measured, self.fresh) = (now, self.over, true);
    }

    /// Whether the clock was read after the last call.
    pub(super) fn has_looked(&self) -> bool {
        self.fresh
    }

    /// Does something between two calls that is no part of either.
    pub(super) fn beside<R>(&mut self, action: impl FnOnce() -> R) -> R {
        self.now();
        let done = action();
        self.now = clock::nanoseconds();
        done
    }

    /// The job is done.
    pub(super) fn end_job(&mut self, gauge: &Gauge) -> Measured {
        let now = clock::nanoseconds();
        self.settle(now);
        self.job.time = now.saturating_sub(self.job.begun);
        self.working += self.job.time;
        self.failed += self.job.failed;
        self.since = now;
        self.publish(gauge, false);
        self.job
    }
}
