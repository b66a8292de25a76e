//! What a server serves: objects with methods that are called by name.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};
use std::{io::Read, io::Write, os::fd::AsFd, os::unix::net::UnixStream};

use serde_pickle::{HashableValue, Value};

use super::super::Connection;
use super::super::object::{Instance, Object};

/// An object that programs in Python call.
pub(super) trait Served: Send + Sync {
    /// Its class, for messages.
    fn class(&self) -> &'static str;

    /// Its methods.
    fn methods(&self) -> &'static [&'static str];

    /// Calls a method. It may wait on behalf of who calls.
    fn call(&self, method: &str, arguments: Arguments, caller: &Caller) -> Result<Value, Fault>;

    /// An answer of this method has not reached who asked.
    fn take_back(&self, method: &str, answer: Value);

    /// As text.
    fn describe(&self) -> String;

    /// A copy of it all, if that is plain data.
    fn value(&self) -> Option<Value>;
}

/// Why there is no answer of a method.
#[derive(Debug)]
pub(super) enum Fault {
    /// An exception for who calls.
    Raised(Box<Instance>),
    /// Who calls is gone.
    Gone,
}

impl Fault {
    pub(super) fn new(module: &str, name: &str, arguments: Vec<Value>) -> Self {
        Self::Raised(Box::new(Instance {
            module: module.into(),
            name: name.into(),
            arguments: arguments.into_iter().map(Object::Plain).collect(),
            state: None,
        }))
    }

    pub(super) fn builtin(name: &str, message: impl Into<String>) -> Self {
        Self::new("builtins", name, vec![Value::String(message.into())])
    }
}

/// The arguments of a call: those with a place, and those with a name.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) placed: VecDeque<Value>,
    pub(super) named: BTreeMap<HashableValue, Value>,
}

impl Arguments {
    /// The arguments of these names, of which the first ones have to be there.
    pub(super) fn bind<const N: usize>(
        mut self,
        method: &str,
        names: [&str; N],
        required: usize,
    ) -> Result<[Option<Value>; N], Fault> {
        let wrong = |what: String| Fault::builtin("TypeError", format!("{method}() {what}"));
        let given = self.placed.len();
        let mut bound = [const { None }; N];
        for (number, (slot, name)) in bound.iter_mut().zip(names).enumerate() {
            let by_name = self.named.remove(&HashableValue::String(name.into()));
            *slot = match (self.placed.pop_front(), by_name) {
                (Some(_), Some(_)) => {
                    return Err(wrong(format!("got multiple values for argument '{name}'")));
                }
                (by_place, by_name) => by_place.or(by_name),
            };
            if slot.is_none() && number < required {
                return Err(wrong(format!("missing a required argument: '{name}'")));
            }
        }
        if !self.placed.is_empty() {
            return Err(wrong(format!("takes at most {N} arguments, and {given} were given")));
        }
        match self.named.keys().next() {
            Some(name) => Err(wrong(format!("got an unexpected keyword argument {name}"))),
            None => Ok(bound),
        }
    }
}

/// What Python takes for true.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::None => false,
        Value::Bool(it) => *it,
        Value::I64(number) => *number != 0,
        Value::F64(number) => *number != 0.0,
        Value::String(text) => !text.is_empty(),
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::List(parts) | Value::Tuple(parts) => !parts.is_empty(),
        Value::Dict(parts) => !parts.is_empty(),
        Value::Set(parts) | Value::FrozenSet(parts) => !parts.is_empty(),
        Value::Int(_) => true, // those near zero are no such
    }
}

