//! The parent's side: one thread that gives what arrives to the subscriber.
//!
//! # When something is forgotten
//!
//! The span of a task stays open until all its lines have been emitted, and the spans of a child until all of the child's have. Who has no
//! more use for one puts it into the list of **graves**. By then what was to be said in it is in the channel: a worker sends its lines before
//! its answer, and before it ends. So the thread takes the graves, receives what is in the channel, and then buries.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use tracing_core::dispatcher::{self, WeakDispatch};
use tracing_core::field::Value;
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Dispatch, Event, LevelFilter};

use super::callsite::{self, Remote};
use super::child::{End, Line};
use super::line::{CONTEXT, Head, Kind, ROOT, Reader, Told, Writer, number_of};
use crate::channel::{self, Raw, Receiver, Sender};
use crate::launch::{self, identity, panic};
use crate::sys::{own, runtime};

/// The target of the library's own events.
pub(super) const TARGET: &str = "offspring::pool";

/// How many bytes of lines wait at most.
const MOST_BYTES: u64 = 4 << 20;
/// In a job's word: the level is what is left by this, and the rest is its context.
pub(super) const KEYS: u64 = 8;
/// Between two looks at the channel while lines come: who sends one then has nobody to wake.
const LOOK: Duration = Duration::from_millis(1);
/// After how many looks at nothing it goes to sleep.
const LOOKS: u32 = 20;
/// How long the end of a pool, or of the process, waits for lines to be emitted.
const FLUSH: Duration = Duration::from_millis(500);
/// How many lines more than there seem to be are in the channel at most: one for each sender that is in the middle of sending.
const MORE: u64 = 1024;
/// The thread's stack: as the subscriber has on any other thread.
const STACK: usize = 2 << 20;

/// Marks the channel, whose messages are written and read as they are.
#[derive(Debug)]
pub(super) struct Mark;

struct Hub {
    sender: Sender<Mark>,
    receiver: Receiver<Mark>,
    book: Mutex<Book>,
    /// For the thread while it looks now and then; for those who wait until it has emitted something.
    look: Condvar,
    settled: Condvar,
    /// It waits for the channel.
    is_asleep: AtomicBool,
    /// How many lines of this process were lost.
    lost: AtomicU64,
    /// Its thread, once it runs.
    thread: OnceLock<ThreadId>,
    has_thread: AtomicBool,
    /// The process that has it: a copy has no thread.
    owner: u32,
}

#[derive(Default)]
struct Book {
    next: u64,
    contexts: HashMap<u64, Held>,
    /// Who speaks, and to which subscriber.
    sources: HashMap<u64, Option<WeakDispatch>>,
    graves: Vec<Grave>,
    /// How many times somebody wanted to know that all has been emitted, and up to which of them it has.
    asked: u64,
    settled: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grave {
    Context(u64),
    Source(u64),
}

/// A span, and the subscriber that has it.
struct Held {
    dispatch: Dispatch,
    id: Id,
}

impl Drop for Held {
    fn drop(&mut self) {
        // The registry of `tracing-subscriber` lets go of the span's parent through the current one.
        dispatcher::with_default(&self.dispatch, || self.dispatch.try_close(self.id.clone()));
    }
}

/// Whether somebody wants to hear this much: an upper bound of what all subscribers want.
fn is_wanted(level: LevelFilter) -> bool {
    level <= LevelFilter::current()
}

// --- What the pool has ---

/// Where a pool's lines go: to the subscriber of the thread that started it.
#[derive(Clone)]
pub(crate) struct Origin(Arc<Whose>);

struct Whose {
    dispatch: Option<WeakDispatch>,
    /// What the library says of the pool; from its first worker on, if anybody listens.
    own: OnceLock<Source>,
}

/// A child that speaks.
pub(crate) struct Source(Option<u64>);

/// The span that was the current one.
#[derive(Clone)]
pub(crate) struct Context(Option<Arc<Ticket>>);

struct Ticket(u64);

impl Drop for Ticket {
    fn drop(&mut self) {
        bury(Grave::Context(self.0));
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(source) = self.0 {
            bury(Grave::Source(source));
        }
    }
}

impl Origin {
    pub(crate) fn here() -> Self {
        let dispatch = dispatcher::get_default(|dispatch| {
            (!dispatch.is::<tracing_core::subscriber::NoSubscriber>()).then(|| dispatch.downgrade())
        });
        Self(Arc::new(Whose { dispatch, own: OnceLock::new() }))
    }

