//! Many calls of one function: inputs go in as workers take them, results come out as they are done, or in order.

use std::collections::{BTreeMap, VecDeque};
use std::iter::Fuse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Pool;
use super::engine::Presence;
use super::error::{TaskError, TaskFailure};
use super::job::{Callee, Delivery, Job, Mailbox, Packing, Payload, Submission};
use super::progress::Teller;
use super::task::open;
use crate::wire::codec::CodecError;

/// How long the calls should take together that go to a worker as one job, in nanoseconds.
const JOB_TIME: u64 = 500_000;
/// How many such calls there are at most, and about how many bytes.
const MOST_CALLS: u64 = 4096;
const MOST_BYTES: usize = 128 * 1024;
/// How many calls of small jobs are made at once, and how many inputs are encoded at once.
const PACKED: u64 = 256;
const AT_ONCE: u64 = 64;
/// How long inputs may take to come until those are sent that there are.
const SOON: Duration = Duration::from_millis(1);
/// How long results may have come before they are looked at, by who wants all of them: one of them may be an error that is enough.
const PATIENCE: Duration = Duration::from_millis(16);
/// For how many results there is room before they come.
const MOST_RESERVED: usize = 1 << 16;
/// How many jobs there are under way for each worker.
const JOBS: u64 = 4;

/// Results as they come, with the index of their input. What is dropped before its end takes back what was not begun.
pub(super) struct Stream<'a, I, A, R> {
    pool: &'a Pool,
    function: Option<Callee>,
    inputs: Fuse<I>,
    mailbox: Arc<Mailbox>,
    /// How many calls a job has: fixed by the user, or as learnt.
    fixed: Option<u64>,
    calls: u64,
    /// How many of them have as many bytes as a job should have.
    fit: u64,
    /// Inputs that have been taken behind one that could not be encoded.
    ahead: Vec<A>,
    /// How many inputs have been taken, and how many of them have no outcome yet.
    taken: u64,
    under_way: u64,
    /// The index of the next result that is wanted.
    wanted: u64,
    /// Nobody waits for a result before there are others.
    is_leisurely: bool,
    /// What has been taken out of the mailbox.
    deliveries: VecDeque<Delivery>,
    opened: std::vec::IntoIter<(u64, Result<R, TaskError>)>,
    /// This thread comes back to the pool again and again.
    presence: Option<Presence>,
    /// Who tells how far it is, if one does.
    teller: Option<Box<Teller>>,
}

fn follow(pool: &Pool, function: Option<Callee>, count: (usize, Option<usize>)) -> Option<Box<Teller>> {
    let (least, most) = count;
    let total = most.filter(|most| *most == least).map(|most| most as u64);
    pool.progress.follow(function.map_or("", |function| (function.name)()), total)
}

