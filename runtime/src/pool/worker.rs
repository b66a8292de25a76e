//! A worker's life: it takes jobs until no more can come.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::desk::{Desk, OUTBOX};
use super::error::TaskFailure;
use super::measure::{Measured, Meter};
use super::message::{AnswerHead, HEAD, JobHead, Kind, OK, begin_part, end_part, next_part};
use super::stateful::StatefulFunction;
use crate::channel::{Raw, Receiver, RecvError, SendFailure, Sender};
use crate::launch::{Failure, panic};
use crate::process::{Function, exit as process_exit};
use crate::sys::{cpu, image, own, runtime, usage};
use crate::trace;
use crate::wire::attachment::{Arrived, Lent};
use crate::wire::parcel::{self, Parcel, Remaining};

/// For how many nanoseconds answers may gather.
const GATHER: u64 = 50_000;
/// For how many nanoseconds answers may that nobody waits for, and how many jobs may have such.
const KEEP: u64 = 16_000_000;
const MOST_KEPT: u64 = 32;
/// How many short jobs it takes at once.
const MOST_TAKEN: usize = 32;
/// After how many nanoseconds it is looked again how much memory there is.
const WEIGH: u64 = 10_000_000;

/// Marks the channels of a pool, whose messages are written and read as they are.
#[derive(Debug)]
pub(super) struct Message;

/// What a worker has: where its jobs come from, where its answers go, its desk.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Station {
    pub(super) number: u64,
    pub(super) jobs: Receiver<Message>,
    pub(super) answers: Sender<Message>,
    pub(super) desk: Desk,
    /// Whether the first job makes the worker's state.
    pub(super) has_initializer: bool,
    /// Where the function lies, in the program's image, that is called when the worker ends in good order.
    pub(super) exit: Option<u64>,
    /// The CPU that it is to run on, and how nice it is to be to others.
    pub(super) cpu: Option<usize>,
    pub(super) nice: Option<i32>,
    /// With how many bytes of memory it makes room for another.
    pub(super) max_memory: Option<u64>,
    /// What it logs goes there.
    pub(super) line: trace::Line,
}

impl Serialize for Desk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Lent(self.object()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Desk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::open(Arrived::deserialize(deserializer)?.0).map_err(D::Error::custom)
    }
}

thread_local! {
    /// What the initializer made.
    static STATE: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Does something with the state that the worker's initializer made, in a call of a [`Pool`](super::Pool).
///
/// ```
/// use offspring::pool::{self, Pool};
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let open = |name: String| (name, 0_u64);
///     let pool = Pool::builder().workers(1).initializer(open, ("counter".into(),)).start()?;
///     let count = |by: u64| {
///         pool::with_state(|(name, sum): &mut (String, u64)| {
///             *sum += by;
///             format!("{name}: {sum}")
///         })
///     };
///     assert_eq!(pool.try_map(count, [1, 2, 3])?, ["counter: 1", "counter: 3", "counter: 6"]);
///     Ok(())
/// }
/// ```
///
/// In a pool without an initializer the state is `()`. See [`stateful`](super::stateful) for functions that are given it.
///
/// # Panics
/// When this is no worker whose initializer returned an `S`, and within another such call.
pub fn with_state<S: 'static, R>(action: impl FnOnce(&mut S) -> R) -> R {
    STATE.with(|state| {
        let mut state =
            state.try_borrow_mut().expect("the worker's state is in use: `with_state` within `with_state`");
        let state = state.as_mut().expect("there is no state: this is no worker of a pool");
        let found = state.downcast_mut::<S>();
        action(found.unwrap_or_else(|| {
            panic!(
                "the state is no `{}`: the initializer returned something else, or there is none",
                std::any::type_name::<S>()
            )
        }))
    })
}

/// A function that makes the state of a worker out of the elements of the tuple `A`. Implemented for functions and closures that capture
/// nothing, of up to eight arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot make the state of a worker with the arguments `{A}`",
    label = "the arguments are a tuple, of the types that the function takes: `initializer(f, (a,))`",
    note = "a closure needs the types of its parameters written out: `|path: String| open(&path)`"
)]
pub trait Initialize<A, S>: Copy + 'static {
    #[doc(hidden)]
    fn make(self, arguments: A) -> S;
}

