//! Waiting for a lock from asynchronous code.
//!
//! The C library's locks belong to threads, and none of them can call back. So a task that does not get what it wants at once has a
//! thread that waits in its place, for as long as it waits, and wakes the task to try again. The thread looks now and then
//! whether the task still wants it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How long a thread waits at most for a task that wants it no more.
const SLICE: Duration = Duration::from_millis(50);

/// How long a task waits with its thread when its turn has come, the first time; and how often that is doubled at most.
const TURN: Duration = Duration::from_millis(1);
const LONGEST_TURN: u32 = 6;

/// Who waits in a task's place.
#[derive(Debug, Default)]
pub(crate) struct Proxy {
    shared: Option<Arc<Mutex<Shared>>>,
    /// How many waits have been over.
    rounds: u32,
}

#[derive(Debug)]
struct Shared {
    waker: Waker,
    is_over: bool,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // Nothing panics that holds it, but a clone of a waker might.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Polls as [`poll`](Self::poll) does. `attempt` is told how long it may wait: not at all, unless a thread has waited in the task's place and
    /// found its turn come, and then longer each time that the turn was another's in the end.
    pub(crate) fn poll_in_turn<R, W>(
        &mut self,
        context: &Context<'_>,
        attempt: impl FnOnce(Duration) -> io::Result<Option<R>>,
        wait: impl Fn() -> W,
    ) -> Poll<io::Result<R>>
    where
        W: FnMut(Instant) -> bool + Send + 'static,
    {
        let mut grace = Duration::ZERO;
        if self.is_over() {
            grace = TURN * (1 << self.rounds.min(LONGEST_TURN));
            self.rounds += 1;
        }
        self.poll(context, || attempt(grace), wait)
    }

    /// Polls: `attempt` tries; `wait` makes what a thread does, again and again, until
    /// it says that its wait is over.
    pub(crate) fn poll<R, W>(
        &mut self,
        context: &Context<'_>,
        attempt: impl FnOnce() -> io::Result<Option<R>>,
        wait: impl Fn() -> W,
    ) -> Poll<io::Result<R>>
    where
        W: FnMut(Instant) -> bool + Send + 'static,
    {
        let is_over = self.is_over();
        match attempt().transpose() {
            Some(done) => {
                self.shared = None;
                return Poll::Ready(done);
            }
            None if is_over => self.shared = None,
            None => {}
        }
        if let Some(shared) = &self.shared {
            let mut shared = lock(shared);
            if shared.is_over {
                // Since the look above: come again.
                context.waker().wake_by_ref();
            }
            shared.waker.clone_from(context.waker());
            return Poll::Pending;
        }
        let shared = Arc::new(Mutex::new(Shared { waker: context.waker().clone(), is_over: false }));
        let (theirs, wait) = (Arc::downgrade(&shared), wait());
        let serve = move || {
            let mut wait = wait;
            while theirs.strong_count() > 0 {
                if wait(Instant::now() + SLICE) {
                    if let Some(shared) = theirs.upgrade() {
                        let mut shared = lock(&shared);
                        shared.is_over = true;
                        shared.waker.wake_by_ref();
                    }
                    return;
                }
            }
        };
        match std::thread::Builder::new().name("offspring-wait".into()).spawn(serve) {
            Ok(_detached) => self.shared = Some(shared),
            Err(error) => return Poll::Ready(Err(error)),
        }
        Poll::Pending
    }

    fn is_over(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| lock(shared).is_over)
    }
}
