//! Jobs: calls that go to a worker together, and where their outcomes go.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use serde::Serialize;

use super::error::{TaskError, Who};
use super::message::{HEAD, JobHead, OK, begin_part, end_part, next_part};
use super::worker::Message;
use crate::channel::{Raw, SendFailure, Sender};
use crate::trace::Context;
use crate::wire::codec::CodecError;
use crate::wire::parcel::{self, Beside, Parcel, Remaining};

/// How many deliveries back it is looked for one that others can be added to.
const NEIGHBOURS: usize = 4;
/// How many bytes of answers gather in a delivery.
const GATHERED: usize = 16 * 1024;
/// How many bytes are copied rather than locked.
const SMALL: usize = 4 * 1024;

/// Encoded calls. They stay until all are answered: those that a dead worker had not begun go to another.
#[derive(Debug)]
pub(super) struct Payload {
    calls: Calls,
    /// Where each call begins.
    starts: Vec<usize>,
}

/// The calls of a payload, behind room for a head.
#[derive(Debug)]
enum Calls {
    /// They are copied, whoever sends them.
    Small(Vec<u8>),
    /// All of them are sent from where they are.
    Large(Mutex<Parcel>),
}

/// Calls that are being gathered.
#[derive(Debug)]
pub(super) struct Packing {
    parcel: Parcel,
    starts: Vec<usize>,
}

impl Packing {
    pub(super) fn new() -> Self {
        Self { parcel: vec![0; HEAD].into(), starts: Vec::new() }
    }

    /// How many calls there are.
    pub(super) fn calls(&self) -> u64 {
        self.starts.len() as u64
    }

    /// How many bytes they have.
    pub(super) fn length(&self) -> usize {
        self.parcel.length()
    }

    /// Whether there is something beside their bytes.
    pub(super) fn has_beside(&self) -> bool {
        !self.parcel.beside.is_empty()
    }

    /// Adds a call.
    pub(super) fn add<A: Serialize>(&mut self, arguments: &A) -> Result<(), CodecError> {
        let added = self.add_all(std::slice::from_ref(arguments));
        added.map_err(|(_, error)| error)
    }

    /// Adds calls, up to the first whose arguments cannot be encoded: its index, and why.
    pub(super) fn add_all<A: Serialize>(&mut self, calls: &[A]) -> Result<(), (usize, CodecError)> {
        self.starts.reserve(calls.len());
        let starts = &mut self.starts;
        let packed = parcel::packing(&mut self.parcel, |packer| {
            for (index, arguments) in calls.iter().enumerate() {
                let at = begin_part(packer.bytes);
                let packed = packer.add(arguments).and_then(|()| {
                    let fits = end_part(packer.bytes, at);
                    if fits { Ok(()) } else { Err(serde::ser::Error::custom("more than 4 GiB: use `Bytes`")) }
                });
                if let Err(error) = packed {
                    packer.bytes.truncate(at);
                    return Err((index, error));
                }
                starts.push(at);
            }
            Ok(())
        });
        packed.unwrap_or_else(|error| Err((0, error)))
    }

    pub(super) fn finish(self) -> Payload {
        let Self { parcel, starts } = self;
        let is_small = parcel.beside.is_empty() && parcel.bytes.len() <= SMALL;
        let calls = if is_small { Calls::Small(parcel.bytes) } else { Calls::Large(Mutex::new(parcel)) };
        Payload { calls, starts }
    }
}

impl Payload {
    pub(super) fn count(&self) -> u64 {
        self.starts.len() as u64
    }

    /// Writes the calls that a head names behind others, if they are few: whether they are.
    pub(super) fn stage(&self, head: &JobHead, staged: &mut Vec<u8>) -> bool {
        let Calls::Small(bytes) = &self.calls else { return false };
        self.write(head, bytes, staged);
        true
    }