    /// What a child is given that is about to be started, and what is kept until it has ended.
    pub(crate) fn connect(&self) -> (Line, Source) {
        if !is_wanted(LevelFilter::ERROR) {
            return (Line(None), Source(None));
        }
        let Some(hub) = Hub::get_or_start() else { return (Line(None), Source(None)) };
        self.0.own.get_or_init(|| Source(Some(hub.source(self))));
        let source = hub.source(self);
        let level = number_of(LevelFilter::current());
        let end = End { sender: hub.sender.clone(), source, level };
        (Line(Some(end)), Source(Some(source)))
    }

    /// A worker is there.
    pub(crate) fn started(&self, name: &str, pid: u32) {
        self.note(CONTEXT, "worker started", None, Some((name, pid)));
    }

    /// A worker has ended.
    pub(crate) fn ended(&self, name: &str, pid: u32, how: impl Display) {
        self.note(CONTEXT, "worker ended", Some(("status", &how)), Some((name, pid)));
    }

    /// A task will not be done.
    pub(crate) fn failed(&self, context: &Context, why: impl Display, worker: Option<(&str, u32)>) {
        self.note(context.key(), "task failed", Some(("failure", &why)), worker);
    }

    /// The pool takes no more tasks.
    pub(crate) fn closed(&self, why: impl Display) {
        self.note(CONTEXT, "pool closed", Some(("why", &why)), None);
    }

    /// Says something of the library's own: it goes through the channel like the lines of the children, behind those that came before.
    fn note(&self, context: u64, what: &str, of: Option<(&str, &dyn Display)>, worker: Option<(&str, u32)>) {
        if !is_wanted(LevelFilter::DEBUG) {
            return;
        }
        let Some(source) = self.0.own.get().and_then(|own| own.0) else { return };
        let Some(hub) = Hub::get() else { return };
        let mut fields = vec!["message"];
        fields.extend(of.map(|(field, _)| field));
        if worker.is_some() {
            fields.extend(["process.name", "process.pid"]);
        }
        hub.say(Kind::Event, source, context, |writer| {
            writer.number(CONTEXT);
            writer.own_callsite(LevelFilter::DEBUG, what, TARGET, &fields);
            writer.display(0, what);
            if let Some((_, value)) = of {
                writer.display(1, value);
            }
            if let Some((name, pid)) = worker {
                writer.text_of(fields.len() - 2, name);
                writer.unsigned(fields.len() - 1, pid.into());
            }
        });
    }

    /// Waits until what the pool's workers have said is emitted, but not for long.
    pub(crate) fn settle(&self) {
        if self.0.own.get().is_some() {
            settle();
        }
    }
}

impl Context {
    pub(crate) fn here() -> Self {
        if !is_wanted(LevelFilter::ERROR) {
            return Self(None);
        }
        let Some(hub) = HUB.get() else { return Self(None) };
        let held = dispatcher::get_default(|dispatch| {
            let id = dispatch.current_span().id().map(|id| dispatch.clone_span(id))?;
            Some(Held { dispatch: dispatch.clone(), id })
        });
        let Some(held) = held.filter(|_| hub.is_ours()) else { return Self(None) };
        let mut book = hub.book();
        let key = book.new_key();
        book.contexts.insert(key, held);
        Self(Some(Arc::new(Ticket(key))))
    }

    fn key(&self) -> u64 {
        self.0.as_ref().map_or(CONTEXT, |ticket| ticket.0)
    }

