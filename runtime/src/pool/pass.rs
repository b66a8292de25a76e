//! One pass over a slice: workers take ranges of it from a [board](super::board), and what fails of it is told.
//!
//! Each worker takes part by one task, an ordinary one of the pool, which takes ranges until there are no more. It ends early with the first
//! range in which something panics, says so, and is sent anew for what is left. One that ends with its worker has left on the board which
//! range it was at.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::board::{SLOTS, Sheet};
use super::error::{PoolError, TaskError, TaskFailure, Who};
use super::job::{Callee, Delivery, Mailbox, Packing, Submission};
use super::ledger::State;
use super::slice::RangeError;
use super::task::open;
use super::worker::{Batch, Limit, Runner, caught};
use super::{Job, Pool, foreign};
use crate::launch::Failure;
use crate::shm::Shared;
use crate::sys::{image, own, runtime};

/// How long a range should take, in nanoseconds. What takes this long is taken one by one.
const RANGE_TIME: u64 = 20_000;

/// How many may end in a row without having done anything, until no more are sent.
const MOST_FRUITLESS: u32 = 10;

/// What is done with the ranges of a slice.
pub(super) trait Work: DeserializeOwned {
    /// The name of the function.
    fn name() -> &'static str;

    /// Does a range, and counts the elements that are done.
    fn range(&mut self, range: Range<usize>, done: &mut usize);
}

/// How large the ranges are that are taken.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Pace {
    next: u64,
    /// Zero if it is fixed.
    most: u64,
}

impl Pace {
    /// At most so many elements: fewer if they take long.
    pub(super) fn learnt(most: u64) -> Self {
        Self { next: 1, most }
    }

    /// Always so many.
    pub(super) fn fixed(size: u64) -> Self {
        Self { next: size, most: 0 }
    }

    fn learn(&mut self, count: u64, time: Duration) {
        if self.most == 0 {
            return;
        }
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
        let enough = count.saturating_mul(RANGE_TIME) / time;
        self.next = enough.clamp(1, self.most).min(self.next.saturating_mul(4));
    }
}

/// What a task tells that took part, unless it found nothing more to do.
type Report = Option<Stop>;

#[derive(Debug, Serialize, Deserialize)]
enum Stop {
    /// Something panicked: what it left.
    Failed(Range<u64>, Failure),
    /// It was begun anew. The first time its worker ended.
    Anew,
}

/// The arguments of such a task.
type Part<W> = (Shared<Sheet>, u64, Pace, W);

fn runner<W: Work>(batch: &mut Batch<'_>) {
    batch.each(|(sheet, slot, pace, work): Part<W>, limit| {
        usize::try_from(slot).ok().and_then(|slot| take_part(&sheet, slot, pace, work, limit))
    });
}

fn take_part<W: Work>(sheet: &Sheet, slot: usize, mut pace: Pace, mut work: W, limit: &Limit<'_>) -> Report {
    let me = own::pid();
    if !sheet.enter(slot, me.into()) {
        return Some(Stop::Anew);
    }
    let mut begun = Instant::now();
    while let Some(range) = sheet.take(slot, pace.next) {
        limit.restart();
        let mut done = 0;
        // They are within a slice of this process.
        #[allow(clippy::cast_possible_truncation)]
        let places = range.start as usize..range.end as usize;
        let outcome = caught(|| {
            work.range(places, &mut done);
            Ok(())
        });
        if own::pid() != me {
            runtime::exit_now(0); // a copy that a call made, and let return
        }
        if let Err(failure) = outcome {
            return Some(Stop::Failed(range.start + done as u64..range.end, failure));
        }
        let now = Instant::now();
        pace.learn(range.end - range.start, now - begun);
        begun = now;
    }
    None
}

/// Does so many elements: what failed, in order.
pub(super) fn pass<W: Work>(
    pool: &Pool,
    count: usize,
    pace: Pace,
    retries: u32,
    lent: &impl Serialize,
) -> Result<Vec<RangeError>, PoolError> {
    let offset = image::offset_of(runner::<W> as Runner).ok_or_else(|| PoolError::Invalid(foreign()))?;
    let function = Callee { offset, name: W::name };
    let round = |range: Range<u64>| Round::new(pool, function, range, pace, lent).map(Round::finish);
    let mut failed = round(0..count as u64)?;
    for _ in 0..retries {
        let is_lost = |error: &RangeError| matches!(error.failure(), TaskFailure::Ended(_));
        let (lost, kept): (Vec<_>, Vec<_>) = failed.into_iter().partition(is_lost);
        failed = kept;
        for error in lost {
            let range = error.range();
            match round(range.start as u64..range.end as u64) {
                Ok(again) => failed.extend(again),
                Err(_) => failed.push(error), // the pool is closed: it stays what it was
            }
        }
    }
    failed.sort_by_key(|error| error.range().start);
    Ok(failed)
}

struct Round<'a, L> {
    pool: &'a Pool,
    function: Callee,
    pace: Pace,
    lent: &'a L,
    sheet: Shared<Sheet>,
    mailbox: Arc<Mailbox>,
    /// How many tasks are under way, and whether those were called back that have not begun.
    under_way: usize,
    is_recalled: bool,
    /// How many ended in a row while nothing was taken.
    fruitless: u32,
    untaken: u64,
    failed: Vec<RangeError>,
    /// Why one ended that was at no range.
    cause: Option<TaskError>,
}

