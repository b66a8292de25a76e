//! A queue that this program and programs in Python share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_pickle::Value;

use super::super::plain;
use super::CallError;
use super::served::{Arguments, Caller, Fault, Line, Served, Sleep, ThisThread, deadline};

/// A queue of plain values, which a [`ManagerServer`](super::ManagerServer) serves: Python's `queue.Queue`.
///
/// Clones are the same queue. It lives in this process; threads here and clients anywhere put and get, the first value first.
///
/// ```
/// use std::time::Duration;
/// use offspring::net::python::manager::{CallError, Queue};
///
/// let queue = Queue::new(0);
/// queue.put(&("square", 7))?;
/// assert_eq!(queue.get::<(String, i64)>()?, ("square".to_owned(), 7));
/// assert!(matches!(queue.get_timeout::<i64>(Duration::ZERO), Err(CallError::Empty)));
/// # Ok::<(), CallError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Queue(Arc<State>);

#[derive(Debug)]
struct State {
    /// How many values there is room for, if that is limited.
    room: Option<usize>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    items: VecDeque<Value>,
    /// How many have been put, and not been said to be done.
    unfinished: u64,
    takers: Line,
    putters: Line,
    joiners: Line,
}

impl Queue {
    /// A queue with room for so many values. 0: for any number.
    #[must_use]
    pub fn new(maxsize: usize) -> Self {
        Self(Arc::new(State { room: Some(maxsize).filter(|room| *room > 0), inner: Mutex::default() }))
    }