macro_rules! initializers {
    ($(($($argument:ident)*))*) => {$(
        impl<F, S, $($argument),*> Initialize<($($argument,)*), S> for F
        where
            F: Fn($($argument),*) -> S + Copy + 'static,
        {
            #[allow(non_snake_case)] // the arguments are named after their types
            fn make(self, ($($argument,)*): ($($argument,)*)) -> S {
                self($($argument),*)
            }
        }
    )*};
}

initializers! { () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E G) (A B C D E G H) (A B C D E G H I) }

/// What makes the state of a worker: an initializer, compiled for its type.
pub(super) type Initializer = fn(&[u8], &mut Remaining) -> Result<(), Failure>;

pub(super) fn initialize<F, A, S>(arguments: &[u8], remaining: &mut Remaining) -> Result<(), Failure>
where
    F: Initialize<A, S>,
    A: DeserializeOwned,
    S: 'static,
{
    let arguments: A =
        parcel::unpack_part(arguments, remaining).map_err(|error| Failure::Argument(error.to_string()))?;
    let state = runtime::conjure::<F>().make(arguments);
    STATE.set(Some(Box::new(state)));
    Ok(())
}

/// The worker's life. Its output says why it could not begin.
pub(super) fn work(station: Station) -> Option<Failure> {
    let Station { number, jobs, answers, desk, has_initializer, exit, cpu, nice, max_memory, line } = station;
    let refused = |what: String, error: io::Error| Some(Failure::Setup(format!("{what}: {error}")));
    if let Some(Err(error)) = cpu.map(cpu::pin) {
        return refused(format!("it cannot run on CPU {}", cpu.unwrap_or_default()), error);
    }
    if let Some(Err(error)) = nice.map(cpu::add_niceness) {
        return refused(format!("its niceness cannot be changed by {}", nice.unwrap_or_default()), error);
    }
    process_exit::prepare_copies(); // which calls may make, and let return
    let mut inbox = Inbox::new(jobs);
    let listening = trace::listen(line);
    STATE.set(Some(Box::new(())));
    if has_initializer {
        match inbox.take() {
            Ok(remaining) => {
                if let Err(failure) = begin(inbox.job(), remaining) {
                    return Some(failure);
                }
            }
            Err(_) => return None, // the pool is gone
        }
    }
    listening.settle();
    let worker = Worker { number, answers, desk, max_memory, weighed: Cell::new(0) };
    let mut meter = Meter::start(worker.desk.gauge());
    if worker.send(&AnswerHead::alone(Kind::Ready, number)).is_err() {
        return None; // the pool is gone
    }
    let mut outbox = Outbox::default();
    loop {
        // Here it may have to wait.
        if inbox.is_empty() {
            worker.send_kept(&mut outbox);
        }
        let mut at_once = inbox.is_at_hand();
        match inbox.take() {
            Ok(remaining) => {
                // What is done goes to the pool while this one is done, in time for it to send more.
                if inbox.is_empty() || outbox.is_due(meter.since()) {
                    worker.send_kept(&mut outbox);
                    at_once = false;
                }
                worker.run(inbox.job(), remaining, at_once, &mut meter, &mut outbox);
            }
            Err(RecvError::Disconnected) => break, // the pool wants no more, or is gone
            Err(error) => panic!("the worker cannot take its jobs: {error}"),
        }
    }
    worker.send_kept(&mut outbox);
    if let Some(exit) = exit {
        worker.exit(exit);
    }
    drop(STATE.take());
    None
}

/// What a worker does when it ends in good order, compiled for the function's type.
pub(super) type Exit = fn(&mut Parcel) -> Result<(), Failure>;

pub(super) fn exit<F, S>(answer: &mut Parcel) -> Result<(), Failure>
where
    F: StatefulFunction<S, ()>,
    S: 'static,
{
    let output = with_state(|state| runtime::conjure::<F>().call_with(state, ()));
    write(&output, answer)
}

/// Jobs that have come. That they are here says nothing of whose they are: what has not been begun can be taken back.
#[derive(Debug)]
struct Inbox {
    jobs: Receiver<Message>,
    /// Short ones, one behind the other; where each ends, and how many of them have been taken.
    short: Vec<u8>,
    ends: Vec<usize>,
    taken: usize,
    /// The one that has been taken last, if it was not short.
    long: Option<bytes::Bytes>,
}