impl<'a, L: Serialize> Round<'a, L> {
    fn new(
        pool: &'a Pool,
        function: Callee,
        range: Range<u64>,
        pace: Pace,
        lent: &'a L,
    ) -> Result<Self, PoolError> {
        let count = range.end - range.start;
        let crew =
            pool.engine.lock().most_workers().clamp(1, SLOTS).min(usize::try_from(count).unwrap_or(SLOTS));
        let sheet = Shared::new(Sheet::new(&range, crew))?;
        let mut round = Self {
            pool,
            function,
            pace,
            lent,
            sheet,
            mailbox: Arc::default(),
            under_way: 0,
            is_recalled: false,
            fruitless: 0,
            untaken: count,
            failed: Vec::new(),
            cause: None,
        };
        for slot in 0..crew {
            match round.send(slot) {
                Ok(()) => {}
                Err(error) if slot == 0 => return Err(error),
                Err(error) => round.give_up(&error),
            }
        }
        Ok(round)
    }

    /// Sends a task that is to have a slot.
    fn send(&mut self, slot: usize) -> Result<(), PoolError> {
        let mut packing = Packing::new();
        let packed = packing.add(&(&self.sheet, slot as u64, self.pace, self.lent));
        packed.map_err(|error| PoolError::Encode(error.to_string()))?;
        let mailbox = Arc::clone(&self.mailbox);
        let submission = self.pool.submission(self.function, packing.finish(), slot as u64, mailbox);
        self.pool.engine.submit(Job::of(Submission { retries: 0, ..submission }), 1)?;
        self.under_way += 1;
        Ok(())
    }

    fn give_up(&mut self, error: &PoolError) {
        self.cause.get_or_insert_with(|| TaskError::new(TaskFailure::Pool(error.to_string())));
    }

    /// Waits until all of it is done, or nobody is left to do it: what failed.
    fn finish(mut self) -> Vec<RangeError> {
        let mut deliveries = VecDeque::new();
        while self.under_way > 0 {
            self.pool.engine.attend(None, |_| self.mailbox.has_mail());
            self.mailbox.take_all(&mut deliveries);
            deliveries.drain(..).for_each(|delivery| self.take(delivery));
        }
        let rest = self.sheet.close();
        if !rest.is_empty() {
            let none = || TaskError::new(TaskFailure::Pool("no worker was left to do it".into()));
            let cause = self.cause.take().unwrap_or_else(none);
            self.failed.push(RangeError::new(rest, cause));
        }
        std::mem::take(&mut self.failed)
    }

    /// Tasks have ended.
    fn take(&mut self, delivery: Delivery) {
        let worker = match &delivery {
            Delivery::Answers { worker, .. } => Some(Arc::clone(worker)),
            Delivery::Failed(..) => None,
        };
        let mut outcomes = Vec::new();
        open::<Report>(delivery, |index, outcome| outcomes.push((index, outcome)));
        for (index, outcome) in outcomes {
            self.under_way -= 1;
            let slot = usize::try_from(index).expect("it has been a slot");
            self.take_one(slot, outcome, worker.clone());
        }
    }

    /// A task has ended that had a slot; with a worker it was answered.
    fn take_one(&mut self, slot: usize, outcome: Result<Report, TaskError>, worker: Option<Arc<Who>>) {
        let is_to_go_on = match (outcome, worker) {
            (Ok(None), _) => false,
            (Ok(Some(Stop::Anew)), _) => self
                .lose(slot, TaskError::new(TaskFailure::Pool("its worker ended in the middle of it".into()))),
            (Ok(Some(Stop::Failed(range, failure))), worker) => {
                let error = TaskError::of(TaskFailure::from(failure), worker);
                self.failed.push(RangeError::new(range, error));
                true
            }
            // If it was answered, then another one would be answered so as well.
            (Err(error), worker) => self.lose(slot, error.at(None)) && worker.is_none(),
        };
        self.sheet.clear(slot);
        if self.sheet.is_at_its_end() {
            if self.under_way > 0 && !self.is_recalled {
                self.is_recalled = true;
                self.pool.engine.cancel(&self.mailbox, false, false);
            }
        } else if is_to_go_on {
            if let Err(error) = self.send(slot) {
                self.give_up(&error);
            }
        }
    }

    /// A task has ended that does not say what it left. Whether another is to take its place.
    fn lose(&mut self, slot: usize, error: TaskError) -> bool {
        if self.pool.engine.lock().is_over() {
            // The worker is killed, and may not be dead yet.
            self.settle(slot..slot + 1);
        }
        if let Some(range) = self.sheet.has(slot) {
            self.failed.push(RangeError::new(range, error));
            return true;
        }
        if matches!(error.failure(), TaskFailure::Cancelled) {
            return false; // by us
        }
        self.cause = Some(error);
        let untaken = self.sheet.untaken();
        self.fruitless = if untaken == self.untaken { self.fruitless + 1 } else { 0 };
        self.untaken = untaken;
        self.fruitless < MOST_FRUITLESS
    }
}

impl<L> Round<'_, L> {
    /// Lets no more ranges be taken, and waits until these slots are done with theirs, or their holders dead.
    fn settle(&self, slots: Range<usize>) {
        self.sheet.close();
        let busy = |slot: usize| self.sheet.has(slot).and_then(|_| self.sheet.holder(slot));
        if slots.clone().all(|slot| busy(slot).is_none()) {
            return;
        }
        self.pool.engine.attend(None, |state: &mut State| {
            let lives = |holder| state.workers.iter().any(|worker| u64::from(worker.who.pid) == holder);
            !slots.clone().filter_map(busy).any(lives)
        });
    }
}

impl<L> Drop for Round<'_, L> {
    /// Whoever comes here, by a panic as well: from here on nobody touches the slice.
    fn drop(&mut self) {
        self.settle(0..SLOTS);
        if self.under_way > 0 {
            self.mailbox.abandon();
            self.pool.engine.cancel(&self.mailbox, false, false);
        }
    }
}
