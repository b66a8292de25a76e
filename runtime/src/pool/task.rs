//! The handle of one task.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::engine::{COPIED, Engine};
use super::error::{TaskError, TaskFailure};
use super::job::{Callback, Delivery, Mailbox};
use super::message::{OK, next_part};
use crate::launch::{Failure, panic};
use crate::sys::poller;
use crate::wire::codec::{Codec, Wire};
use crate::wire::parcel;

/// A task that was [submitted](super::Pool::submit) to a pool: wait for it, take its result, cancel it.
///
/// Dropping the handle does nothing to the task, as with [`std::thread::JoinHandle`]. `task.await` does what [`get`](Self::get) does, on
/// any executor.
#[doc(alias = "AsyncResult")]
#[doc(alias = "Future")]
pub struct Task<R> {
    pub(super) engine: Arc<Engine>,
    pub(super) mailbox: Arc<Mailbox>,
    result: PhantomData<fn() -> R>,
}

impl<R> Task<R> {
    pub(super) fn new(engine: Arc<Engine>, mailbox: Arc<Mailbox>) -> Self {
        Self { engine, mailbox, result: PhantomData }
    }

    /// Whether the task is done, in whatever way, and its result has not been taken.
    #[doc(alias = "ready")]
    #[must_use]
    pub fn is_done(&self) -> bool {
        if !self.mailbox.has_mail() && self.engine.is_ours() {
            self.engine.advance(&mut self.engine.lock());
        }
        self.mailbox.has_mail()
    }

    /// Cancels the task: also when it is being done, which ends its worker; another takes its place. Then the task's result is
    /// [`TaskFailure::Cancelled`]. `false` when it was done already, or ran out of its time.
    #[must_use = "it may have been done already"]
    pub fn cancel(&self) -> bool {
        self.engine.cancel(&self.mailbox, true, true) > 0
    }

    /// Cancels the task unless it has been begun. `false` when it has.
    #[must_use = "it may have been begun already"]
    pub fn cancel_unless_begun(&self) -> bool {
        self.engine.cancel(&self.mailbox, true, false) > 0
    }

    /// Waits until the task is done: `false` if it is not after the timeout.
    #[must_use = "it may have timed out"]
    pub fn wait(&self, timeout: Duration) -> bool {
        self.engine.attend(poller::deadline(Some(timeout)), |_| self.mailbox.is_settled())
    }

    /// Has something done when the task is done, on the pool's own thread: it should not take long, and a panic in it harms nothing else. Of several, the
    /// last one counts. Done at once, on this thread, if the task is done already.
    #[doc(alias = "add_done_callback")]
    #[doc(alias = "callback")]
    pub fn on_done(&self, callback: impl FnOnce() + Send + 'static) {
        if let Some(callback) = self.mailbox.call_at_delivery(Callback(Box::new(callback))) {
            (callback.0)();
        }
    }
}

impl<R: DeserializeOwned> Task<R> {
    /// Waits until the task is done: its result.
    ///
    /// # Errors
    /// See [`TaskFailure`]. The result can be taken once.
    #[doc(alias = "result")]
    #[doc(alias = "join")]
    pub fn get(&self) -> Result<R, TaskError> {
        loop {
            if let Some(result) = self.take() {
                return result;
            }
            if !self.engine.attend(None, |_| self.mailbox.is_settled()) {
                return Err(TaskError::new(TaskFailure::Pool(COPIED.into())));
            }
        }
    }

    /// Waits until the task is done, but at most this long: its result, or `None` if it is not done yet; it goes on.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[must_use = "it may not be done, or have failed"]
    pub fn get_timeout(&self, timeout: Duration) -> Option<Result<R, TaskError>> {
        if !self.mailbox.has_mail() && !self.mailbox.is_emptied() && !self.wait(timeout) {
            return None;
        }
        self.take()
    }

    /// The result, if the task is done.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[must_use = "it may not be done, or have failed"]
    pub fn try_get(&self) -> Option<Result<R, TaskError>> {
        self.get_timeout(Duration::ZERO)
    }

    fn take(&self) -> Option<Result<R, TaskError>> {
        if self.mailbox.is_emptied() {
            return Some(Err(TaskError::new(TaskFailure::Taken)));
        }
        let delivery = self.mailbox.take_only()?;
        let mut result = None;
        open(delivery, |_, outcome| result = Some(outcome));
        let result = result.unwrap_or_else(|| Err(TaskError::new(TaskFailure::Taken)));
        Some(result.map_err(|error| error.at(None))) // it is the only one
    }
}

impl<R: DeserializeOwned> Future for Task<R> {
    type Output = Result<R, TaskError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(result) = self.take() {
            return Poll::Ready(result);
        }
        if self.mailbox.wake_at_delivery(context.waker()) {
            return Poll::Pending;
        }
        self.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<R> fmt::Debug for Task<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("is_done", &self.mailbox.has_mail()).finish_non_exhaustive()
    }
}

/// Makes outcomes of a delivery, each with its index. What is given them does not panic.
pub(super) fn open<R: DeserializeOwned>(delivery: Delivery, mut each: impl FnMut(u64, Result<R, TaskError>)) {
    let (index, count, bytes, mut remaining, worker) = match delivery {
        Delivery::Failed(index, error) => return each(index, Err(error.at(Some(index)))),
        Delivery::Answers { index, count, bytes, remaining, worker } => {
            (index, count, bytes, remaining, worker)
        }
    };
    let mut parts = bytes.bytes();
    let mut opened = 0;
    let failed = |failure, opened: u64| {
        Err(TaskError::of(failure, Some(Arc::clone(&worker))).at(Some(index + opened)))
    };
    let end = parcel::unpacking(&mut remaining, || {
        while opened < count {
            // Few decoders panic: many are run before it is looked whether one did.
            let ran = catch_unwind(AssertUnwindSafe(|| {
                while opened < count {
                    let outcome = read(next_part(&mut parts));
                    each(index + opened, outcome.or_else(|failure| failed(failure, opened)));
                    opened += 1;
                }
            }));
            if let Err(cause) = ran {
                let why = format!("its decoding panicked: {}", panic::last(cause.as_ref()));
                panic::drop_quietly(cause);
                each(index + opened, failed(TaskFailure::Output(why), opened));
                opened += 1;
            }
        }
    });
    if let Err(error) = end {
        for opened in opened..count {
            each(index + opened, failed(TaskFailure::Output(error.to_string()), opened));
        }
    }
}

/// The outcome of a call.
#[inline]
fn read<R: DeserializeOwned>(part: Option<&[u8]>) -> Result<R, TaskFailure> {
    match part {
        Some([OK, output @ ..]) => {
            Wire::decode(output).map_err(|error| TaskFailure::Output(error.to_string()))
        }
        other => Err(read_failure(other)),
    }
}

#[cold]
fn read_failure(part: Option<&[u8]>) -> TaskFailure {
    match part.map(Wire::decode::<Result<(), Failure>>) {
        Some(Ok(Err(failure))) => failure.into(),
        Some(Err(error)) => TaskFailure::Output(error.to_string()),
        Some(Ok(Ok(()))) | None => TaskFailure::Output("it did not come whole".into()),
    }
}