impl Inbox {
    fn new(jobs: Receiver<Message>) -> Self {
        Self { jobs, short: Vec::new(), ends: Vec::new(), taken: 0, long: None }
    }

    /// Whether the next job has been received.
    fn is_at_hand(&self) -> bool {
        self.taken < self.ends.len()
    }

    fn is_empty(&self) -> bool {
        !self.is_at_hand() && self.jobs.is_empty()
    }

    /// Waits for the next job, and takes it: what is beside its bytes.
    fn take(&mut self) -> Result<Remaining, RecvError> {
        self.taken += 1;
        if self.taken <= self.ends.len() {
            return Ok(Remaining::default());
        }
        let Self { jobs, short, ends, taken, long } = self;
        short.clear();
        ends.clear();
        (*taken, *long) = (0, None);
        let remaining = jobs.recv_raw(|raw, beside| {
            match raw {
                Raw::Copied(bytes) => short.extend_from_slice(bytes),
                Raw::InPlace(bytes) => *long = Some(bytes),
            }
            Remaining::from(beside)
        })?;
        if long.is_none() {
            *taken = 1;
            ends.push(short.len());
            jobs.try_recv_all(short, ends, MOST_TAKEN)?;
        }
        Ok(remaining)
    }

    /// The job that has been taken last.
    fn job(&self) -> &[u8] {
        let end_of = |place: Option<usize>| place.map_or(0, |place| self.ends[place]);
        let short = || &self.short[end_of(self.taken.checked_sub(2))..end_of(self.taken.checked_sub(1))];
        self.long.as_deref().unwrap_or_else(short)
    }
}

fn begin(bytes: &[u8], mut remaining: Remaining) -> Result<(), Failure> {
    let broken = || Failure::Setup("no initializer came".into());
    let head = JobHead::read(bytes).ok_or_else(broken)?;
    let initialize = image::function_at::<Initializer>(head.function).ok_or_else(broken)?;
    let arguments = next_part(&mut &bytes[HEAD..]).ok_or_else(broken)?;
    caught(|| initialize(arguments, &mut remaining))
}

/// Calls, and makes a failure of a panic.
pub(super) fn caught<R>(call: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|cause| {
        let panicked = panic::last(cause.as_ref());
        panic::drop_quietly(cause);
        Err(Failure::Panicked(panicked))
    })
}

/// Answers that have not been sent: a record of the job that the worker is at, and whole ones before it.
#[derive(Debug, Default)]
struct Outbox {
    parcel: Parcel,
    /// Where the last record begins, and how many there are before it.
    start: usize,
    kept: u64,
    /// Since when the first of them is there.
    since: u64,
}

impl Outbox {
    /// Begins a record.
    fn begin(&mut self) {
        self.start = self.parcel.bytes.len();
        self.parcel.bytes.resize(self.start + HEAD, 0);
    }

    /// Whether records have been kept for long enough.
    fn is_due(&self, now: u64) -> bool {
        self.kept >= MOST_KEPT || (self.kept > 0 && now.saturating_sub(self.since) > KEEP)
    }
}

#[derive(Debug)]
struct Worker {
    number: u64,
    answers: Sender<Message>,
    desk: Desk,
    /// With how many bytes of memory it makes room for another; when it last looked how many it has.
    max_memory: Option<u64>,
    weighed: Cell<u64>,
}

impl Worker {
    fn send(&self, parcel: &Parcel) -> Result<(), SendFailure> {
        self.answers.send_parcel(parcel)
    }

    /// Calls the function that is to be called at the end.
    fn exit(&self, function: u64) {
        let exit = image::function_at::<Exit>(function).expect("the pool is of the same build");
        let mut answer = AnswerHead::alone(Kind::Exit, self.number);
        if let Err(failure) = caught(|| exit(&mut answer)) {
            write_failure(failure, HEAD, &mut answer);
        }
        AnswerHead::write_alone(Kind::Exit, self.number, &mut answer.bytes);
        let _the_pool_is_gone = self.send(&answer);
    }

    /// Looks how much memory it has, if it has not for some time.
    fn weigh(&self, now: u64) {
        let Some(most) = self.max_memory else { return };
        if now.saturating_sub(self.weighed.get()) >= WEIGH {
            self.weighed.set(now);
            if usage::own().is_some_and(|bytes| bytes > most) {
                self.desk.say_large();
            }
        }
    }