/// Until when a call waits, as `block` and `timeout` say: `None` is without end.
pub(super) fn deadline(block: Option<&Value>, timeout: Option<&Value>) -> Result<Option<Instant>, Fault> {
    if block.is_some_and(|block| !is_true(block)) {
        return Ok(Some(Instant::now()));
    }
    let seconds = match timeout {
        None | Some(Value::None) => return Ok(None),
        Some(Value::I64(seconds)) if *seconds < 0 => -1.0,
        // Longer than any clock runs.
        Some(Value::I64(seconds)) => f64::from(u32::try_from(*seconds).unwrap_or(u32::MAX)),
        Some(Value::F64(seconds)) => *seconds,
        Some(Value::Bool(one)) => f64::from(u8::from(*one)),
        Some(_) => return Err(Fault::builtin("TypeError", "'timeout' must be a number")),
    };
    if seconds < 0.0 || seconds.is_nan() {
        return Err(Fault::builtin("ValueError", "'timeout' must be a non-negative number"));
    }
    // What is too long for a clock is without end.
    let timeout = Duration::try_from_secs_f64(seconds).ok();
    Ok(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
}

/// Who waits for something: a thread of this program, or a client.
pub(super) trait Sleep {
    /// Wakes it, now or when it is about to sleep.
    fn waker(&self) -> Result<Waker, Fault>;

    /// Sleeps until it is woken, or the moment has come; it may wake for nothing.
    fn sleep(&self, until: Option<Instant>) -> Result<(), Fault>;
}

fn left(until: Option<Instant>) -> Option<Duration> {
    until.map(|until| until.saturating_duration_since(Instant::now()))
}

/// The calling thread.
#[derive(Debug)]
pub(super) struct ThisThread;

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Sleep for ThisThread {
    fn waker(&self) -> Result<Waker, Fault> {
        Ok(Arc::new(Unpark(std::thread::current())).into())
    }

    fn sleep(&self, until: Option<Instant>) -> Result<(), Fault> {
        match left(until) {
            None => std::thread::park(),
            Some(left) => std::thread::park_timeout(left),
        }
        Ok(())
    }
}

/// A client that waits for an answer. While it waits, it has nothing to say: when there is something to read, that is its end.
#[derive(Debug)]
pub(super) struct Caller {
    connection: Arc<Connection>,
    /// Made when it waits for the first time.
    bell: OnceLock<Bell>,
}

/// Wakes who waits for descriptors.
#[derive(Debug)]
struct Bell {
    ear: UnixStream,
    clapper: Arc<Clapper>,
}

#[derive(Debug)]
struct Clapper(UnixStream);

impl Wake for Clapper {
    fn wake(self: Arc<Self>) {
        // When it is full, it rings already; when nobody hears it, nobody waits.
        let _it_rings = (&self.0).write(&[1]);
    }
}

impl Bell {
    fn new() -> io::Result<Self> {
        let (ear, clapper) = UnixStream::pair()?;
        ear.set_nonblocking(true)?;
        clapper.set_nonblocking(true)?;
        Ok(Self { ear, clapper: Arc::new(Clapper(clapper)) })
    }
}

impl Caller {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, bell: OnceLock::new() }
    }

    /// Whether the client has ended, or speaks out of turn, which none does that is to be answered.
    pub(super) fn is_gone(&self) -> bool {
        !matches!(crate::wait(&[&*self.connection], Some(Duration::ZERO)), Ok(ready) if ready.is_empty())
    }

    fn bell(&self) -> Result<&Bell, Fault> {
        if let Some(bell) = self.bell.get() {
            return Ok(bell);
        }
        let bell = Bell::new().map_err(|error| refused(&error))?;
        Ok(self.bell.get_or_init(|| bell))
    }
}

/// The system has no descriptors left, or the like.
fn refused(error: &io::Error) -> Fault {
    Fault::builtin("OSError", error.to_string())
}

impl Sleep for Caller {
    fn waker(&self) -> Result<Waker, Fault> {
        Ok(Arc::clone(&self.bell()?.clapper).into())
    }

    fn sleep(&self, until: Option<Instant>) -> Result<(), Fault> {
        let ear = &self.bell()?.ear;
        let ready = crate::wait(&[&*self.connection, &ear.as_fd()], left(until));
        if ready.map_err(|error| refused(&error))?.contains(&0) {
            return Err(Fault::Gone);
        }
        let mut ear = ear;
        while ear.read(&mut [0; 64]).is_ok_and(|rings| rings > 0) {}
        Ok(())
    }
}

/// Those who wait for the same thing, the first one first.
#[derive(Debug, Default)]
pub(super) struct Line(VecDeque<(u64, Waker)>);

impl Line {
    pub(super) fn enter(&mut self, waker: Waker) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let place = NEXT.fetch_add(1, Ordering::Relaxed);
        self.0.push_back((place, waker));
        place
    }

    /// Whether it was still there: who is not has been woken.
    pub(super) fn leave(&mut self, place: u64) -> bool {
        let found = self.0.iter().position(|(present, _)| *present == place);
        found.map(|found| self.0.remove(found)).is_some()
    }

    pub(super) fn wake_one(&mut self) {
        if let Some((_, waker)) = self.0.pop_front() {
            waker.wake();
        }
    }

    pub(super) fn wake_all(&mut self) {
        self.0.drain(..).for_each(|(_, waker)| waker.wake());
    }
}
