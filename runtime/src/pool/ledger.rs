//! The ledger of a pool: which jobs wait, who has which, what comes of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::crew::{Assigned, LONG_CALL, Verdict, Worker};
use super::desk::Held;
use super::error::{TaskError, TaskFailure, Who};
use super::job::{Answers, Callback, Delivery, Job, Mailbox, ToTell};
use super::measure::Measured;
use super::message::{AnswerHead, HEAD, Kind};
use super::report::{Insight, Report};
use super::stats::{Stats, WorkerStats};
use super::timeline::Timeline;
use crate::channel::Raw;
use crate::trace::Origin;
use crate::wire::parcel::{Beside, Remaining};

/// What a worker should have before it at least, in nanoseconds, so that it need not wait for more.
const AHEAD: u64 = 200_000;
/// How many jobs a worker has before it at most.
const MOST_AHEAD: u64 = 256;
/// Of jobs that take less, in nanoseconds, it has some more, so that it need not answer each by itself.
const MANY_AHEAD: u64 = 2_000_000;
/// As [`AHEAD`], of jobs whose answers nobody waits for: the worker tells of several at once, and what it has not begun is taken back when
/// others need it.
const LEISURE: u64 = 16_000_000;
/// What it has to be worth, in nanoseconds, to take jobs back from a worker for another.
const WORTH_MOVING: u64 = 30_000;
/// For how long work has to wait until there is another worker, of a pool that grows.
const CROWDED: Duration = Duration::from_millis(1);
/// What is said of a job that one worker was to do, and no other.
pub(super) const LOST_WORKER: &str = "the worker that was to do it has ended";

#[allow(clippy::struct_excessive_bools)] // they are independent of each other
pub(super) struct State {
    pub(super) queue: VecDeque<Job>,
    /// Jobs that one worker is to have, and no other.
    pub(super) pinned: Vec<(u64, Job)>,
    pub(super) workers: Vec<Worker>,
    pub(super) next_job: u64,
    pub(super) next_worker: u64,
    /// How many workers there should be, and how many are being started.
    pub(super) target: usize,
    pub(super) starting: usize,
    /// Between which numbers that one moves, if it does.
    pub(super) range: Option<Range>,
    /// Since when there has been more work than the workers have begun, if it moves.
    pub(super) crowded: Option<Instant>,
    /// How many bytes of memory a worker may have at the end of a task, to get another.
    pub(super) max_memory: Option<u64>,
    /// How many workers that have ended are to be replaced.
    pub(super) vacancies: u64,
    /// Workers that said that they are ready before whoever started them came to say that they are there.
    pub(super) early: Vec<u64>,
    /// How many threads wait for results, and how many come back to that again and again; whether one attends; how many listen for messages.
    pub(super) waiters: usize,
    pub(super) present: usize,
    /// How often a thread came to wait.
    pub(super) attends: u64,
    pub(super) attended: bool,
    pub(super) listening: usize,
    /// The manager sleeps for long unless it is told.
    pub(super) manager_sleeps: bool,
    /// Something has been delivered since those who wait were told.
    pub(super) delivered: bool,
    /// Workers that have ended and were not yet buried.
    pub(super) dead: Vec<u64>,
    pub(super) told: Vec<Waker>,
    pub(super) callbacks: Vec<Callback>,
    /// The manager is in a callback: it starts no workers meanwhile.
    pub(super) calls_back: bool,
    pub(super) phase: Phase,
    /// How many workers in a row ended before they were ready, and how many soon afterwards.
    pub(super) failed_starts: u32,
    pub(super) early_ends: u32,
    /// A worker could not be started: when it is tried again.
    pub(super) start_again: Option<Instant>,
    /// What exit functions returned.
    pub(super) exits: Vec<Delivery>,
    /// Counts what is submitted, and who comes to wait.
    pub(super) activity: u64,
    /// How long a call takes, and a job, in nanoseconds, about.
    pub(super) call_time: u64,
    pub(super) job_time: u64,
    pub(super) restarts: u64,
    pub(super) tasks: u64,
    pub(super) insight: Insight,
    pub(super) trace: Origin,
}