    /// Writes a head behind others, and behind it the calls that it names, of all of them.
    fn write(&self, head: &JobHead, bytes: &[u8], into: &mut Vec<u8>) {
        let place = |call: u64| {
            let call = usize::try_from(call).unwrap_or(usize::MAX);
            self.starts.get(call).copied().unwrap_or(bytes.len())
        };
        let at = into.len();
        into.resize(at + HEAD, 0);
        head.write(&mut into[at..]);
        into.extend_from_slice(&bytes[place(head.first)..place(head.first + head.count)]);
    }

    /// Sends the calls that a head names, if that can be done at once. The buffer is for as long as that takes.
    pub(super) fn send(
        &self,
        head: &JobHead,
        jobs: &Sender<Message>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), SendFailure> {
        let mut send = |bytes: &[u8], beside: &mut Beside| {
            buffer.clear();
            self.write(head, bytes, buffer);
            // All that was beside the calls goes along: their bytes say which is whose.
            let part = Parcel { bytes: std::mem::take(buffer), beside: std::mem::take(beside) };
            let sent = jobs.try_send_parcel(&part);
            *beside = part.beside;
            *buffer = part.bytes;
            sent
        };
        match &self.calls {
            Calls::Small(bytes) => send(bytes, &mut Beside::default()),
            Calls::Large(whole) => {
                let mut whole = whole.lock().unwrap_or_else(PoisonError::into_inner);
                let Parcel { bytes, beside } = &mut *whole;
                if head.count < self.count() {
                    return send(bytes, beside);
                }
                head.write(&mut bytes[..HEAD]);
                jobs.try_send_parcel(&whole)
            }
        }
    }
}

/// What is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Callee {
    /// Where it lies in the program's image.
    pub(super) offset: u64,
    /// Tells the name of its type.
    pub(super) name: fn() -> &'static str,
}

/// What is submitted at once: all that its jobs have in common.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) function: Callee,
    pub(super) payload: Payload,
    /// The index of the payload's first call among all that have the mailbox.
    pub(super) index: u64,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) limit: Option<Duration>,
    /// How often a call may be begun anew whose worker ended.
    pub(super) retries: u32,
    /// Whether nobody waits for an answer before there are others.
    pub(super) is_leisurely: bool,
    /// Whether one worker is to have it, and no other.
    pub(super) is_pinned: bool,
    /// Whether its calls are inputs of a map, which their index tells apart.
    pub(super) has_index: bool,
    /// Where what is logged in it stands.
    pub(super) context: Context,
}

/// Calls that go to one worker.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) number: u64,
    /// Which calls of the payload.
    pub(super) first: u64,
    pub(super) count: u64,
    /// How often a call may be begun anew from now on.
    pub(super) retries: u32,
    /// How many workers in a row ended that were to begin it next, and had not begun it.
    pub(super) spurned: u32,
    pub(super) submission: Arc<Submission>,
}

impl Deref for Job {
    type Target = Submission;
    fn deref(&self) -> &Submission {
        &self.submission
    }
}

/// Where the outcomes of calls arrive.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    content: Mutex<Content>,
    /// How many outcomes have arrived that nobody has taken.
    arrived: AtomicU64,
    /// Nobody wants them any more.
    pub(super) is_abandoned: AtomicBool,
    /// The only outcome that was to come has been taken.
    emptied: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct Content {
    deliveries: VecDeque<Delivery>,
    waker: Option<Waker>,
    /// What is to be done once something has arrived.
    callback: Option<Callback>,
    pub(super) tempo: Tempo,
}

/// How long calls take, with more weight for the last ones: those behind an exception are as they were before it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tempo {
    nanoseconds: u64,
    /// In parts of [`PARTS`].
    calls: u64,
}

const PARTS: u64 = 256;

impl Tempo {
    fn learn(&mut self, nanoseconds: u64, calls: u64) {
        self.nanoseconds = (self.nanoseconds - self.nanoseconds / 8).saturating_add(nanoseconds);
        self.calls = (self.calls - self.calls / 8).saturating_add(calls.saturating_mul(PARTS));
    }