    /// Puts a value, and waits for room.
    ///
    /// # Errors
    /// When the value is not plain data.
    pub fn put<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), CallError> {
        self.put_until(value, None)
    }

    /// Puts a value if there comes room in time.
    ///
    /// # Errors
    /// [`CallError::Full`]; as [`put`](Self::put).
    pub fn put_timeout<T: Serialize + ?Sized>(&self, value: &T, timeout: Duration) -> Result<(), CallError> {
        self.put_until(value, Instant::now().checked_add(timeout))
    }

    fn put_until<T: Serialize + ?Sized>(&self, value: &T, until: Option<Instant>) -> Result<(), CallError> {
        let value = plain::decode_value(&plain::encode(value)?, u64::MAX)?;
        self.0.put(value, &ThisThread, until).map_err(CallError::from_fault)
    }

    /// Waits for a value, and takes it.
    ///
    /// # Errors
    /// When the value is of another shape. It is taken then: [`Value`] is of any shape.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        self.get_until(None)
    }

    /// Takes a value, if there comes one in time.
    ///
    /// # Errors
    /// [`CallError::Empty`]; as [`get`](Self::get).
    pub fn get_timeout<T: DeserializeOwned>(&self, timeout: Duration) -> Result<T, CallError> {
        self.get_until(Instant::now().checked_add(timeout))
    }

    fn get_until<T: DeserializeOwned>(&self, until: Option<Instant>) -> Result<T, CallError> {
        CallError::shape(self.get_value_until(until)?)
    }

    /// Waits for a value of any shape.
    ///
    /// # Errors
    /// [`CallError::Empty`] when none came in time. `None`: it waits without end.
    pub fn get_value(&self, timeout: Option<Duration>) -> Result<Value, CallError> {
        self.get_value_until(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    fn get_value_until(&self, until: Option<Instant>) -> Result<Value, CallError> {
        self.0.get(&ThisThread, until).map_err(CallError::from_fault)
    }

    /// How many values are in it.
    #[must_use]
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.0.lock().items.len()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says that a value that was taken is done.
    ///
    /// # Errors
    /// `ValueError` when there are no more values that are not done.
    pub fn task_done(&self) -> Result<(), CallError> {
        self.0.task_done().map_err(CallError::from_fault)
    }

    /// Waits until all values that were put are done.
    ///
    /// # Errors
    /// None at present.
    pub fn join(&self) -> Result<(), CallError> {
        self.0.join(&ThisThread).map_err(CallError::from_fault)
    }

    pub(super) fn served(&self) -> Arc<dyn Served> {
        Arc::clone(&self.0) as _
    }
}

impl State {
    /// What is in it is right after each step: nobody can leave it half done.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries until it succeeds, or the moment has come.
    fn attempt<T>(
        &self,
        line: fn(&mut Inner) -> &mut Line,
        sleeper: &dyn Sleep,
        until: Option<Instant>,
        mut attempt: impl FnMut(&mut Inner) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let mut place = None;
        loop {
            {
                let mut inner = self.lock();
                if let Some(place) = place.take() {
                    line(&mut inner).leave(place);
                }
                if let Some(done) = attempt(&mut inner) {
                    return Ok(Some(done));
                }
                if until.is_some_and(|until| until <= Instant::now()) {
                    return Ok(None);
                }
                place = Some(line(&mut inner).enter(sleeper.waker()?));
            }
            if let Err(fault) = sleeper.sleep(until) {
                let mut inner = self.lock();
                let line = line(&mut inner);
                if place.is_some_and(|place| !line.leave(place)) {
                    // What it was woken for is for the next one.
                    line.wake_one();
                }
                return Err(fault);
            }
        }
    }

    fn put(&self, value: Value, sleeper: &dyn Sleep, until: Option<Instant>) -> Result<(), Fault> {
        let mut value = Some(value);
        let put = self.attempt(
            |inner| &mut inner.putters,
            sleeper,
            until,
            |inner| {
                if self.room.is_some_and(|room| inner.items.len() >= room) {
                    return None;
                }
                inner.items.push_back(value.take()?);
                inner.unfinished += 1;
                inner.takers.wake_one();
                Some(())
            },
        )?;
        put.ok_or_else(|| Fault::new("queue", "Full", Vec::new()))
    }

    fn get(&self, sleeper: &dyn Sleep, until: Option<Instant>) -> Result<Value, Fault> {
        let got = self.attempt(
            |inner| &mut inner.takers,
            sleeper,
            until,
            |inner| {
                let value = inner.items.pop_front()?;
                inner.putters.wake_one();
                Some(value)
            },
        )?;
        got.ok_or_else(|| Fault::new("queue", "Empty", Vec::new()))
    }

    fn task_done(&self) -> Result<(), Fault> {
        let mut inner = self.lock();
        let left = inner.unfinished.checked_sub(1);
        inner.unfinished =
            left.ok_or_else(|| Fault::builtin("ValueError", "task_done() called too many times"))?;
        if inner.unfinished == 0 {
            inner.joiners.wake_all();
        }
        Ok(())
    }

    fn join(&self, sleeper: &dyn Sleep) -> Result<(), Fault> {
        let done = |inner: &mut Inner| (inner.unfinished == 0).then_some(());
        self.attempt(|inner| &mut inner.joiners, sleeper, None, done).map(drop)
    }

    fn is_full(&self) -> bool {
        self.room.is_some_and(|room| self.lock().items.len() >= room)
    }
}

impl Served for State {
    fn class(&self) -> &'static str {
        "Queue"
    }

    fn methods(&self) -> &'static [&'static str] {
        &["put", "get", "put_nowait", "get_nowait", "qsize", "empty", "full", "task_done", "join"]
    }

    fn call(&self, method: &str, arguments: Arguments, caller: &Caller) -> Result<Value, Fault> {
        match method {
            "put" => {
                let [item, block, timeout] = arguments.bind(method, ["item", "block", "timeout"], 1)?;
                let until = deadline(block.as_ref(), timeout.as_ref())?;
                self.put(item.unwrap_or(Value::None), caller, until)?;
            }
            "put_nowait" => {
                let [item] = arguments.bind(method, ["item"], 1)?;
                self.put(item.unwrap_or(Value::None), caller, Some(Instant::now()))?;
            }
            "get" => {
                let [block, timeout] = arguments.bind(method, ["block", "timeout"], 0)?;
                return self.get(caller, deadline(block.as_ref(), timeout.as_ref())?);
            }
            _ => {
                let [] = arguments.bind(method, [], 0)?;
                match method {
                    "get_nowait" => return self.get(caller, Some(Instant::now())),
                    "qsize" => return Ok(Value::I64(self.lock().items.len() as i64)),
                    "empty" => return Ok(Value::Bool(self.lock().items.is_empty())),
                    "full" => return Ok(Value::Bool(self.is_full())),
                    "task_done" => self.task_done()?,
                    "join" => self.join(caller)?,
                    _ => return Err(Fault::builtin("NotImplementedError", method)),
                }
            }
        }
        Ok(Value::None)
    }

    fn take_back(&self, method: &str, answer: Value) {
        if matches!(method, "get" | "get_nowait") {
            let mut inner = self.lock();
            inner.items.push_front(answer);
            inner.takers.wake_one();
        }
    }

    fn describe(&self) -> String {
        format!("<queue.Queue object with {} items in a program in Rust>", self.lock().items.len())
    }

    fn value(&self) -> Option<Value> {
        None
    }
}
