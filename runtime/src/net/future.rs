//! `.await` on a listener, on any executor: the watcher wakes the task.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Listener;
use crate::channel::Connection;
use crate::process::watcher::{self, Wish};

/// The future of a connection. See [`Listener::accept_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct AcceptFuture<'a, S, R = S> {
    listener: &'a Listener<S, R>,
    wish: Option<Wish>,
}

impl<'a, S, R> AcceptFuture<'a, S, R> {
    pub(super) fn new(listener: &'a Listener<S, R>) -> Self {
        Self { listener, wish: None }
    }
}

impl<S, R> Future for AcceptFuture<'_, S, R> {
    type Output = io::Result<Connection<S, R>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(connection) = self.listener.try_accept()? {
            return Poll::Ready(Ok(connection));
        }
        if !self.wish.as_ref().is_some_and(|wish| wish.renew(context.waker())) {
            self.wish = Some(watcher::wake_when_ready(self.listener.object(), context.waker())?);
        }
        Poll::Pending
    }
}
