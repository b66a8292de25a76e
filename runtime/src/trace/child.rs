//! The child's side: a subscriber that writes down what it is told, and sends it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tracing_core::dispatcher::{self, DefaultGuard};
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Dispatch, Event, Interest, LevelFilter, Metadata, Subscriber, callsite};

use super::hub::{KEYS, Mark};
use super::line::{CONTEXT, Head, Kind, ROOT, Writer, level_of, number_of};
use crate::channel::{SendFailure, Sender};
use crate::launch::identity;
use crate::sys::own;

/// How long a line waits for room; when it was in vain, the next ones do not wait until there is room again.
const PATIENCE: Duration = Duration::from_millis(100);
/// A buffer is kept for the next line unless it has become this large.
const LARGE: usize = 64 * 1024;

/// What a child is given to speak with: nothing, if nobody listens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line(pub(super) Option<End>);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) sender: Sender<Mark>,
    pub(super) source: u64,
    pub(super) level: u64,
}

/// What this process speaks with, once it does.
static VOICE: OnceLock<Voice> = OnceLock::new();
/// Up to which level somebody wants to know, and the context of the task that runs, as its job said.
static LEVEL: AtomicU64 = AtomicU64::new(0);
static RUNNING: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The spans that this thread is in.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[derive(Debug)]
struct Voice {
    sender: Sender<Mark>,
    source: u64,
    name: String,
    next: AtomicU64,
    spans: Mutex<HashMap<u64, Open>>,
    /// Spans whose end could not be sent.
    unclosed: Mutex<Vec<u64>>,
    lost: AtomicU64,
    /// The last line found no room, and waited for it.
    is_stuck: AtomicBool,
}

/// A span that somebody holds.
#[derive(Debug)]
struct Open {
    handles: usize,
    metadata: &'static Metadata<'static>,
    was_sent: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While the worker's initializer runs: what it logs is heard, and a subscriber of its own can be set.
#[derive(Debug)]
pub(crate) struct Listening(Option<(Dispatch, DefaultGuard)>);

/// Begins to speak.
pub(crate) fn listen(line: Line) -> Listening {
    let Some(End { sender, source, level }) = line.0 else { return Listening(None) };
    let voice = Voice {
        sender,
        source,
        name: identity::current().name.clone(),
        next: AtomicU64::new(1),
        spans: Mutex::default(),
        unclosed: Mutex::default(),
        lost: AtomicU64::new(0),
        is_stuck: AtomicBool::new(false),
    };
    if VOICE.set(voice).is_err() {
        return Listening(None); // a process is one worker
    }
    LEVEL.store(level, Ordering::Relaxed);
    let dispatch = Dispatch::new(Forward);
    let guard = dispatcher::set_default(&dispatch);
    Listening(Some((dispatch, guard)))
}

impl Listening {
    /// The initializer has run.
    pub(crate) fn settle(self) {
        let Some((dispatch, guard)) = self.0 else { return };
        drop(guard);
        let _it_has_a_subscriber_of_its_own = dispatcher::set_global_default(dispatch);
    }
}

/// A job begins: which levels are wanted, and its context.
pub(crate) fn enter(word: u64) {
    let level = word % KEYS;
    RUNNING.store(word / KEYS, Ordering::Relaxed);
    if LEVEL.load(Ordering::Relaxed) != level {
        LEVEL.store(level, Ordering::Relaxed);
        callsite::rebuild_interest_cache();
    }
}

/// It is over.
pub(crate) fn leave() {
    RUNNING.store(0, Ordering::Relaxed);
    if let Some(voice) = VOICE.get() {
        voice.catch_up();
    }
}

/// A call of the job has failed, here.
pub(crate) fn failed<W: Display>(why: impl FnOnce() -> W) {
    const FIELDS: [&str; 2] = ["message", "failure"];
    let Some(voice) = VOICE.get() else { return };
    if LevelFilter::current() < LevelFilter::DEBUG {
        return;
    }
    voice.send(Kind::Event, |writer| {
        writer.number(CONTEXT);
        writer.own_callsite(LevelFilter::DEBUG, "task failed", super::hub::TARGET, &FIELDS);
        writer.display(0, "task failed");
        writer.display(1, why());
    });
}

impl Voice {
    /// Writes a line down and sends it: whether it was sent.
    fn send(&self, kind: Kind, write: impl FnOnce(&mut Writer)) -> bool {
        let mut writer = Writer(BUFFER.try_with(Cell::take).unwrap_or_default());
        writer.0.clear();
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let context = RUNNING.load(Ordering::Relaxed);
        writer.head(&Head {
            kind,
            source: self.source,
            context,
            lost,
            pid: own::pid().into(),
            name: &self.name,
        });
        write(&mut writer);
        let parcel = writer.0.into();
        let mut sent = self.sender.try_send_parcel(&parcel);
        if matches!(sent, Err(SendFailure::Full)) && !self.is_stuck.load(Ordering::Relaxed) {
            sent = self.sender.send_parcel_until(&parcel, Instant::now() + PATIENCE);
        }
        self.is_stuck.store(sent.is_err(), Ordering::Relaxed);
        if sent.is_err() {
            self.lost.fetch_add(lost + u64::from(kind != Kind::Lost), Ordering::Relaxed);
        }
        if parcel.bytes.capacity() < LARGE {
            let _this_thread_ends = BUFFER.try_with(|buffer| buffer.set(parcel.bytes));
        }
        sent.is_ok()
    }