    /// What a job says of it: with the level that is wanted now.
    pub(crate) fn word(&self) -> u64 {
        self.key() * KEYS + number_of(LevelFilter::current())
    }
}

// --- The hub ---

static HUB: OnceLock<Hub> = OnceLock::new();

fn bury(grave: Grave) {
    if let Some(hub) = Hub::get() {
        hub.bury(grave);
    }
}

/// Waits until what has been said up to now is emitted, but not for long.
fn settle() {
    let Some(hub) = Hub::get() else { return };
    if hub.thread.get() == Some(&std::thread::current().id()) {
        return; // the subscriber ends a pool
    }
    let deadline = Instant::now() + FLUSH;
    let ticket = {
        let mut book = hub.book();
        book.asked += 1;
        book.asked
    };
    let mut writer = Writer(Vec::new());
    writer.head(&Head { kind: Kind::Settle, source: 0, context: ticket, lost: 0, pid: 0, name: "" });
    if hub.sender.send_parcel_until(&writer.0.into(), deadline).is_err() {
        return; // it is stuck
    }
    hub.look.notify_one();
    let book = hub.book();
    let left = deadline.saturating_duration_since(Instant::now());
    let _or_it_is_stuck = hub.settled.wait_timeout_while(book, left, |book| book.settled < ticket);
}

impl Book {
    fn new_key(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Hub {
    /// The hub of this process, if there is one.
    fn get() -> Option<&'static Self> {
        HUB.get().filter(|hub| hub.is_ours())
    }

    fn is_ours(&self) -> bool {
        self.owner == own::pid()
    }

    /// The hub of this process. `None` if the system has no memory or descriptors for it: then nothing is heard of the children, which work all the
    /// same.
    fn get_or_start() -> Option<&'static Self> {
        static STARTING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let hub = match HUB.get() {
            Some(hub) => hub,
            None => {
                let hub = Self::new().ok()?;
                HUB.get_or_init(|| hub)
            }
        };
        if !hub.has_thread.load(Ordering::Relaxed) && hub.is_ours() {
            runtime::thread("offspring-trace", STACK, || hub.attend()).ok()?;
            hub.has_thread.store(true, Ordering::Relaxed);
            launch::at_exit(settle);
        }
        Self::get()
    }

    fn new() -> io::Result<Self> {
        let (sender, receiver) = channel::Builder::new().max_bytes(MOST_BYTES).build()?;
        Ok(Self {
            sender,
            receiver,
            book: Mutex::default(),
            look: Condvar::new(),
            settled: Condvar::new(),
            is_asleep: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            thread: OnceLock::new(),
            has_thread: AtomicBool::new(false),
            owner: own::pid(),
        })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self, origin: &Origin) -> u64 {
        let mut book = self.book();
        let source = book.new_key();
        book.sources.insert(source, origin.0.dispatch.clone());
        source
    }

