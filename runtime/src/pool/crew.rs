//! The pool's side of its workers: what each has been given, and what it may be given.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::desk::Desk;
use super::error::{TaskFailure, Who};
use super::job::Job;
use super::message::JobHead;
use super::worker::Message;
use crate::channel::{SendFailure, Sender};
use crate::launch::Failure;
use crate::process::Child;
use crate::trace::Source;

/// What takes this long is no quick call, whatever others were.
pub(super) const LONG_CALL: Duration = Duration::from_micros(500);

/// After how many looks at a worker that is at one call they become no rarer; with how many it begins whose answers nobody waits for.
const SELDOM: u32 = 8;
const AT_LEISURE: u32 = 6;

/// A worker, as the pool sees it.
#[allow(clippy::struct_excessive_bools)] // they are independent of each other
pub(super) struct Worker {
    pub(super) number: u64,
    pub(super) who: Arc<Who>,
    pub(super) child: Child<Option<Failure>>,
    /// Until this is dropped, what it says is heard.
    pub(super) _source: Source,
    /// `None` once it gets no more.
    pub(super) jobs: Option<Sender<Message>>,
    pub(super) desk: Desk,
    pub(super) assigned: VecDeque<Assigned>,
    pub(super) claims: Vec<usize>,
    pub(super) is_ready: bool,
    /// The CPU that it runs on, if it is to be one.
    pub(super) cpu: Option<usize>,
    /// What its exit function returned has come.
    pub(super) has_exited: bool,
    /// What its end will mean for the call that it was killed for.
    pub(super) verdict: Option<Verdict>,
    /// Its channel took nothing more, or was held by one who is stopped: until when nothing is tried.
    pub(super) full_until: Option<Instant>,
    /// It makes room for another, because it has more memory than it may.
    pub(super) is_large: bool,
    /// There are too many workers, and this is one of those.
    pub(super) is_surplus: bool,
    pub(super) tasks: u64,
    pub(super) started: Instant,
    /// As `started`, by the clock that workers measure with.
    pub(super) begun: u64,
    /// How many tasks ended it.
    pub(super) lost: u64,
    /// What is about to be sent to it, and where each job of it ends; for what is sent otherwise.
    pub(super) staged: Vec<u8>,
    pub(super) ends: Vec<usize>,
    pub(super) buffer: Vec<u8>,
    /// When it was last given a job while it had none, or answered, and how often it has been looked at since.
    pub(super) moved_on: Instant,
    pub(super) looks: u32,
    pub(super) looked: Instant,
}

/// A job that a worker has.
pub(super) struct Assigned {
    pub(super) job: Job,
    pub(super) claim: usize,
    /// How many of its calls are answered, from the first on.
    pub(super) answered: u64,
    /// How many are this worker's: the others were taken back.
    pub(super) count: u64,
}

impl Assigned {
    /// The index of the next call that is to be answered.
    pub(super) fn next(&self) -> u64 {
        self.job.index + self.job.first + self.answered
    }
}

/// What the end of a worker means for the call that it was killed for.
pub(super) struct Verdict {
    pub(super) job: u64,
    pub(super) call: u64,
    pub(super) failure: TaskFailure,
}