    /// Sends what there is in the outbox.
    fn send_kept(&self, outbox: &mut Outbox) {
        if outbox.parcel.bytes.is_empty() {
            return;
        }
        match self.send(&outbox.parcel) {
            Ok(()) => {}
            Err(SendFailure::Disconnected | SendFailure::Closed) => runtime::exit_now(0), // the pool is gone
            Err(error) => panic!("the worker cannot hand over its answers: {error}"),
        }
        self.desk.empty();
        outbox.parcel.bytes.clear();
        outbox.parcel.beside = parcel::Beside::default();
        (outbox.start, outbox.kept) = (0, 0);
    }

    fn run(&self, bytes: &[u8], remaining: Remaining, at_once: bool, meter: &mut Meter, outbox: &mut Outbox) {
        let head = JobHead::read(bytes).expect("the pool sends whole jobs");
        let run = image::function_at::<Runner>(head.function).expect("the pool is of the same build");
        meter.begin_job(self.desk.gauge(), at_once);
        let mut batch = Batch {
            worker: self,
            head,
            calls: &bytes[HEAD..],
            remaining,
            outbox,
            me: own::pid(),
            gathering: meter.now(),
            meter,
            last: 0,
            sent: 0,
            answered: 0,
        };
        batch.outbox.begin();
        trace::enter(head.trace);
        run(&mut batch);
        trace::leave();
        batch.end();
        if head.limited {
            self.desk.rest();
        }
    }
}

/// Runs the calls of a job, compiled for the function's type.
pub(super) type Runner = fn(&mut Batch<'_>);

pub(super) fn runner<F, A>(batch: &mut Batch<'_>)
where
    F: Function<A>,
    A: DeserializeOwned,
{
    batch.each(|arguments: A, _| runtime::conjure::<F>().call(arguments));
}

/// The time limit of the call that is being made, if it has one.
pub(super) struct Limit<'a>(Option<&'a Desk>);

impl Limit<'_> {
    /// Gives what follows the whole time.
    pub(super) fn restart(&self) {
        if let Some(desk) = self.0 {
            desk.restart();
        }
    }
}

/// Writes the outcome of a call, behind others: what it returned.
fn write<R: Serialize>(output: &R, answers: &mut Parcel) -> Result<(), Failure> {
    let at = begin_part(&mut answers.bytes);
    answers.bytes.push(OK);
    parcel::pack_behind(output, answers).map_err(|error| Failure::Output(error.to_string()))?;
    let fits = end_part(&mut answers.bytes, at);
    if fits { Ok(()) } else { Err(Failure::Output("it has more than 4 GiB: use `Bytes`".into())) }
}

/// Writes the outcome of a call that failed, in place of what has been written of it from here on.
fn write_failure(failure: Failure, at: usize, answers: &mut Parcel) {
    answers.bytes.truncate(at);
    begin_part(&mut answers.bytes);
    let told =
        parcel::pack_behind(&Err::<(), _>(failure), answers).is_ok() && end_part(&mut answers.bytes, at);
    assert!(told, "a failure can always be told");
}

/// A job in its worker.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    worker: &'a Worker,
    head: JobHead,
    /// What has not been called yet.
    calls: &'a [u8],
    remaining: Remaining,
    /// Where the answers gather.
    outbox: &'a mut Outbox,
    /// The worker's process.
    me: u32,
    /// Since when they gather.
    gathering: u64,
    meter: &'a mut Meter,
    /// Where the last answer begins.
    last: usize,
    /// How many answers have been sent, and how many there are.
    sent: u64,
    answered: u64,
}

