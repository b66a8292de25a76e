//! Which task is where. Everything that the server knows is in here; it does no input or output but for the journal.
//!
//! ```text
//!        put            Want               Done                 Finished is dropped
//! (new) ----> waiting --------> leased ----------> a result -----------------------> (forgotten)
//!                ^                |  |                 ^
//!                +----------------+  +-----------------+
//!           the worker ends, is cut      ... so often that it
//!           off, or gives it back            is given up
//! ```
//!
//! A result is taken from whoever brings it first, and whether the task is leased to somebody else meanwhile or waits again. So a task
//! has one result, however often it was done. With a journal, each arrow but the leases is in it before anybody learns of it: a server that is
//! restarted finds what was leased waiting, since it does not know who still works, and workers that come back take up what
//! they hold.

mod producers;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::TaskError;
use super::error::TaskFailure;
use super::journal::{Journal, NOBODY};
use super::message::{Epoch, Index, Number, Outcome, Receipt, ToWorker, frame};
use super::server::Post;
pub(super) use producers::Arrival;
use producers::{Arrived, Producers};

/// The number of a link to a worker or a producer.
pub(super) type Desk = u64;

/// A task on its way to a worker, or a result to a producer: to be sent when the ledger is unlocked.
pub(super) struct Dispatch {
    pub(super) to: Post,
    pub(super) message: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    task: Arc<[u8]>,
    holder: Option<Desk>,
    /// How many workers had it and were lost.
    lost: u32,
    /// Whose it is, if it is not the server's own: [`NOBODY`]'s, when its producer does not come back.
    owner: Option<(Arc<str>, Index)>,
}

#[derive(Debug)]
struct Worker {
    post: Post,
    holds: BTreeSet<Number>,
}

/// How many there are of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskCounts {
    /// Tasks that wait for a worker.
    pub waiting: usize,
    /// Tasks that a worker has.
    pub leased: usize,
    /// Results in the server's queue.
    pub results: usize,
    /// Workers that are connected.
    pub workers: usize,
    /// Results that producers have not got yet.
    pub kept: usize,
    /// Producers that are known: those that are connected, and those that may come back.
    pub producers: usize,
}

#[derive(Debug)]
pub(super) struct Ledger {
    journal: Journal,
    epoch: Epoch,
    next: Number,
    open: HashMap<Number, Open>,
    /// Those that nobody holds, the next first.
    waiting: VecDeque<Number>,
    results: VecDeque<(Number, Outcome)>,
    /// Those of them whose producers do not come back.
    abandoned: BTreeSet<Number>,
    workers: HashMap<Desk, Worker>,
    /// Who waits, once for each task.
    hungry: VecDeque<Desk>,
    producers: Producers,
    desks: Desk,
    attempts: u32,
}

