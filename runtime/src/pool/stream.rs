//! Many calls of one function: inputs go in as workers take them, results come out as they are done, or in order.

use std::iter::Fuse;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Pool;
use super::error::{TaskError, TaskFailure};
use super::job::{Delivery, Mailbox, Packing, Payload};
use super::task::open;

/// How long the calls should take together that go to a worker as one job, in nanoseconds.
const JOB_TIME: u64 = 500_000;
/// How many such calls there are at most, and about how many bytes.
const MOST_CALLS: u64 = 4096;
const MOST_BYTES: usize = 128 * 1024;
/// For how many results there is room before they come.
const MOST_RESERVED: usize = 1 << 16;
/// How many jobs there are under way for each worker.
const JOBS: u64 = 4;

/// Results as they come, with the index of their input. What is dropped before its end takes back what was not begun.
pub(super) struct Stream<'a, I, A, R> {
    pool: &'a Pool,
    function: Option<u64>,
    inputs: Fuse<I>,
    mailbox: Arc<Mailbox>,
    /// How many calls a job has: fixed by the user, or as learnt.
    fixed: Option<u64>,
    calls: u64,
    /// How many inputs have been taken, and how many of them have no outcome yet.
    taken: u64,
    under_way: u64,
    /// The index of the next result that is wanted.
    wanted: u64,
    opened: std::vec::IntoIter<(u64, Result<R, TaskError>)>,
    arguments: PhantomData<fn(A)>,
}

impl<'a, I, A, R> Stream<'a, I, A, R>
where
    I: Iterator<Item = A>,
    A: Serialize,
    R: DeserializeOwned,
{
    pub(super) fn new(pool: &'a Pool, function: Option<u64>, inputs: I) -> Self {
        Self {
            pool,
            function,
            inputs: inputs.fuse(),
            mailbox: Arc::default(),
            fixed: pool.chunk_size,
            calls: 1,
            taken: 0,
            under_way: 0,
            wanted: 0,
            opened: Vec::new().into_iter(),
            arguments: PhantomData,
        }
    }

    /// How many calls the next job gets.
    fn next_size(&mut self) -> u64 {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let (nanoseconds, calls) = {
            let content = self.mailbox.content();
            (content.nanoseconds, content.calls)
        };
        if let Some(each) = nanoseconds.checked_div(calls) {
            let enough = JOB_TIME / each.max(1);
            self.calls = enough.clamp(1, MOST_CALLS).min(self.calls * 4);
        }
        // The last ones are shared.
        let (least, most) = self.inputs.size_hint();
        match most {
            Some(most) if most == least => {
                let share = (most as u64).div_ceil(2 * self.pool.workers() as u64);
                self.calls.min(share.max(1))
            }
            _ => self.calls,
        }
    }

    /// Makes jobs of inputs while the workers have few.
    fn feed(&mut self) {
        let jobs = JOBS * self.pool.workers().max(1) as u64;
        loop {
            let size = self.next_size();
            let waits_for_one =
                self.taken.saturating_sub(self.wanted) >= jobs.saturating_mul(size).saturating_mul(4);
            if self.under_way >= jobs.saturating_mul(size) || waits_for_one {
                return;
            }
            let index = self.taken;
            let mut packing = Packing::new();
            let (mut refused, mut taken) = (None, 0);
            while (packing.size().0 as u64) < size && packing.size().1 < MOST_BYTES {
                let Some(arguments) = self.inputs.next() else { break };
                taken += 1;
                if let Err(error) = packing.add(&arguments) {
                    refused = Some(error);
                    break;
                }
            }
            // Not before: encoding may panic, and who catches that can go on.
            self.taken += taken;
            self.under_way += taken;
            let count = packing.size().0 as u64;
            if count > 0 {
                self.submit(packing.finish(), index, count);
            }
            if let Some(error) = refused {
                let failure = TaskFailure::Argument(error.to_string());
                self.mailbox.deliver(Delivery::Failed(index + count, TaskError::new(failure)));
            } else if count == 0 {
                return;
            }
        }
    }

    fn submit(&mut self, payload: Arc<Payload>, index: u64, count: u64) {
        let job = self.pool.job(self.function.unwrap_or(0), payload, index, Arc::clone(&self.mailbox));
        let submitted = match self.function {
            None => Err(super::foreign()),
            Some(_) => self.pool.engine.submit(job).map_err(|error| error.to_string()),
        };
        if let Err(why) = submitted {
            for index in index..index + count {
                let failure = TaskFailure::Pool(why.clone());
                self.mailbox.deliver(Delivery::Failed(index, TaskError::new(failure)));
            }
        }
    }

    /// The next results that come; `None` when there are no more.
    fn next_delivery(&mut self) -> Option<Delivery> {
        loop {
            self.feed();
            if let Some(delivery) = self.mailbox.take() {
                self.under_way -= delivery.count();
                return Some(delivery);
            }
            if self.under_way == 0 {
                return None;
            }
            self.pool.engine.attend(None, |_| self.mailbox.has_mail());
        }
    }

    /// The next result that comes; `None` when there are no more.
    pub(super) fn next(&mut self) -> Option<(u64, Result<R, TaskError>)> {
        loop {
            if let Some(next) = self.opened.next() {
                return Some(next);
            }
            let mut opened = Vec::new();
            open(self.next_delivery()?, |index, outcome| opened.push((index, outcome)));
            self.opened = opened.into_iter();
        }
    }

    /// All results, in the order of the inputs; until the first error, if one is `enough`.
    pub(super) fn collect(mut self, enough: bool) -> Result<Vec<Result<R, TaskError>>, TaskError> {
        let mut results = Vec::with_capacity(self.inputs.size_hint().0.min(MOST_RESERVED));
        let mut first = None;
        while let Some(delivery) = self.next_delivery() {
            open(delivery, |index, outcome| {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                match outcome {
                    Err(error) if enough => first = Some(error),
                    outcome => {
                        if results.len() <= index {
                            results.resize_with(index + 1, || None);
                        }
                        results[index] = Some(outcome);
                    }
                }
            });
            if let Some(error) = first {
                return Err(error);
            }
        }
        let lost = || Err(TaskError::new(TaskFailure::Pool("it was lost".into())));
        Ok(results.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect())
    }

    /// Says up to which index results are wanted by now, which lets later ones be begun.
    pub(super) fn want(&mut self, index: u64) {
        self.wanted = index;
    }
}

impl<I, A, R> Drop for Stream<'_, I, A, R> {
    fn drop(&mut self) {
        if self.under_way > 0 {
            self.mailbox.abandon();
            self.pool.engine.cancel(&self.mailbox, false);
        }
    }
}