impl<'a> Batch<'a> {
    /// Makes each of the calls.
    #[inline]
    pub(super) fn each<A, R>(&mut self, mut call: impl FnMut(A, &Limit<'_>) -> R)
    where
        A: DeserializeOwned,
        R: Serialize,
    {
        let worker = self.worker;
        let limit = Limit(self.head.limited.then_some(&worker.desk));
        while let Some(arguments) = self.next() {
            let at = self.outbox.parcel.bytes.len();
            let done = caught(|| {
                let arguments: A = parcel::unpack_part(arguments, &mut self.remaining)
                    .map_err(|error| Failure::Argument(error.to_string()))?;
                self.meter.decoded();
                let output = call(arguments, &limit);
                write(&output, &mut self.outbox.parcel)
                // Here the output is dropped, whose destructor may panic as well.
            });
            self.answered(at, done);
        }
    }

    /// The arguments of the next call, which begins.
    fn next(&mut self) -> Option<&'a [u8]> {
        self.worker.desk.begin(
            usize::try_from(self.head.claim).unwrap_or(usize::MAX),
            self.head.count,
            self.head.limited,
        )?;
        let arguments = next_part(&mut self.calls).expect("the pool sends whole jobs");
        self.meter.begin_call(arguments.len());
        Some(arguments)
    }

    /// The call that was begun is over: its answer begins here, unless it has failed.
    fn answered(&mut self, at: usize, done: Result<(), Failure>) {
        let failed = done.is_err();
        if let Err(failure) = done {
            trace::failed(|| TaskFailure::from(failure.clone()));
            write_failure(failure, at, &mut self.outbox.parcel);
        }
        if own::pid() != self.me {
            // A copy that the call made by a fork of its own, and let return: the pool knows nothing of it, and it has to leave the desk
            // alone.
            runtime::exit_now(0);
        }
        self.answered += 1;
        self.meter.end_call(self.head.count, failed);
        if failed {
            self.meter.tell_failures(self.worker.desk.gauge());
        }
        self.gather(at);
    }

    /// Lets an answer gather with others, or sends them.
    fn gather(&mut self, at: usize) {
        self.last = at;
        if self.answered == self.head.count {
            return; // it goes with the end of the job, which is next
        }
        let Parcel { bytes, beside } = &self.outbox.parcel;
        if bytes.len() > OUTBOX || !beside.is_empty() {
            return self.send();
        }
        let first = self.head.first + self.sent;
        let count = self.answered - self.sent;
        self.worker.desk.gather(at, &bytes[at..], self.outbox.start, self.head.job, first, count);
        if !self.meter.has_looked() {
            return;
        }
        let gathering = self.meter.now() - self.gathering;
        if gathering > GATHER {
            self.worker.weigh(self.meter.now());
        }
        if gathering > if self.head.leisurely && !self.worker.desk.is_large() { KEEP } else { GATHER } {
            self.send();
            self.gathering = self.meter.now();
        }
    }

    /// Writes the head of the record: of what kind it is, and what was measured.
    fn write_head(&mut self, kind: Kind, measured: Measured) {
        let start = self.outbox.start;
        let bytes = &mut self.outbox.parcel.bytes;
        let head = AnswerHead {
            kind,
            worker: self.worker.number,
            job: self.head.job,
            first: self.head.first + self.sent,
            count: self.answered - self.sent,
            length: (bytes.len() - start - HEAD) as u64,
            measured,
        };
        head.write(&mut bytes[start..start + HEAD]);
        self.sent = self.answered;
    }

    /// Sends the answers that have gathered.
    fn send(&mut self) {
        self.write_head(Kind::Answers, Measured::default());
        let (worker, outbox) = (self.worker, &mut *self.outbox);
        self.meter.beside(|| worker.send_kept(outbox));
        self.outbox.begin();
    }

    /// The job is done: keeps its record, if nobody waits for it, or sends it.
    fn end(&mut self) {
        let measured = self.meter.end_job(self.worker.desk.gauge());
        self.worker.weigh(measured.begun + measured.time);
        let answered = self.answered > self.sent;
        self.write_head(Kind::Done, measured);
        let outbox = &mut *self.outbox;
        let Parcel { bytes, beside } = &outbox.parcel;
        // What failed, and that the worker has too much memory, is told at once.
        let keeps = self.head.leisurely
            && !self.head.limited
            && measured.time < KEEP
            && measured.failed == 0
            && !self.worker.desk.is_large();
        if !keeps || bytes.len() > OUTBOX || !beside.is_empty() {
            return self.worker.send_kept(outbox);
        }
        let head = &bytes[outbox.start..outbox.start + HEAD];
        let last = if answered { self.last } else { bytes.len() };
        self.worker.desk.complete(outbox.start, head, last, &bytes[last..]);
        outbox.kept += 1;
        if outbox.kept == 1 {
            outbox.since = measured.begun + measured.time;
        }
    }
}
