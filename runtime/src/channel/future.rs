//! `.await` on a channel, on any executor: the watcher wakes the task.

use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ends::{End, Patience, send_value};
use super::error::{RecvError, SendError, SendFailure};
use super::ring::Which;
use crate::process::wait::BeforeSleep;
use crate::process::watcher::{self, Wish};

/// A task that waits at an end. It is counted as lying down from its first wait until drop.
#[derive(Debug)]
struct Waiting<'a> {
    end: &'a End,
    ours: Which,
    lies_down: bool,
    wish: Option<Wish>,
}

impl<'a> Waiting<'a> {
    fn new(end: &'a End, ours: Which) -> Self {
        Self { end, ours, lies_down: false, wish: None }
    }

    /// Has the task woken when there may be something: pending, or ready to look again.
    fn poll(&mut self, context: &mut Context<'_>, there_is: &dyn Fn() -> bool) -> io::Result<Poll<()>> {
        if !self.lies_down {
            self.end.ring.side(self.ours.other()).bell.count(true);
            self.lies_down = true;
        }
        match self.end.view(self.ours).before_sleep(there_is)? {
            BeforeSleep::Ready => return Ok(Poll::Ready(())),
            // Whoever is about to change something does not take long.
            BeforeSleep::Busy => context.waker().wake_by_ref(),
            BeforeSleep::Sleep => {
                if !self.wish.as_ref().is_some_and(|wish| wish.renew(context.waker())) {
                    let socket = crate::sys::borrow(self.end.socket.object());
                    self.wish = Some(watcher::wake_when_ready(socket, context.waker())?);
                }
            }
        }
        Ok(Poll::Pending)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.lies_down {
            self.end.ring.side(self.ours.other()).bell.count(false);
        }
    }
}

/// The future of a message. See [`Receiver::recv_async`](super::Receiver::recv_async).
///
/// ```
/// # use std::task::{Context, Poll, Wake, Waker};
/// # struct Unpark(std::thread::Thread);
/// # impl Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
/// # fn block_on<F: Future>(future: F) -> F::Output {
/// #     let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
/// #     let mut future = std::pin::pin!(future);
/// #     loop {
/// #         if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) { return output }
/// #         std::thread::park();
/// #     }
/// # }
/// use offspring::{Receiver, Sender};
///
/// fn double(numbers: Receiver<u32>, doubles: Sender<u32>) {
///     for number in &numbers {
///         doubles.send(2 * number.expect("it can be decoded")).expect("the parent listens");
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (sender, numbers) = offspring::channel::channel()?;
///     let (doubles, receiver) = offspring::channel::channel()?;
///     let child = offspring::spawn(double, (numbers, doubles))?;
///     block_on(async {
///         sender.send_async(21).await?;
///         assert_eq!(receiver.recv_async().await?, 42);
///         drop(sender);
///         child.await?;
///         Ok(())
///     })
/// }
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct RecvFuture<'a, T> {
    waiting: Waiting<'a>,
    item: PhantomData<fn() -> T>,
}

impl<'a, T> RecvFuture<'a, T> {
    pub(super) fn new(end: &'a End) -> Self {
        Self { waiting: Waiting::new(end, Which::Receivers), item: PhantomData }
    }
}

impl<T: DeserializeOwned> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let end = self.waiting.end;
            match end.receive(Patience::None) {
                Err(RecvError::Empty) => {}
                received => return Poll::Ready(received),
            }
            match self.waiting.poll(context, &|| end.ring.has_data() || end.ring.is_closed()) {
                Ok(Poll::Ready(())) => {}
                Ok(Poll::Pending) => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(RecvError::System(error))),
            }
        }
    }
}

/// The future of a send. See [`Sender::send_async`](super::Sender::send_async).
#[must_use = "futures do nothing unless they are polled"]
pub struct SendFuture<'a, T> {
    waiting: Waiting<'a>,
    value: Option<T>,
}

impl<'a, T> SendFuture<'a, T> {
    pub(super) fn new(end: &'a End, value: T) -> Self {
        Self { waiting: Waiting::new(end, Which::Senders), value: Some(value) }
    }
}

/// The value is not pinned: it is taken out.
impl<T> Unpin for SendFuture<'_, T> {}

impl<T> fmt::Debug for SendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFuture").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl<T: Serialize> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    /// # Panics
    /// When it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let end = self.waiting.end;
            let value = self.value.as_ref().expect("a future is not polled after it was ready");
            let reason = match send_value(end, value, Patience::None) {
                Ok(()) => {
                    self.value = None;
                    return Poll::Ready(Ok(()));
                }
                Err(SendFailure::Full) => {
                    match self.waiting.poll(context, &|| end.ring.has_room(0) || end.ring.is_closed()) {
                        Ok(Poll::Ready(())) => continue,
                        Ok(Poll::Pending) => return Poll::Pending,
                        Err(error) => SendFailure::System(error),
                    }
                }
                Err(reason) => reason,
            };
            let value = self.value.take().expect("it was there just now");
            return Poll::Ready(Err(SendError::new(value, reason)));
        }
    }
}