impl Ledger {
    /// With what the journal has.
    pub(super) fn new(journal: Journal, fresh: Epoch, attempts: u32) -> Result<Self, TaskError> {
        let kept = journal.load(fresh)?;
        let waiting = kept.tasks.iter().map(|(number, _)| *number).collect();
        let open = |(number, task): (_, Vec<u8>)| {
            (number, Open { task: task.into(), holder: None, lost: 0, owner: None })
        };
        let mut ledger = Self {
            journal,
            epoch: kept.epoch,
            next: kept.next,
            open: kept.tasks.into_iter().map(open).collect(),
            waiting,
            results: kept.results.into(),
            abandoned: BTreeSet::new(),
            workers: HashMap::new(),
            hungry: VecDeque::new(),
            producers: Producers::default(),
            desks: 0,
            attempts,
        };
        ledger.give_to_producers(kept.producers, kept.owners);
        Ok(ledger)
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn counts(&self) -> TaskCounts {
        TaskCounts {
            waiting: self.waiting.len(),
            leased: self.open.len() - self.waiting.len(),
            results: self.results.len(),
            workers: self.workers.len(),
            kept: self.producers.kept(),
            producers: self.producers.len(),
        }
    }

    /// Writes nothing down any more, and lets others have the journal.
    pub(super) fn close_journal(&mut self) {
        self.journal = Journal::Nowhere;
    }

    /// Adds tasks, all or none: the number of the first, the others have those that follow.
    pub(super) fn put(&mut self, tasks: Vec<Vec<u8>>) -> Result<Number, TaskError> {
        self.put_for(None, tasks)
    }

    fn put_for(
        &mut self,
        owner: Option<(&Arc<str>, Index)>,
        tasks: Vec<Vec<u8>>,
    ) -> Result<Number, TaskError> {
        let first = self.next;
        let whose = owner.map(|(name, index)| (&**name, index, self.producers.life_of(name)));
        self.journal.put(first, &tasks, whose)?;
        for task in tasks {
            let owner = owner.map(|(name, index)| (Arc::clone(name), index + (self.next - first)));
            self.open.insert(self.next, Open { task: task.into(), holder: None, lost: 0, owner });
            self.waiting.push_back(self.next);
            self.next += 1;
        }
        Ok(first)
    }

    /// A worker has come, and holds some tasks already.
    pub(super) fn enter(&mut self, post: Post, holds: &[(Epoch, Number)]) -> Desk {
        self.desks += 1;
        let desk = self.desks;
        let mut worker = Worker { post, holds: BTreeSet::new() };
        for &(epoch, number) in holds {
            if let Some(open) =
                self.open.get_mut(&number).filter(|open| open.holder.is_none() && epoch == self.epoch)
            {
                open.holder = Some(desk);
                worker.holds.insert(number);
                self.waiting.retain(|waiting| *waiting != number);
            }
        }
        self.workers.insert(desk, worker);
        desk
    }

    /// A worker is gone: its tasks wait again.
    pub(super) fn leave(&mut self, desk: Desk) -> Result<(), TaskError> {
        let Some(worker) = self.workers.remove(&desk) else { return Ok(()) };
        self.hungry.retain(|hungry| *hungry != desk);
        // The first is to be in front.
        worker.holds.into_iter().rev().map(|number| self.release(number, true)).fold(Ok(()), Result::and)
    }

    /// A worker waits for one task more.
    pub(super) fn want(&mut self, desk: Desk) {
        self.hungry.push_back(desk);
    }

    /// A worker gives a task back. One that it does not hold, or no longer, is none of its.
    pub(super) fn give_back(
        &mut self,
        desk: Desk,
        (epoch, number): (Epoch, Number),
        lost: bool,
    ) -> Result<(), TaskError> {
        let held = epoch == self.epoch
            && self.workers.get_mut(&desk).is_some_and(|worker| worker.holds.remove(&number));
        if held { self.release(number, lost) } else { Ok(()) }
    }

    /// Nobody holds a task any more.
    fn release(&mut self, number: Number, lost: bool) -> Result<(), TaskError> {
        let Some(open) = self.open.get_mut(&number) else { return Ok(()) };
        open.holder = None;
        open.lost += u32::from(lost);
        let times = open.lost;
        // In front, so that an old task does not wait for all that are newer; and there before the journal can fail.
        self.waiting.push_front(number);
        if lost && times >= self.attempts {
            self.settle(number, Err(TaskFailure::Lost { times }))
        } else {
            Ok(())
        }
    }

    /// A result has come.
    pub(super) fn done(
        &mut self,
        epoch: Epoch,
        number: Number,
        result: Vec<u8>,
    ) -> Result<Receipt, TaskError> {
        if epoch != self.epoch || number >= self.next {
            return Ok(Receipt::Unknown);
        }
        if !self.open.contains_key(&number) {
            return Ok(Receipt::AlreadyDone);
        }
        self.settle(number, Ok(result))?;
        Ok(Receipt::Taken)
    }

    fn settle(&mut self, number: Number, outcome: Outcome) -> Result<(), TaskError> {
        self.journal.settle(number, &outcome)?;
        let Some(open) = self.open.remove(&number) else { return Ok(()) };
        match open.holder.and_then(|desk| self.workers.get_mut(&desk)) {
            Some(worker) => {
                worker.holds.remove(&number);
            }
            None => self.waiting.retain(|waiting| *waiting != number),
        }
        match open.owner {
            Some((name, index)) => {
                if let Err(Arrived { outcome, .. }) =
                    self.producers.arrive(&name, Arrived { number, index, outcome })
                {
                    self.abandoned.insert(number);
                    self.results.push_back((number, outcome));
                }
            }
            None => self.results.push_back((number, outcome)),
        }
        Ok(())
    }

    /// Leases what waits to who waits.
    pub(super) fn dispatch(&mut self) -> Vec<Dispatch> {
        let mut dispatches = Vec::new();
        while !self.waiting.is_empty() {
            let Some(desk) = self.hungry.pop_front() else { break };
            let Some(worker) = self.workers.get_mut(&desk) else { continue };
            let Some(number) = self.waiting.pop_front() else { break };
            let Some(open) = self.open.get_mut(&number) else { continue };
            open.holder = Some(desk);
            worker.holds.insert(number);
            let message = frame(&ToWorker::Task { number, task: open.task.to_vec() });
            if let Err(error) = worker.post.takes(&message) {
                self.hungry.push_front(desk); // it waits as before
                // What the journal cannot note stays with this worker, and waits again when that is gone.
                let _is_the_journals = self.settle(number, Err(TaskFailure::TooLarge(error.to_string())));
                continue;
            }
            dispatches.push(Dispatch { to: worker.post.clone(), message });
        }
        self.producers.dispatch(&mut dispatches);
        dispatches
    }

    /// Takes the next result. It is not forgotten until [`forget`](Self::forget).
    pub(super) fn take(&mut self) -> Option<(Number, Outcome)> {
        let (number, outcome) = self.results.pop_front()?;
        self.abandoned.remove(&number);
        Some((number, outcome))
    }

    /// The result of a task has arrived where it is wanted.
    pub(super) fn forget(&mut self, number: Number) -> Result<(), TaskError> {
        self.journal.forget(&[number])
    }

    /// A result has not arrived: it is the next again.
    pub(super) fn put_back(&mut self, number: Number, outcome: Outcome) {
        self.results.push_front((number, outcome));
    }

    pub(super) fn posts(&self) -> Vec<Post> {
        self.workers.values().map(|worker| worker.post.clone()).collect()
    }

    pub(super) fn posts_of_producers(&self) -> Vec<Post> {
        self.producers.posts()
    }

    /// Makes room for so many, of results that were abandoned and that nobody has got since.
    fn make_room(&mut self, count: usize) -> Result<(), TaskError> {
        if self.abandoned.len() < count {
            return Err(TaskError::Full);
        }
        let oldest: Vec<_> = self.abandoned.iter().take(count).copied().collect();
        self.journal.forget(&oldest)?;
        self.results.retain(|(number, _)| oldest.binary_search(number).is_err());
        self.abandoned.retain(|number| oldest.binary_search(number).is_err());
        Ok(())
    }

    /// Whether a worker or a producer is connected.
    pub(super) fn has_visitors(&self) -> bool {
        !self.workers.is_empty() || self.producers.any_connected()
    }
}