    /// How many nanoseconds a call takes, if that is known.
    pub(super) fn each(self) -> Option<u64> {
        self.nanoseconds.saturating_mul(PARTS).checked_div(self.calls)
    }
}

/// What is to be done when a task is done.
pub(super) struct Callback(pub(super) Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Callback")
    }
}

/// What arrives in a mailbox.
#[derive(Debug)]
pub(super) enum Delivery {
    /// Answers to consecutive calls.
    Answers { index: u64, count: u64, bytes: Answers, remaining: Remaining, worker: Arc<Who> },
    /// A call that will not be answered.
    Failed(u64, TaskError),
}

impl Delivery {
    /// How many of its outcomes are failures.
    pub(super) fn failures(&self) -> u64 {
        match self {
            Self::Failed(..) => 1,
            Self::Answers { count, bytes, .. } => {
                let mut parts = bytes.bytes();
                let went_well = |part: Option<&[u8]>| part.and_then(<[u8]>::first) == Some(&OK);
                (0..*count).filter(|_| !went_well(next_part(&mut parts))).count() as u64
            }
        }
    }

    /// The index of the first outcome.
    pub(super) fn index(&self) -> u64 {
        match self {
            Self::Answers { index, .. } | Self::Failed(index, _) => *index,
        }
    }

    /// If it is answers that those to the calls from an index on follow, and has room for them: how many it is, and their bytes.
    fn followed_by(&mut self, next: u64, who: &Arc<Who>) -> Option<(&mut u64, &mut Vec<u8>)> {
        match self {
            Self::Answers { index, count, bytes: Answers::Copied(bytes), worker, .. }
                if *index + *count == next && bytes.len() < GATHERED && Arc::ptr_eq(worker, who) =>
            {
                Some((count, bytes))
            }
            _ => None,
        }
    }

    /// How many outcomes it brings.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Answers { count, .. } => *count,
            Self::Failed(..) => 1,
        }
    }
}

/// Answers as they came.
#[derive(Debug)]
pub(super) enum Answers {
    Copied(Vec<u8>),
    InPlace(bytes::Bytes),
}

impl Answers {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::InPlace(bytes) => bytes,
        }
    }
}

/// Who is to be told of a delivery.
#[derive(Debug, Default)]
pub(super) struct ToTell {
    pub(super) waker: Option<Waker>,
    pub(super) callback: Option<Callback>,
}

impl Mailbox {
    pub(super) fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn deliver(&self, delivery: Delivery) -> ToTell {
        self.put(self.content(), delivery)
    }

    fn put(&self, mut content: MutexGuard<'_, Content>, delivery: Delivery) -> ToTell {
        if self.is_abandoned.load(Ordering::Relaxed) {
            return ToTell::default();
        }
        self.arrived.fetch_add(delivery.count(), Ordering::Release);
        content.deliveries.push_back(delivery);
        ToTell { waker: content.waker.take(), callback: content.callback.take() }
    }

    /// Delivers answers, with those that came before them if they have not been taken, and how long so many calls took, if that is known.
    pub(super) fn deliver_answers(
        &self,
        worker: &Arc<Who>,
        index: u64,
        count: u64,
        time: Option<(u64, u64)>,
        answers: Raw<'_>,
        remaining: Remaining,
    ) -> ToTell {
        let mut content = self.content();
        if let Some((nanoseconds, calls)) = time {
            content.tempo.learn(nanoseconds, calls);
        }
        let bytes = match answers {
            Raw::InPlace(bytes) => Answers::InPlace(bytes),
            Raw::Copied(bytes) => {
                let mut last = content.deliveries.iter_mut().rev().take(NEIGHBOURS);
                let before = last.find_map(|delivery| delivery.followed_by(index, worker));
                if let Some((known, gathered)) = before.filter(|_| remaining.is_empty()) {
                    *known += count;
                    gathered.extend_from_slice(bytes);
                    self.arrived.fetch_add(count, Ordering::Release);
                    return ToTell::default();
                }
                Answers::Copied(bytes.to_vec())
            }
        };
        let worker = Arc::clone(worker);
        self.put(content, Delivery::Answers { index, count, bytes, remaining, worker })
    }