impl<'a, I, A, R> Stream<'a, I, A, R>
where
    I: Iterator<Item = A>,
    A: Serialize,
    R: DeserializeOwned,
{
    pub(super) fn new(pool: &'a Pool, function: Option<Callee>, inputs: I) -> Self {
        Self {
            pool,
            function,
            teller: follow(pool, function, inputs.size_hint()),
            inputs: inputs.fuse(),
            mailbox: Arc::default(),
            fixed: pool.chunk_size,
            calls: 1,
            fit: MOST_CALLS,
            ahead: Vec::new(),
            taken: 0,
            under_way: 0,
            wanted: 0,
            is_leisurely: false,
            presence: None,
            deliveries: VecDeque::new(),
            opened: Vec::new().into_iter(),
        }
    }

    /// Learns how many calls take as long as a job should.
    fn learn(&mut self) {
        let tempo = self.mailbox.content().tempo;
        if let Some(each) = tempo.each() {
            let enough = JOB_TIME / each.max(1);
            self.calls = enough.clamp(1, MOST_CALLS).min(self.calls * 4).min(self.fit);
        }
    }

    /// How many calls the next job gets.
    fn next_size(&self, workers: u64) -> u64 {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        // The last ones are shared.
        let (least, most) = self.inputs.size_hint();
        match most {
            Some(most) if most == least => {
                self.calls.min((most as u64).div_ceil(workers.saturating_mul(2)).max(1))
            }
            _ => self.calls,
        }
    }

    /// Makes jobs of inputs while the workers have few.
    fn feed(&mut self) {
        let workers = self.pool.workers().max(1) as u64;
        let mut goes_on = false;
        loop {
            self.learn();
            let size = self.next_size(workers);
            // More, of small ones whose answers nobody waits for, so that workers can tell of many at once.
            let is_small = self.calls.saturating_mul(4) <= self.fit;
            let jobs = if self.is_leisurely && is_small { 4 * JOBS } else { JOBS };
            let most = jobs.saturating_mul(workers).saturating_mul(size.max(self.calls));
            let waits_for_one = self.taken.saturating_sub(self.wanted) >= most.saturating_mul(4);
            // Many at a time: it begins again when half of them are done.
            if self.under_way >= if goes_on { most } else { most / 2 } || waits_for_one {
                return;
            }
            goes_on = true;
            // Small jobs share a payload.
            let calls = (PACKED.min(most - self.under_way) / size).max(1).saturating_mul(size);
            let index = self.taken;
            let (packing, refused) = self.pack(size, calls);
            // Not before: encoding may panic, and who catches that can go on.
            let count = packing.calls();
            self.fit = (MOST_BYTES as u64)
                .saturating_mul(count)
                .checked_div(packing.length() as u64)
                .unwrap_or(1)
                .max(1);
            let taken = count + u64::from(refused.is_some());
            self.taken += taken;
            self.under_way += taken;
            if count > 0 {
                self.submit(packing.finish(), index, size);
            }
            if let Some(error) = refused {
                let failure = TaskFailure::Argument(error.to_string());
                self.mailbox.deliver(Delivery::Failed(index + count, TaskError::new(failure)));
            } else if count == 0 {
                return;
            }
        }
    }

    /// Encodes so many of the next inputs, in jobs of a size, or a few less; up to one that cannot be encoded.
    fn pack(&mut self, size: u64, calls: u64) -> (Packing, Option<CodecError>) {
        let mut packing = Packing::new();
        let begun = Instant::now();
        loop {
            let (packed, length) = (packing.calls(), packing.length());
            // What is beside calls goes along with each job of a payload.
            let calls = if packing.has_beside() { size } else { calls };
            if packed >= calls || length >= MOST_BYTES || (packed > 0 && begun.elapsed() > SOON) {
                return (packing, None);
            }
            let fit = (MOST_BYTES - length) as u64 / (length as u64).checked_div(packed).unwrap_or(u64::MAX);
            let at_once = fit.clamp(1, AT_ONCE).min(packed.max(1)).min(calls - packed);
            let mut inputs = std::mem::take(&mut self.ahead);
            if inputs.is_empty() {
                inputs.extend(self.inputs.by_ref().take(usize::try_from(at_once).unwrap_or(1)));
            }
            if inputs.is_empty() {
                return (packing, None);
            }
            let added = packing.add_all(&inputs);
            inputs.drain(..added.as_ref().map_or_else(|(index, _)| index + 1, |()| inputs.len()));
            self.ahead = inputs;
            if let Err((_, error)) = added {
                return (packing, Some(error));
            }
        }
    }

    /// Submits the calls of a payload, in jobs of a size.
    fn submit(&mut self, payload: Payload, index: u64, size: u64) {
        let count = payload.count();
        let submitted = match self.function {
            None => Err(super::foreign()),
            Some(function) => {
                let whole = self.pool.submission(function, payload, index, Arc::clone(&self.mailbox));
                let whole = Submission { has_index: true, is_leisurely: self.is_leisurely, ..whole };
                self.pool.engine.submit(Job::of(whole), size).map_err(|error| error.to_string())
            }
        };
        if let Err(why) = submitted {
            for index in index..index + count {
                let failure = TaskFailure::Pool(why.clone());
                self.mailbox.deliver(Delivery::Failed(index, TaskError::new(failure)));
            }
        }
    }

    /// The next results that come, or many of them; `None` when there are no more.
    fn next_delivery(&mut self) -> Option<Delivery> {
        loop {
            self.feed();
            if self.deliveries.is_empty() {
                self.mailbox.take_all(&mut self.deliveries);
            }
            if let Some(delivery) = self.deliveries.pop_front() {
                self.under_way -= delivery.count();
                if let Some(teller) = &mut self.teller {
                    teller.add(delivery.count(), delivery.failures());
                }
                return Some(delivery);
            }
            if self.under_way == 0 {
                self.teller.iter_mut().for_each(|teller| teller.finish());
                return None;
            }
            let engine = &self.pool.engine;
            if !engine.is_ours() {
                return None; // nothing comes in a copy of the process
            }
            let look = self.teller.is_some().then(Teller::until);
            let has_come = engine.attend(look, |_| self.mailbox.has_mail());
            if has_come && self.is_leisurely {
                // Who wants all of them takes many at a time, and those that have come by then.
                let wanted = self.under_way / 2;
                engine.attend(Some(Instant::now() + PATIENCE), |_| self.mailbox.has_arrived(wanted));
            }
            if let Some(teller) = self.teller.as_mut().filter(|_| !has_come) {
                teller.look();
            }
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

    /// All results as they are to be, in the order of the inputs; up to an error, of what a result is to be.
    pub(super) fn collect<T>(
        mut self,
        to_be: impl Fn(Result<R, TaskError>) -> Result<T, TaskError>,
    ) -> Result<Vec<T>, TaskError> {
        self.is_leisurely = true;
        self.presence = self.pool.engine.be_present();
        self.want(u64::MAX);
        let reserved = self.inputs.size_hint().0.min(MOST_RESERVED);
        let mut results = Vec::with_capacity(reserved);
        // Results that came before their turn, by the index of the first.
        let mut early = BTreeMap::<u64, Vec<T>>::new();
        while let Some(delivery) = self.next_delivery() {
            let (first, is_next) = (delivery.index(), delivery.index() == results.len() as u64);
            let mut came = if is_next { std::mem::take(&mut results) } else { Vec::new() };
            let mut failed = None;
            open(delivery, |_, outcome| match to_be(outcome) {
                Ok(result) => came.push(result),
                Err(error) => failed = failed.take().or(Some(error)),
            });
            if let Some(error) = failed {
                return Err(error);
            }
            if is_next {
                results = came;
                while let Some(mut next) = early.remove(&(results.len() as u64)) {
                    results.append(&mut next);
                }
            } else {
                early.insert(first, came);
            }
        }
        while (results.len() as u64) < self.taken {
            match early.remove(&(results.len() as u64)) {
                Some(mut next) => results.append(&mut next),
                None => results.push(to_be(Err(TaskError::new(TaskFailure::Pool("it was lost".into()))))?),
            }
        }
        Ok(results)
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
            self.pool.engine.cancel(&self.mailbox, false, false);
        }
    }
}