/// Answers of one message, to consecutive calls of one mailbox: they are delivered together.
#[derive(Debug, Default)]
struct Gathered {
    /// Whether the message has several records.
    goes_on: bool,
    mailbox: Option<Arc<Mailbox>>,
    place: usize,
    index: u64,
    count: u64,
    /// How long so many calls took.
    time: Option<(u64, u64)>,
    bytes: Vec<u8>,
}

impl Gathered {
    /// Whether the next answers of a job can be added.
    fn is_followed_by(&self, assigned: &Assigned) -> bool {
        let is_same = |mailbox| Arc::ptr_eq(mailbox, &assigned.job.mailbox);
        self.mailbox.as_ref().is_some_and(is_same) && self.index + self.count == assigned.next()
    }

    fn take(
        &mut self,
        place: usize,
        assigned: &mut Assigned,
        count: u64,
        time: Option<(u64, u64)>,
        answers: &[u8],
    ) {
        if self.mailbox.is_none() {
            self.mailbox = Some(Arc::clone(&assigned.job.mailbox));
            (self.place, self.index, self.count, self.time) = (place, assigned.next(), 0, None);
        }
        assigned.answered += count;
        self.count += count;
        let (nanoseconds, calls) = self.time.unwrap_or_default();
        self.time = time.map(|(more, of)| (nanoseconds + more, calls + of)).or(self.time);
        self.bytes.extend_from_slice(answers);
    }
}

/// A number of workers that follows the work that there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) least: usize,
    pub(super) most: usize,
    /// After how long without work a worker ends.
    pub(super) idle: Duration,
}

#[derive(Clone, Debug)]
pub(super) enum Phase {
    Open,
    /// It takes no more tasks; those that it has are done.
    Closed,
    /// It does nothing more: why.
    Ended(String),
}

pub(super) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A mean that forgets.
fn learn(mean: &mut u64, value: u64) {
    *mean = if *mean == 0 { value.max(1) } else { (*mean * 7 + value) / 8 };
}

impl State {
    pub(super) fn new_number(&mut self) -> u64 {
        self.next_job += 1;
        self.next_job
    }

    /// Whether nothing more is to be begun.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// Whether the manager has callbacks to call, or is in one.
    pub(super) fn calls_back(&self) -> bool {
        self.calls_back || !self.callbacks.is_empty()
    }

    /// Whether no worker is left, of a pool that needs none any more.
    pub(super) fn is_deserted(&self) -> bool {
        !matches!(self.phase, Phase::Open)
            && self.workers.is_empty()
            && self.starting == 0
            && !self.has_work()
    }

    /// Why no more tasks are taken.
    pub(super) fn why_closed(&self) -> Option<String> {
        match &self.phase {
            Phase::Open => None,
            Phase::Closed => Some("`close` was called".into()),
            Phase::Ended(why) => Some(why.clone()),
        }
    }

    pub(super) fn has_queue(&self) -> bool {
        !self.queue.is_empty() || !self.pinned.is_empty()
    }

    /// Whether there is something that workers have to do.
    pub(super) fn has_work(&self) -> bool {
        self.has_queue() || self.workers.iter().any(|worker| !worker.assigned.is_empty())
    }

    /// Whether only the manager can go on.
    pub(super) fn is_short_of_workers(&self) -> bool {
        if self.is_over() || (matches!(self.phase, Phase::Closed) && !self.has_work()) {
            return false;
        }
        let is_due = self.start_again.is_none_or(|again| Instant::now() >= again);
        self.staying() + self.starting < self.target && is_due
    }

    /// How many workers there are that get more jobs.
    pub(super) fn staying(&self) -> usize {
        self.workers.iter().filter(|worker| !worker.leaves()).count()
    }

    /// How many workers there may be, if there is much to do.
    pub(super) fn most_workers(&self) -> usize {
        self.range.map_or(self.target, |range| range.most)
    }

    /// Whether a thread attends, or comes back soon to do so.
    pub(super) fn has_waiters(&self) -> bool {
        self.waiters + self.present > 0
    }