impl Worker {
    /// When to look next whether it keeps answers while it is at a long call: ever less often, some times a second in the end.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let since = self.looked.max(self.moved_on);
        let is_leisurely = self.assigned.iter().all(|assigned| assigned.job.is_leisurely);
        let looks = if is_leisurely { self.looks + AT_LEISURE } else { self.looks };
        (!self.assigned.is_empty()).then(|| since + LONG_CALL * (1 << looks.min(SELDOM)))
    }

    /// Whether it gets no more jobs.
    pub(super) fn leaves(&self) -> bool {
        self.jobs.is_none()
    }

    /// Gives it no more jobs, at whose end it ends.
    pub(super) fn let_go(&mut self) {
        if let Some(jobs) = self.jobs.take() {
            // It is told at once; else it would see that nobody is there when it looks.
            let _gone_with_the_sender = jobs.close();
        }
    }

    /// Whether it has nothing to do, and could have.
    pub(super) fn idles(&self) -> bool {
        self.is_ready && self.assigned.is_empty() && !self.leaves() && self.verdict.is_none()
    }

    /// How many calls it may still be given.
    pub(super) fn allowance(&self, max_tasks: Option<u64>) -> Option<u64> {
        let most = max_tasks?;
        let before_it: u64 = self.assigned.iter().map(|assigned| assigned.count - assigned.answered).sum();
        Some(most.saturating_sub(self.tasks + before_it))
    }

    pub(super) fn takes_more(&self, ahead: usize, max_tasks: Option<u64>) -> bool {
        // One that is not there yet gets one job, for others may be there before it.
        let most = if self.is_ready { ahead } else { 1 };
        self.jobs.is_some()
            && self.verdict.is_none()
            && !self.is_large
            && !self.is_surplus
            && self.full_until.is_none_or(|until| Instant::now() >= until)
            && self.assigned.len() < most
            && !self.claims.is_empty()
            && self.allowance(max_tasks).is_none_or(|left| left > 0)
    }

    /// How many calls it has before it that it has not begun.
    pub(super) fn movable(&self) -> u64 {
        let not_begun = |assigned: &Assigned| {
            if assigned.job.is_pinned {
                return 0;
            }
            assigned.count - self.desk.begun(assigned.claim, assigned.count).min(assigned.count)
        };
        self.assigned.iter().map(not_begun).sum()
    }

    /// Gives it a job: else the job, and why it can be given to nobody, if that is so.
    pub(super) fn give(&mut self, job: Job) -> Result<(), (Job, Option<String>)> {
        self.stage(job)?;
        let (unsent, why) = self.post();
        unsent.into_iter().next().map_or(Ok(()), |job| Err((job, why)))
    }

    /// Sends what is staged: what could not be sent, and why the first of it can be given to nobody, if that is so.
    pub(super) fn post(&mut self) -> (Vec<Job>, Option<String>) {
        let count = self.ends.len();
        let Some(jobs) = self.jobs.as_ref().filter(|_| count > 0) else { return Default::default() };
        let sent = jobs.try_send_all(&self.staged, &self.ends);
        self.staged.clear();
        self.ends.clear();
        let (sent, why) = match sent {
            Ok(sent) => (sent, None),
            // One that has ended is buried soon, and its jobs go to others.
            Err(SendFailure::Disconnected | SendFailure::Closed) => (count, None),
            Err(SendFailure::Full | SendFailure::TimedOut) => (0, None),
            Err(error) => (0, Some(error.to_string())),
        };
        let unsent = self.assigned.drain(self.assigned.len() - (count - sent)..);
        let unsent = unsent.map(|assigned| {
            self.claims.push(assigned.claim);
            assigned.job
        });
        let unsent = unsent.collect::<Vec<_>>();
        if !unsent.is_empty() && why.is_none() {
            self.full_until = Some(Instant::now() + LONG_CALL);
        }
        (unsent, why)
    }

    /// Gives it a job that it is [sent](Self::post) with others: else the job, and why it can be given to nobody, if that is so.
    pub(super) fn stage(&mut self, job: Job) -> Result<(), (Job, Option<String>)> {
        let (Some(jobs), Some(claim)) = (&self.jobs, self.claims.pop()) else { return Err((job, None)) };
        self.desk.offer(claim);
        let head = JobHead {
            function: job.function.offset,
            job: job.number,
            count: job.count,
            first: job.first,
            claim: claim as u64,
            limited: job.limit.is_some(),
            leisurely: job.is_leisurely,
            trace: job.context.word(),
        };
        let sent = if job.payload.stage(&head, &mut self.staged) {
            self.ends.push(self.staged.len());
            Ok(())
        } else if self.ends.is_empty() {
            job.payload.send(&head, jobs, &mut self.buffer)
        } else {
            self.claims.push(claim);
            return Err((job, None)); // after those
        };
        match sent {
            // One that has ended is buried soon, and its jobs go to others.
            Ok(()) | Err(SendFailure::Disconnected | SendFailure::Closed) => {
                let count = job.count;
                if self.assigned.is_empty() {
                    self.moved_on = Instant::now();
                    self.looks = 0;
                }
                self.assigned.push_back(Assigned { job, claim, answered: 0, count });
                Ok(())
            }
            Err(error) => {
                self.claims.push(claim);
                let full = matches!(error, SendFailure::Full | SendFailure::TimedOut);
                self.full_until = full.then(|| Instant::now() + LONG_CALL);
                Err((job, (!full).then(|| error.to_string())))
            }
        }
    }

    /// The job that it is at, and its time limit, if it has one.
    pub(super) fn limited(&self) -> Option<(&Assigned, Duration)> {
        let assigned = self.assigned.front()?;
        Some((assigned, assigned.job.limit?))
    }
}