    /// Whether something has arrived that nobody has taken.
    pub(super) fn has_mail(&self) -> bool {
        self.has_arrived(1)
    }

    /// Whether so many outcomes have arrived that nobody has taken.
    pub(super) fn has_arrived(&self, outcomes: u64) -> bool {
        self.arrived.load(Ordering::Acquire) >= outcomes
    }

    /// Takes all that has arrived, in place of nothing.
    pub(super) fn take_all(&self, nothing: &mut VecDeque<Delivery>) {
        if self.has_mail() {
            let mut content = self.content();
            std::mem::swap(&mut content.deliveries, nothing);
            self.arrived.store(0, Ordering::Relaxed);
        }
    }

    /// Takes the only outcome that was to come: from then on the mailbox is emptied.
    pub(super) fn take_only(&self) -> Option<Delivery> {
        if !self.has_mail() {
            return None;
        }
        let mut content = self.content();
        let delivery = content.deliveries.pop_front()?;
        // In this order: who sees neither has come before the delivery, and is told of it.
        self.emptied.store(true, Ordering::Release);
        self.arrived.fetch_sub(1, Ordering::Release);
        Some(delivery)
    }

    /// Whether the only outcome that was to come has come, and perhaps been taken.
    pub(super) fn is_settled(&self) -> bool {
        self.has_mail() || self.is_emptied()
    }

    pub(super) fn is_emptied(&self) -> bool {
        self.emptied.load(Ordering::Acquire)
    }

    /// Has a waker woken at the next delivery. `false` if something is there already.
    pub(super) fn wake_at_delivery(&self, waker: &Waker) -> bool {
        let mut content = self.content();
        let waits = content.deliveries.is_empty();
        let former = if waits { content.waker.replace(waker.clone()) } else { None };
        drop(content);
        drop(former); // which is the user's
        waits
    }

    /// Has something done at the first delivery; gives it back if that is there already.
    pub(super) fn call_at_delivery(&self, callback: Callback) -> Option<Callback> {
        let mut content = self.content();
        if !content.deliveries.is_empty() || self.is_emptied() {
            return Some(callback);
        }
        let former = content.callback.replace(callback);
        drop(content);
        drop(former); // which is the user's
        None
    }

    /// Nobody wants what has arrived, and what is to come.
    pub(super) fn abandon(&self) {
        let mut content = self.content();
        self.is_abandoned.store(true, Ordering::Relaxed);
        let dropped = std::mem::take(&mut content.deliveries);
        self.arrived.store(0, Ordering::Relaxed);
        drop(content);
        drop(dropped);
    }
}

impl Job {
    /// A job of all that is submitted. Its number is the engine's to give.
    pub(super) fn of(submission: Submission) -> Self {
        let (count, retries) = (submission.payload.count(), submission.retries);
        Self { number: 0, first: 0, count, retries, spurned: 0, submission: Arc::new(submission) }
    }

    /// Keeps so many calls, and returns the others as another job.
    pub(super) fn split(&mut self, count: u64) -> Option<Self> {
        if count >= self.count {
            return None;
        }
        let mut rest = self.clone();
        rest.first += count;
        rest.count -= count;
        self.count = count;
        Some(rest)
    }
}

impl Raw<'_> {
    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Copied(bytes) => bytes.is_empty(),
            Self::InPlace(bytes) => bytes.is_empty(),
        }
    }

    /// Answers, but for the first ones.
    pub(super) fn without(self, first: u64) -> Self {
        let skip = |bytes: &[u8]| {
            let mut rest = bytes;
            for _ in 0..first {
                next_part(&mut rest);
            }
            bytes.len() - rest.len()
        };
        match self {
            Self::Copied(bytes) => Self::Copied(&bytes[skip(bytes)..]),
            Self::InPlace(bytes) => Self::InPlace(bytes.slice(skip(&bytes)..)),
        }
    }
}