    /// Whether the pool takes more tasks.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    pub(super) fn take_callbacks(&mut self) -> Vec<Callback> {
        std::mem::take(&mut self.callbacks)
    }

    /// Takes a message of a worker in: its records. What is beside it is the last one's.
    pub(super) fn take_in(&mut self, mut raw: Raw<'_>, beside: Beside, now: Instant) {
        let mut gathered = Gathered::default();
        loop {
            let bytes = match &raw {
                Raw::Copied(bytes) => bytes,
                Raw::InPlace(bytes) => &bytes[..],
            };
            // What is no message of a worker's is nobody's.
            let Some(head) = AnswerHead::read(bytes) else { break };
            let length = usize::try_from(head.length).unwrap_or(usize::MAX).min(bytes.len() - HEAD);
            let (answers, rest) = match raw {
                Raw::Copied(bytes) => {
                    let (answers, rest) = bytes[HEAD..].split_at(length);
                    (Raw::Copied(answers), Raw::Copied(rest))
                }
                Raw::InPlace(mut bytes) => {
                    let answers = bytes.slice(HEAD..HEAD + length);
                    (Raw::InPlace(answers), Raw::InPlace(bytes.split_off(HEAD + length)))
                }
            };
            if rest.is_empty() {
                self.take_record(&head, answers, beside, now, &mut gathered);
                break;
            }
            gathered.goes_on = true;
            self.take_record(&head, answers, Beside::default(), now, &mut gathered);
            raw = rest;
        }
        self.hand_over(&mut gathered);
    }

    /// Delivers what has been gathered.
    fn hand_over(&mut self, gathered: &mut Gathered) {
        let Gathered { mailbox, place, index, count, time, bytes, .. } = gathered;
        let Some(mailbox) = mailbox.take() else { return };
        let (who, answers) = (&self.workers[*place].who, Raw::Copied(bytes));
        let to_tell = mailbox.deliver_answers(who, *index, *count, *time, answers, Remaining::default());
        bytes.clear();
        self.tell(to_tell);
    }

    fn take_record(
        &mut self,
        head: &AnswerHead,
        answers: Raw<'_>,
        beside: Beside,
        now: Instant,
        gathered: &mut Gathered,
    ) {
        let Some(place) = self.workers.iter().position(|worker| worker.number == head.worker) else {
            if head.kind == Kind::Ready {
                self.early.push(head.worker);
                self.failed_starts = 0;
            }
            return;
        };
        let worker = &mut self.workers[place];
        worker.full_until = None;
        match head.kind {
            Kind::Ready => {
                worker.is_ready = true;
                self.failed_starts = 0;
            }
            Kind::Exit => {
                worker.has_exited = true;
                let bytes = match answers {
                    Raw::Copied(bytes) => Answers::Copied(bytes.to_vec()),
                    Raw::InPlace(bytes) => Answers::InPlace(bytes),
                };
                let (worker, remaining) = (Arc::clone(&worker.who), beside.into());
                self.exits.push(Delivery::Answers { index: 0, count: 1, bytes, remaining, worker });
            }
            Kind::Answers | Kind::Done => {
                let of_job = |assigned: &Assigned| assigned.job.number == head.job;
                let Some(position) = worker.assigned.iter().position(of_job) else { return };
                let Some(mut assigned) = worker.assigned.remove(position) else { return };
                // Some of them may have been found on the worker's desk.
                let next = assigned.job.first + assigned.answered;
                let known = next.saturating_sub(head.first).min(head.count);
                let (first, count) = (head.first + known, head.count - known);
                let expected = first == next && count <= assigned.count - assigned.answered;
                if expected {
                    worker.tasks += count;
                }
                self.early_ends = 0;
                (worker.moved_on, worker.looks) = (now, 0);
                let mut time = None;
                if head.kind == Kind::Done {
                    worker.claims.push(assigned.claim);
                    let calls = (head.first + head.count).saturating_sub(assigned.job.first);
                    self.insight.done(worker, &assigned.job, calls, &head.measured);
                    if let Some(each) = head.measured.time.checked_div(calls) {
                        learn(&mut self.call_time, each);
                        learn(&mut self.job_time, head.measured.time);
                        time = Some((head.measured.time, calls));
                    }
                }
                if expected && count > 0 {
                    let answers = answers.without(known);
                    match answers {
                        Raw::Copied(bytes) if gathered.goes_on && beside.is_empty() => {
                            if !gathered.is_followed_by(&assigned) {
                                self.hand_over(gathered);
                            }
                            gathered.take(place, &mut assigned, count, time, bytes);
                        }
                        answers => {
                            let who = Arc::clone(&self.workers[place].who);
                            self.answer(&who, &mut assigned, count, time, answers, beside.into());
                        }
                    }
                }
                if head.kind == Kind::Answers {
                    self.workers[place].assigned.insert(position, assigned);
                } else if assigned.answered < assigned.count {
                    // It says that it is done, and is not.
                    let why = TaskFailure::Pool("the worker left answers out".into());
                    let who = Arc::clone(&self.workers[place].who);
                    self.fail_rest(assigned, &why, &who);
                }
                self.weigh(place);
            }
        }
    }

    /// Looks for answers on the desks of workers that have been at one call for long.
    ///
    /// What has come in a message meanwhile goes first: a desk tells nothing of what its worker has sent.
    pub(super) fn look_at_desks(&mut self, now: Instant, nothing_came: impl Fn() -> bool) {
        for place in 0..self.workers.len() {
            let worker = &mut self.workers[place];
            if worker.next_look().is_none_or(|look| now < look) {
                continue;
            }
            let found = worker.desk.held();
            if !nothing_came() {
                return;
            }
            worker.looks += 1;
            worker.looked = now;
            let (number, looks) = (worker.number, worker.looks);
            let Some(found) = found else { continue };
            self.take_held(number, &found, now);
            // It is still at it.
            let worker = &mut self.workers[place];
            (worker.looks, worker.looked) = (looks, now);
        }
    }

    /// Takes in what was found on a worker's desk.
    pub(super) fn take_held(&mut self, worker: u64, found: &Held, now: Instant) {
        self.take_in(Raw::Copied(&found.records), Beside::default(), now);
        if found.count > 0 {
            let Held { job, first, count, ref answers, .. } = *found;
            let (kind, length, measured) = (Kind::Answers, answers.len() as u64, Measured::default());
            let head = AnswerHead { kind, worker, job, first, count, length, measured };
            self.take_record(&head, Raw::Copied(answers), Beside::default(), now, &mut Gathered::default());
        }
    }

    /// A worker that has just answered may have more memory than it may: then it begins nothing more.
    fn weigh(&mut self, place: usize) {
        let worker = &mut self.workers[place];
        if self.max_memory.is_some() && !worker.is_large && worker.desk.is_large() {
            worker.is_large = true;
            self.hold_back(place, usize::MAX);
        }
    }

    /// Hands over answers to the next calls of a job, which took so long if that is known of all of them.
    fn answer(
        &mut self,
        who: &Arc<Who>,
        assigned: &mut Assigned,
        count: u64,
        time: Option<(u64, u64)>,
        answers: Raw<'_>,
        remaining: Remaining,
    ) {
        let index = assigned.next();
        assigned.answered += count;
        let to_tell = assigned.job.mailbox.deliver_answers(who, index, count, time, answers, remaining);
        self.tell(to_tell);
    }

    pub(super) fn tell(&mut self, to_tell: ToTell) {
        self.delivered = true;
        self.told.extend(to_tell.waker);
        self.callbacks.extend(to_tell.callback);
    }

    /// The calls of a job from one on will not be answered.
    pub(super) fn fail(&mut self, job: &Job, from: u64, failure: &TaskFailure, worker: Option<&Arc<Who>>) {
        if from < job.count {
            self.trace.failed(&job.context, failure, worker.map(|who| (&*who.name, who.pid)));
        }
        for call in from..job.count {
            let error = TaskError::of(failure.clone(), worker.cloned());
            let to_tell = job.mailbox.deliver(Delivery::Failed(job.index + job.first + call, error));
            self.tell(to_tell);
        }
    }

    /// What has no answer yet of a worker's job will not be answered.
    pub(super) fn fail_rest(&mut self, assigned: Assigned, failure: &TaskFailure, worker: &Arc<Who>) {
        let Assigned { mut job, answered, count, .. } = assigned;
        job.count = count;
        self.fail(&job, answered, failure, Some(worker));
    }

    /// What became of a job that was given to a worker: it waits on if it could not be given now, and has failed if it never can.
    pub(super) fn note(&mut self, given: Result<(), (Job, Option<String>)>) {
        match given {
            Ok(()) => {}
            Err((job, None)) => self.queue.push_front(job),
            Err((job, Some(why))) => self.fail(&job, 0, &TaskFailure::Argument(why), None),
        }
    }

    /// A worker ended in the middle of a call. Whether that has failed.
    pub(super) fn call_is_lost(
        &mut self,
        worker: &Worker,
        job: &Job,
        call: u64,
        cause: &TaskFailure,
        verdict: Option<Verdict>,
    ) -> bool {
        let mut one = job.clone();
        (one.first, one.count) = (call, 1);
        let who = Some(&worker.who);
        match (verdict, &worker.verdict) {
            (Some(verdict), _) => self.fail(&one, 0, &verdict.failure, who),
            // It was killed for another call, which was over by then: this one has done nothing.
            (None, Some(_)) => {
                self.requeue(one);
                return false;
            }
            (None, None) if one.retries > 0 && !one.is_pinned => {
                one.retries -= 1;
                self.requeue(one);
                return false;
            }
            (None, None) => self.fail(&one, 0, cause, who),
        }
        true
    }

    /// Puts back what a worker that has ended had not begun.
    pub(super) fn put_back(&mut self, assigned: &Assigned) {
        if assigned.answered >= assigned.count {
            return;
        }
        let mut job = assigned.job.clone();
        job.first += assigned.answered;
        job.count = assigned.count - assigned.answered;
        if job.is_pinned {
            self.fail(&job, 0, &TaskFailure::Pool(LOST_WORKER.into()), None);
        } else {
            self.requeue(job);
        }
    }

    pub(super) fn requeue(&mut self, mut job: Job) {
        if let Phase::Ended(why) = &self.phase {
            let why = TaskFailure::Pool(why.clone());
            return self.fail(&job, 0, &why, None);
        }
        if job.mailbox.is_abandoned.load(Ordering::Relaxed) {
            return;
        }
        job.number = self.new_number();
        self.queue.push_front(job);
    }

    /// How many jobs a worker should have before it, if the next ones are like this; and how many, so that it need not wait.
    pub(super) fn ahead(&self, next: &Job) -> (usize, usize) {
        let least = if self.job_time < MANY_AHEAD { 4 } else { 2 };
        let worth = |ahead: u64| match ahead.checked_div(self.job_time) {
            None => 2,
            Some(jobs) => usize::try_from(jobs.clamp(least, MOST_AHEAD)).unwrap_or(2),
        };
        (worth(if next.is_leisurely { LEISURE } else { AHEAD }), worth(AHEAD))
    }

    /// Takes jobs back from a worker that has several for one that has none. Whether it did.
    pub(super) fn rebalance(&mut self, max_tasks: Option<u64>) -> bool {
        let idles = |worker: &Worker| {
            worker.is_ready && worker.assigned.is_empty() && worker.takes_more(1, max_tasks)
        };
        if !self.workers.iter().any(idles) {
            return false;
        }
        let Some(victim) = self.workers.iter_mut().max_by_key(|worker| worker.movable()) else {
            return false;
        };
        let calls = victim.movable();
        let is_quick = self.call_time > 0
            && calls.saturating_mul(self.call_time) < WORTH_MOVING
            && victim.moved_on.elapsed() < LONG_CALL;
        if calls == 0 || is_quick {
            return false;
        }
        let Some(assigned) = victim.assigned.iter_mut().rev().find(|assigned| {
            !assigned.job.is_pinned && victim.desk.begun(assigned.claim, assigned.count) < assigned.count
        }) else {
            return false;
        };
        let begun = victim.desk.take_back(assigned.claim, assigned.count);
        if begun >= assigned.count {
            return true; // it has begun the last one meanwhile: look at the others
        }
        let mut rest = assigned.job.clone();
        rest.first += begun;
        rest.count = assigned.count - begun;
        assigned.count = begun;
        // The idle one gets half of it, and the other half goes to who is free first.
        rest.number = self.new_number();
        let Some(worker) = self.workers.iter_mut().find(|worker| idles(worker)) else {
            self.queue.push_front(rest);
            return false;
        };
        let half = rest.count.div_ceil(2);
        let second = rest.split(worker.allowance(max_tasks).map_or(half, |most| half.min(most)));
        let given = worker.give(rest);
        if let Some(mut second) = second {
            second.number = self.new_number();
            self.queue.push_front(second);
        }
        self.note(given);
        false // what is in the queue goes to whoever answers next
    }

    /// Lets workers go that are too many, have done their share, have had nothing to do for long, or have no more to come.
    pub(super) fn dismiss(&mut self, max_tasks: Option<u64>) {
        let no_more = !matches!(self.phase, Phase::Open) && !self.has_work();
        if let Some(range) = self.range.filter(|_| !self.has_queue()) {
            let is_idle = |worker: &&Worker| worker.idles() && worker.moved_on.elapsed() >= range.idle;
            let idle = self.workers.iter().filter(is_idle).count();
            self.target -= idle.min(self.target.saturating_sub(range.least));
        }
        let mut surplus = self.staying().saturating_sub(self.target);
        // Those first that have had nothing to do for longest.
        if surplus > 0 {
            self.workers.sort_by_key(|worker| worker.moved_on);
        }
        for worker in &mut self.workers {
            if worker.jobs.is_none() || !worker.assigned.is_empty() {
                continue;
            }
            let has_done_its_share = worker.is_large || max_tasks.is_some_and(|most| worker.tasks >= most);
            if no_more || has_done_its_share {
                worker.let_go();
                self.vacancies += u64::from(!no_more);
            } else if surplus > 0 {
                worker.let_go();
                surplus -= 1;
            }
        }
    }

    /// Says which workers are too many, and get nothing more: those that have least to do.
    pub(super) fn mark_surplus(&mut self) {
        let surplus = self.staying().saturating_sub(self.target);
        if surplus == 0 && !self.workers.iter().any(|worker| worker.is_surplus) {
            return;
        }
        let mut staying: Vec<&mut Worker> =
            self.workers.iter_mut().filter(|worker| !worker.leaves()).collect();
        staying.sort_by_key(|worker| (!worker.is_surplus, worker.assigned.len()));
        for (place, worker) in staying.into_iter().enumerate() {
            worker.is_surplus = place < surplus;
        }
    }

    /// Wants another worker, if there may be more, and there has been work for some time that nobody has begun.
    pub(super) fn grow(&mut self) {
        let Some(range) = self.range else { return };
        let is_crowded = self.has_queue() || self.workers.iter().any(|worker| worker.movable() > 0);
        if !is_crowded || self.target >= range.most || self.is_over() {
            self.crowded = None;
            return;
        }
        let now = Instant::now();
        let since = *self.crowded.get_or_insert(now);
        if now - since >= CROWDED {
            self.target += usize::from(self.starting == 0);
            self.crowded = Some(now);
        }
    }

    /// When the next worker has had nothing to do for so long that it goes.
    pub(super) fn next_idle(&self) -> Option<Instant> {
        let range = self.range.filter(|range| self.target > range.least)?;
        let since =
            self.workers.iter().filter(|worker| worker.idles()).map(|worker| worker.moved_on).min()?;
        since.checked_add(range.idle)
    }

    /// Takes back all that a worker has not begun, before it is killed for what it is at: so nothing else is begun meanwhile. Whether it
    /// has begun nothing behind the job at this place.
    pub(super) fn hold_back(&mut self, place: usize, at: usize) -> bool {
        let worker = &mut self.workers[place];
        let (number, mut rests, mut is_last) = (worker.number, Vec::new(), true);
        for (index, assigned) in worker.assigned.iter_mut().enumerate() {
            let begun = worker.desk.take_back(assigned.claim, assigned.count);
            is_last &= index <= at || begun == 0;
            if begun < assigned.count {
                let mut rest = assigned.job.clone();
                rest.first += begun;
                rest.count = assigned.count - begun;
                assigned.count = begun;
                rests.push(rest);
            }
        }
        for rest in rests.into_iter().rev() {
            if rest.is_pinned {
                self.pinned.push((number, rest));
            } else {
                self.requeue(rest);
            }
        }
        is_last
    }

    /// Kills workers whose call takes longer than it may.
    pub(super) fn enforce_limits(&mut self) {
        for place in 0..self.workers.len() {
            let worker = &self.workers[place];
            let Some((assigned, limit)) = worker.limited() else { continue };
            // In this order: a call that has run for so long is among those that had begun.
            let begun = worker.desk.begun(assigned.claim, assigned.count);
            let ran = worker.desk.running_for();
            if ran < limit || worker.verdict.is_some() || begun == 0 {
                continue;
            }
            let (job, call) = (assigned.job.number, assigned.job.first + begun - 1);
            let is_last = self.hold_back(place, 0);
            let worker = &mut self.workers[place];
            if !is_last || worker.assigned[0].count != begun || worker.desk.running_for() < limit {
                continue; // that call, or that part of it which has its own limit, is over by now
            }
            worker.verdict = Some(Verdict { job, call, failure: TaskFailure::TimedOut(limit) });
            let _gone_already = worker.child.kill();
        }
    }

    /// When to look next whether something takes too long.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let one_idles = self.queue.is_empty() && self.workers.iter().any(Worker::idles);
        let busy = self.workers.iter().filter(|worker| one_idles && worker.movable() > 0);
        let too_long = busy.map(|worker| worker.moved_on + LONG_CALL).min();
        let full =
            self.workers.iter().filter(|_| self.has_queue()).filter_map(|worker| worker.full_until).min();
        let desks = self.workers.iter().filter_map(Worker::next_look).min();
        let crowded = self.crowded.map(|since| since + CROWDED);
        let looks = [too_long, full, desks, crowded, self.next_start(), self.next_idle()];
        // What is due is done by now, or cannot be done yet.
        let soon = Instant::now() + LONG_CALL;
        let next = looks.into_iter().flatten().min().map(|look| look.max(soon));
        earlier(next, self.next_limit())
    }

    /// When it is tried again to start a worker.
    pub(super) fn next_start(&self) -> Option<Instant> {
        self.start_again.filter(|_| !self.is_over() && self.staying() + self.starting < self.target)
    }

    /// When to look at the limits next.
    pub(super) fn next_limit(&self) -> Option<Instant> {
        let left = self.workers.iter().filter(|worker| worker.verdict.is_none()).filter_map(|worker| {
            // The clock of the desk moves every few milliseconds.
            let soon = Duration::from_millis(4);
            worker
                .limited()
                .map(|(_, limit)| limit.saturating_sub(worker.desk.running_for()).saturating_add(soon))
        });
        left.min().and_then(|left| Instant::now().checked_add(left))
    }

    pub(super) fn stats(&self) -> Stats {
        let workers = self.workers.iter().map(WorkerStats::of).collect::<Vec<_>>();
        Stats {
            failed: self.insight.failed() + workers.iter().map(|worker| worker.failed).sum::<u64>(),
            workers,
            tasks: self.tasks + self.workers.iter().map(|worker| worker.tasks).sum::<u64>(),
            queued: self.queued(),
            restarts: self.restarts,
        }
    }

    /// How many tasks wait for a worker.
    fn queued(&self) -> u64 {
        self.queue.iter().chain(self.pinned.iter().map(|(_, job)| job)).map(|job| job.count).sum()
    }

    pub(super) fn report(&self) -> Report {
        self.insight.report(&self.workers, self.queued(), self.restarts)
    }

    pub(super) fn timeline(&mut self) -> Option<Timeline> {
        let Self { insight, workers, .. } = self;
        Some(insight.recorder.as_mut()?.timeline(workers))
    }
}
