//! Producers elsewhere: whose tasks are whose, and which results wait for whom.
//!
//! ```text
//!           Produce                      its link ends                the retention is over
//! (unknown) -------> connected ------------------------> gone ---------------------------+
//!                    ^  |  ^                               |                             |
//!                    |  |  +-------------------------------+                             v
//!                    |  |          it comes back, or another with its name         (unknown): what it
//!    another comes   +--+                                                          has not got is the
//!    with its name                                        Bye ------------------------> server's own
//! ```
//!
//! Each of its results is ready, or sent to it and not got; when a link ends, what was sent and is not in its hands is ready again.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Desk, Dispatch, Ledger, NOBODY};
use crate::tasks::TaskError;
use crate::tasks::error::TaskFailure;
use crate::tasks::journal::Known;
use crate::tasks::message::{self, Encoded, Index, Number, Outcome, ToProducer, frame};
use crate::tasks::server::Post;

/// A result that waits for its producer.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) number: Number,
    pub(super) index: Index,
    pub(super) outcome: Outcome,
}

impl Arrived {
    /// As a message, with what a producer takes instead if it is too long; `None` if not even that.
    fn write_for(&mut self, post: &Post) -> Option<Vec<u8>> {
        let message = self.write();
        let Err(error) = post.takes(&message) else { return Some(message) };
        self.outcome = Err(TaskFailure::TooLarge(error.to_string()));
        let message = self.write();
        post.takes(&message).ok().map(|()| message)
    }

    fn write(&self) -> Vec<u8> {
        let outcome = self.outcome.clone().map(Encoded);
        frame(&ToProducer::Outcome { index: self.index, outcome })
    }
}

#[derive(Debug, Default)]
struct Producer {
    next: Index,
    /// Which of all who ever had the name; `None` when the journal does not say.
    life: Option<u64>,
    link: Option<(Desk, Post)>,
    /// Since when there is no link.
    gone: Option<Instant>,
    /// How many results it waits for.
    hungry: usize,
    ready: VecDeque<Arrived>,
    sent: BTreeMap<Index, Arrived>,
}

impl Producer {
    fn is_at(&self, desk: Desk) -> bool {
        matches!(self.link, Some((its, _)) if its == desk)
    }

