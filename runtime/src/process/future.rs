//! `.await` on a child, on any executor: the watcher wakes the task.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use serde::de::DeserializeOwned;

use super::error::JoinError;
use super::{Child, watcher};

/// The future of a child's output: what [`Child::join`] returns, without a thread that waits.
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
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     block_on(async {
///         let child = offspring::spawn(|a: u32, b: u32| a + b, (2, 3))?;
///         assert_eq!(child.await?, 5);
///         Ok(())
///     })
/// }
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct JoinFuture<C, T> {
    child: C,
    output: std::marker::PhantomData<fn() -> T>,
}

impl<C, T> Future for JoinFuture<C, T>
where
    C: AsRef<Child<T>> + Unpin,
    T: DeserializeOwned,
{
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let child = self.child.as_ref();
        let record = child.record();
        // A child of another process's is no more waited for than one that has ended.
        if !record.is_ours() || record.wake_at_end(context.waker()).is_some() {
            return Poll::Ready(child.join());
        }
        match watcher::hurry(record) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(record.wait_error(error))),
        }
    }
}

impl<T> AsRef<Self> for Child<T> {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<T: DeserializeOwned> IntoFuture for Child<T> {
    type Output = Result<T, JoinError>;
    type IntoFuture = JoinFuture<Self, T>;

    fn into_future(self) -> Self::IntoFuture {
        JoinFuture { child: self, output: std::marker::PhantomData }
    }
}

impl<'a, T: DeserializeOwned> IntoFuture for &'a Child<T> {
    type Output = Result<T, JoinError>;
    type IntoFuture = JoinFuture<&'a Child<T>, T>;

    fn into_future(self) -> Self::IntoFuture {
        JoinFuture { child: self, output: std::marker::PhantomData }
    }
}