    /// Says something of this process, if there is room.
    fn say(&self, kind: Kind, source: u64, context: u64, write: impl FnOnce(&mut Writer)) {
        let mut writer = Writer(Vec::with_capacity(256));
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let (me, pid) = (identity::current(), own::pid().into());
        writer.head(&Head { kind, source, context, lost, pid, name: &me.name });
        write(&mut writer);
        if self.sender.try_send_parcel(&writer.0.into()).is_err() {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }

    fn bury(&self, grave: Grave) {
        self.book().graves.push(grave);
        if self.is_asleep.swap(false, Ordering::SeqCst) {
            // What fails is the socket of the channel: the thread sees that too.
            let _it_looks_anyway = self.sender.wake_receivers();
        }
    }

    /// The thread's life.
    fn attend(&self) {
        self.thread.get_or_init(|| std::thread::current().id());
        let mut spans = Spans::default();
        let mut looks = 0;
        loop {
            let graves = std::mem::take(&mut self.book().graves);
            let expected = self.receiver.len() as u64 + MORE;
            let mut received = 0;
            let came = |received: &mut u64| {
                *received += 1;
                *received < expected
            };
            while self.receive(&mut spans) && came(&mut received) {}
            looks = if received == 0 && graves.is_empty() { looks + 1 } else { 0 };
            for grave in graves {
                guarded(|| self.forget(grave, &mut spans));
            }
            if looks < LOOKS {
                let book = self.book();
                if book.graves.is_empty() && book.settled == book.asked {
                    let _a_notice_or_time_to_look = self.look.wait_timeout(book, LOOK);
                }
                continue;
            }
            self.is_asleep.store(true, Ordering::SeqCst);
            let waited = self.receiver.wait_until(None, &|| !self.book().graves.is_empty());
            self.is_asleep.store(false, Ordering::SeqCst);
            if waited.is_err() {
                looks = 0; // the system is short of something: later
            }
        }
    }

    /// Takes the next line, if there is one.
    fn receive(&self, spans: &mut Spans) -> bool {
        let take = |raw: Raw<'_>, _| {
            let bytes = match &raw {
                Raw::Copied(bytes) => bytes,
                Raw::InPlace(bytes) => &bytes[..],
            };
            guarded(|| self.take_in(Reader(bytes), spans));
        };
        self.receiver.try_recv_raw(take).is_ok()
    }

    fn forget(&self, grave: Grave, spans: &mut Spans) {
        // The spans are closed when the book is.
        let (_context, _source) = {
            let mut book = self.book();
            match grave {
                Grave::Context(key) => (book.contexts.remove(&key), None),
                Grave::Source(key) => (None, book.sources.remove(&key).map(|_| key)),
            }
        };
        if let Grave::Source(key) = grave {
            drop(spans.0.remove(&key));
        }
    }

    /// The subscriber for a line, and the span that it stands in.
    fn place(&self, head: &Head<'_>, parent: u64, spans: &Spans) -> Option<(Dispatch, Option<Id>)> {
        let within = (parent != CONTEXT && parent != ROOT).then(|| spans.find(head.source, parent)).flatten();
        if let Some((_, held)) = within {
            return Some((held.dispatch.clone(), Some(held.id.clone())));
        }
        let book = self.book();
        if let Some(held) = book.contexts.get(&head.context) {
            return Some((held.dispatch.clone(), (parent != ROOT).then(|| held.id.clone())));
        }
        let origin = book.sources.get(&head.source)?.clone();
        drop(book);
        match origin {
            Some(dispatch) => Some((dispatch.upgrade()?, None)),
            // There was none on the thread that started the pool: the program's, if there is one by now.
            None => Some((dispatcher::get_default(Clone::clone), None)),
        }
    }