    /// What was sent is ready again, but for what it has in hand.
    fn take_back(&mut self, holds: &BTreeSet<Index>) {
        let ready = std::mem::take(&mut self.ready);
        for arrived in std::mem::take(&mut self.sent).into_values().chain(ready) {
            if holds.contains(&arrived.index) {
                self.sent.insert(arrived.index, arrived);
            } else {
                self.ready.push_back(arrived);
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Producers {
    all: HashMap<Arc<str>, Producer>,
    /// Those to whom something may be sent.
    stirred: VecDeque<Arc<str>>,
    /// How many results there are.
    kept: usize,
}

/// What a producer is told that comes.
pub(in crate::tasks) enum Arrival {
    Welcome {
        desk: Desk,
        name: Arc<str>,
        known: bool,
        next: Index,
    },
    /// Another has its name.
    Replaced,
}

impl Producers {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn life_of(&self, name: &Arc<str>) -> Option<u64> {
        self.all.get(name)?.life
    }

    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    pub(super) fn any_connected(&self) -> bool {
        self.all.values().any(|producer| producer.link.is_some())
    }

    pub(super) fn posts(&self) -> Vec<Post> {
        self.all.values().filter_map(|producer| Some(producer.link.as_ref()?.1.clone())).collect()
    }

    /// A result has come for one of them; it comes back if nobody has that name.
    pub(super) fn arrive(&mut self, name: &Arc<str>, arrived: Arrived) -> Result<(), Arrived> {
        let Some(producer) = self.all.get_mut(name) else { return Err(arrived) };
        producer.ready.push_back(arrived);
        self.kept += 1;
        self.stirred.push_back(Arc::clone(name));
        Ok(())
    }

    /// Sends what is ready to who waits.
    pub(super) fn dispatch(&mut self, dispatches: &mut Vec<Dispatch>) {
        while let Some(name) = self.stirred.pop_front() {
            let Some(producer) = self.all.get_mut(&name) else { continue };
            let Some((_, post)) = &producer.link else { continue };
            while producer.hungry > 0 {
                let Some(mut arrived) = producer.ready.pop_front() else { break };
                let Some(message) = arrived.write_for(post) else {
                    // It takes nothing: its link ends, and the next may take more.
                    producer.ready.push_front(arrived);
                    producer.hungry = 0;
                    post.shutdown();
                    break;
                };
                producer.hungry -= 1;
                dispatches.push(Dispatch { to: post.clone(), message });
                producer.sent.insert(arrived.index, arrived);
            }
        }
    }
}

impl Ledger {
    /// Gives what a journal has to those whose it is. They are gone since now.
    pub(super) fn give_to_producers(&mut self, producers: Vec<Known>, owners: Vec<(Number, String, Index)>) {
        let now = Instant::now();
        for Known { name, next, life } in producers {
            let producer = Producer { next, life, gone: Some(now), ..Producer::default() };
            self.producers.all.insert(name.into(), producer);
        }
        let mut results: BTreeMap<_, _> = std::mem::take(&mut self.results).into_iter().collect();
        for (number, name, index) in owners {
            let known = self.producers.all.get_key_value(&*name).map(|(name, _)| Arc::clone(name));
            let is_known = known.is_some();
            let name = known.unwrap_or_else(|| NOBODY.into());
            if !is_known && results.contains_key(&number) {
                self.abandoned.insert(number);
            } else if let Some(outcome) = results.remove(&number) {
                let _is_known = self.producers.arrive(&name, Arrived { number, index, outcome });
            } else if let Some(open) = self.open.get_mut(&number) {
                open.owner = Some((name, index));
            }
        }
        self.results = results.into_iter().collect();
    }

    /// A producer has come.
    pub(in crate::tasks) fn enter_producer(
        &mut self,
        post: Post,
        comes: message::Producer,
    ) -> Result<Arrival, TaskError> {
        let message::Producer { name, life, again, next, holds, got } = comes;
        let name: Arc<str> = name.into();
        let earlier = self.producers.all.get(&name);
        if let Some(earlier) = earlier.filter(|earlier| earlier.life != Some(life)) {
            if again && earlier.life.is_some() {
                return Ok(Arrival::Replaced);
            }
            // Also for those who come when the server has been started again.
            self.journal.enter(&name, earlier.next, life)?;
        }
        let known = earlier.is_some();
        let producer = self.producers.all.entry(Arc::clone(&name)).or_default();
        if !known {
            producer.next = next;
        }
        producer.life = Some(life);
        self.desks += 1;
        let desk = self.desks;
        if let Some((_, earlier)) = producer.link.replace((desk, post)) {
            earlier.shutdown(); // it is cut off, or another had the name
        }
        producer.gone = None;
        producer.hungry = 0;
        producer.take_back(&holds.into_iter().chain(got).collect());
        Ok(Arrival::Welcome { desk, name, known, next: producer.next })
    }

    /// The link of a producer has ended.
    pub(in crate::tasks) fn leave_producer(&mut self, name: &Arc<str>, desk: Desk) {
        if let Some(producer) = self.producers.all.get_mut(name).filter(|producer| producer.is_at(desk)) {
            producer.link = None;
            producer.gone = Some(Instant::now());
            producer.hungry = 0;
        }
    }

    /// A producer puts tasks: the index after the last of them. Those that are there already are not put again.
    pub(in crate::tasks) fn put_of(
        &mut self,
        name: &Arc<str>,
        first: Index,
        tasks: Vec<Vec<u8>>,
        capacity: usize,
    ) -> Result<Index, TaskError> {
        let Some(producer) = self.producers.all.get(name) else { return Err(TaskError::Replaced) };
        if first < producer.next {
            return Ok(producer.next);
        }
        if first > producer.next {
            return Err(TaskError::Decode("tasks are missing between those that a producer put".into()));
        }
        let there_are = self.open.len() + self.results.len() + self.producers.kept + tasks.len();
        if there_are > capacity {
            self.make_room(there_are - capacity)?;
        }
        let next = first + tasks.len() as u64;
        self.put_for(Some((name, first)), tasks)?;
        if let Some(producer) = self.producers.all.get_mut(name) {
            producer.next = next;
        }
        Ok(next)
    }

    /// Whether this is the link that a producer has.
    pub(in crate::tasks) fn is_at(&self, name: &Arc<str>, desk: Desk) -> bool {
        self.producers.all.get(name).is_some_and(|producer| producer.is_at(desk))
    }

    /// A producer waits for one result more.
    pub(in crate::tasks) fn want_result(&mut self, name: &Arc<str>) {
        if let Some(producer) = self.producers.all.get_mut(name) {
            producer.hungry += 1;
            self.producers.stirred.push_back(Arc::clone(name));
        }
    }

    /// A producer has got a result.
    pub(in crate::tasks) fn forget_of(&mut self, name: &Arc<str>, index: Index) -> Result<(), TaskError> {
        let Some(producer) = self.producers.all.get_mut(name) else { return Ok(()) };
        let Some(arrived) = producer.sent.get(&index) else { return Ok(()) };
        self.journal.forget(&[arrived.number])?;
        producer.sent.remove(&index);
        self.producers.kept -= 1;
        Ok(())
    }

    /// A producer does not come back: what it has not got is the server's own.
    pub(in crate::tasks) fn abandon(&mut self, name: &Arc<str>) -> Result<(), TaskError> {
        let Some(producer) = self.producers.all.get(name) else { return Ok(()) };
        let is_its = |owner: &Option<(Arc<str>, Index)>| matches!(owner, Some((its, _)) if its == name);
        let open = self.open.iter().filter(|(_, open)| is_its(&open.owner)).map(|(number, _)| *number);
        let results = producer.sent.values().chain(&producer.ready).map(|arrived| arrived.number);
        let numbers: Vec<_> = open.chain(results).collect();
        self.journal.abandon(name, &numbers)?;
        for number in numbers {
            if let Some(open) = self.open.get_mut(&number) {
                open.owner = Some((NOBODY.into(), 0));
            }
        }
        if let Some(mut producer) = self.producers.all.remove(name) {
            producer.take_back(&BTreeSet::new());
            self.producers.kept -= producer.ready.len();
            self.abandoned.extend(producer.ready.iter().map(|arrived| arrived.number));
            self.results.extend(producer.ready.into_iter().map(|arrived| (arrived.number, arrived.outcome)));
        }
        Ok(())
    }

    /// Abandons those that are gone for so long: when the next will be.
    pub(in crate::tasks) fn expire(&mut self, retention: Duration) -> Option<Instant> {
        let now = Instant::now();
        let end = |producer: &Producer| producer.gone.and_then(|gone| gone.checked_add(retention));
        let is_over = |producer: &Producer| end(producer).is_some_and(|end| end <= now);
        let over: Vec<_> = self.producers.all.iter().filter(|(_, producer)| is_over(producer)).collect();
        let over: Vec<_> = over.into_iter().map(|(name, _)| Arc::clone(name)).collect();
        for name in over {
            if self.abandon(&name).is_err() {
                // The journal has it still: once more, later.
                if let Some(producer) = self.producers.all.get_mut(&name) {
                    producer.gone = Some(now);
                }
            }
        }
        self.producers.all.values().filter_map(end).min()
    }
}