    /// Says what could not be said before.
    fn catch_up(&self) {
        let mut unclosed = lock(&self.unclosed);
        while let Some(id) = unclosed.pop() {
            if !self.send(Kind::Close, |writer| writer.number(id)) {
                unclosed.push(id);
                return;
            }
        }
        drop(unclosed);
        if self.lost.load(Ordering::Relaxed) > 0 {
            self.send(Kind::Lost, |_| ());
        }
    }
}

/// The span that something stands in.
fn parent(explicit: Option<&Id>, is_root: bool) -> u64 {
    match explicit {
        Some(id) => id.into_u64(),
        None if is_root => ROOT,
        None => current(),
    }
}

fn current() -> u64 {
    ENTERED.try_with(|entered| entered.borrow().last().copied()).ok().flatten().unwrap_or(CONTEXT)
}

/// The subscriber.
#[derive(Debug)]
struct Forward;

impl Forward {
    fn voice() -> Option<&'static Voice> {
        VOICE.get()
    }

    fn wants(metadata: &Metadata<'_>) -> bool {
        number_of(LevelFilter::from_level(*metadata.level())) <= LEVEL.load(Ordering::Relaxed)
    }
}

impl Subscriber for Forward {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if Self::wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        Self::wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(level_of(LEVEL.load(Ordering::Relaxed)))
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let Some(voice) = Self::voice() else { return Id::from_u64(1) };
        let id = voice.next.fetch_add(1, Ordering::Relaxed);
        let metadata = span.metadata();
        let was_sent = voice.send(Kind::NewSpan, |writer| {
            writer.number(id);
            writer.number(parent(span.parent(), span.is_root()));
            writer.callsite(metadata);
            span.record(writer);
        });
        lock(&voice.spans).insert(id, Open { handles: 1, metadata, was_sent });
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(voice) = Self::voice() {
            voice.send(Kind::Record, |writer| {
                writer.number(span.into_u64());
                values.record(writer);
            });
        }
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        if let Some(voice) = Self::voice() {
            voice.send(Kind::Follows, |writer| {
                writer.number(span.into_u64());
                writer.number(follows.into_u64());
            });
        }
    }

    fn event(&self, event: &Event<'_>) {
        if let Some(voice) = Self::voice() {
            voice.send(Kind::Event, |writer| {
                writer.number(parent(event.parent(), event.is_root()));
                writer.callsite(event.metadata());
                event.record(writer);
            });
        }
    }

    fn enter(&self, span: &Id) {
        let _this_thread_ends = ENTERED.try_with(|entered| entered.borrow_mut().push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        let _this_thread_ends = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            if let Some(place) = entered.iter().rposition(|id| *id == span.into_u64()) {
                entered.remove(place);
            }
        });
    }

    fn clone_span(&self, span: &Id) -> Id {
        if let Some(voice) = Self::voice() {
            if let Some(open) = lock(&voice.spans).get_mut(&span.into_u64()) {
                open.handles += 1;
            }
        }
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        let Some(voice) = Self::voice() else { return false };
        let id = span.into_u64();
        let closed = {
            let mut spans = lock(&voice.spans);
            let Some(open) = spans.get_mut(&id) else { return false };
            open.handles -= 1;
            if open.handles > 0 {
                return false;
            }
            spans.remove(&id)
        };
        if closed.is_some_and(|open| open.was_sent) && !voice.send(Kind::Close, |writer| writer.number(id)) {
            lock(&voice.unclosed).push(id);
        }
        true
    }

    fn current_span(&self) -> Current {
        let known = |voice: &Voice| {
            let id = current();
            Some((id, lock(&voice.spans).get(&id)?.metadata))
        };
        Self::voice()
            .and_then(known)
            .map_or_else(Current::none, |(id, metadata)| Current::new(Id::from_u64(id), metadata))
    }
}