    /// Emits what a line says. What cannot be read, nobody has said.
    fn take_in(&self, mut reader: Reader<'_>, spans: &mut Spans) -> Option<()> {
        let head = reader.head()?;
        if head.lost > 0 {
            self.tell_of_lost(&head, spans);
        }
        match head.kind {
            Kind::Event => {
                let parent = reader.number()?;
                let (dispatch, within) = self.place(&head, parent, spans)?;
                let remote = callsite::intern(reader.bytes()?)?;
                if remote.is_wanted(&dispatch) {
                    let values = values(reader);
                    emit(&dispatch, remote, within, parent == ROOT, &values, (head.name, head.pid));
                }
            }
            Kind::NewSpan => {
                let (id, parent) = (reader.number()?, reader.number()?);
                let (dispatch, within) = self.place(&head, parent, spans)?;
                let remote = callsite::intern(reader.bytes()?)?;
                let is_wanted = remote.is_wanted(&dispatch);
                let span = if is_wanted {
                    let values = values(reader);
                    let values: Vec<_> = values.iter().map(|(field, told)| (*field, told.value())).collect();
                    let metadata = remote.it();
                    remote.with_values(&values, |values| {
                        dispatch.new_span(&match within {
                            Some(parent) => Attributes::child_of(parent, metadata, values),
                            None if parent == ROOT => Attributes::new_root(metadata, values),
                            None => Attributes::new(metadata, values),
                        })
                    })
                } else {
                    // What is in it stands in its parent.
                    dispatch.clone_span(&within?)
                };
                spans
                    .0
                    .entry(head.source)
                    .or_default()
                    .insert(id, (is_wanted.then_some(remote), Held { dispatch, id: span }));
            }
            Kind::Record => {
                let (remote, span) = spans.find(head.source, reader.number()?)?;
                let (remote, values) = (remote?, values(reader));
                let values: Vec<_> = values.iter().map(|(field, told)| (*field, told.value())).collect();
                remote.with_values(&values, |values| span.dispatch.record(&span.id, &Record::new(values)));
            }
            Kind::Follows => {
                let (_, span) = spans.find(head.source, reader.number()?)?;
                let (_, follows) = spans.find(head.source, reader.number()?)?;
                span.dispatch.record_follows_from(&span.id, &follows.id);
            }
            Kind::Close => {
                drop(spans.0.get_mut(&head.source)?.remove(&reader.number()?));
            }
            Kind::Lost => {}
            Kind::Settle => {
                let mut book = self.book();
                book.settled = book.settled.max(head.context);
                self.settled.notify_all();
            }
        }
        Some(())
    }

    fn tell_of_lost(&self, head: &Head<'_>, spans: &Spans) -> Option<()> {
        let mut writer = Writer(Vec::new());
        writer.own_callsite(LevelFilter::WARN, "lines dropped", TARGET, &["message", "lines"]);
        let (dispatch, _) = self.place(&Head { context: CONTEXT, ..*head }, CONTEXT, spans)?;
        let remote = callsite::intern(Reader(&writer.0).bytes()?)?;
        if remote.is_wanted(&dispatch) {
            let message = "lines of a process were dropped: they came faster than the subscriber takes them";
            let values =
                [(0, Told::Debug(tracing_core::field::display(message))), (1, Told::Unsigned(head.lost))];
            emit(&dispatch, remote, None, false, &values, (head.name, head.pid));
        }
        Some(())
    }
}

/// A span of a child; or its parent, in the place of one that the subscriber does not want.
type ChildSpan = (Option<&'static Remote>, Held);

/// The spans that children have open, by child and number.
#[derive(Default)]
struct Spans(HashMap<u64, HashMap<u64, ChildSpan>>);

impl Spans {
    fn find(&self, source: u64, id: u64) -> Option<(Option<&'static Remote>, &Held)> {
        let (remote, held) = self.0.get(&source)?.get(&id)?;
        Some((*remote, held))
    }
}

fn values(mut reader: Reader<'_>) -> Vec<(usize, Told<'_>)> {
    std::iter::from_fn(|| reader.value()).collect()
}

fn emit(
    dispatch: &Dispatch,
    remote: &'static Remote,
    within: Option<Id>,
    is_root: bool,
    told: &[(usize, Told<'_>)],
    process: (&str, u64),
) {
    let mut values: Vec<(usize, &dyn Value)> = Vec::with_capacity(told.len() + 2);
    values.extend(told.iter().map(|(field, told)| (*field, told.value())));
    if let Some((name, pid)) = remote.process_fields() {
        values.extend([(name, &process.0 as &dyn Value), (pid, &process.1)]);
    }
    let metadata = remote.it();
    remote.with_values(&values, |values| {
        dispatch.event(&match within {
            None if !is_root => Event::new(metadata, values),
            parent => Event::new_child_of(parent, metadata, values),
        });
    });
}

/// Does something that calls the subscriber, whose panics are its own.
fn guarded<R>(action: impl FnOnce() -> R) {
    if let Err(cause) = catch_unwind(AssertUnwindSafe(action)) {
        panic::drop_quietly(cause); // the hook has printed it
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Origin")
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.0).finish()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Context").field(&self.key()).finish()
    }
}
