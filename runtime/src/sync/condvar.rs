//! The condition variable.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::future::Proxy;
use super::monitor::{Monitor, Step};
use super::mutex::{Mutex, MutexGuard};
use super::page::{Layout, Page, handle};
use super::poison::{LockError, LockResult};
use crate::sys::shareable::shared_words;
use crate::sys::{Shareable, poller};

shared_words! {
    /// The state of a condition variable. A notification is a **permit** to go on, which one of those takes who waited when it was
    /// given. So one that is killed on its way out, before it has taken a permit, takes none away from the others.
    #[derive(Clone, Copy)]
    pub(crate) struct Waiters {
        /// How many have come ever: the number of the next one.
        come: u64,
        /// Those with lower numbers waited at the last notification.
        notified: u64,
        /// How many wait. One that was killed is in it for ever: then a notification lets one more go on than it should.
        waiting: u32,
        permits: u32,
    }
}

/// What lies in its page.
type Bench = Monitor<Waiters>;

impl Waiters {
    /// One begins to wait: its number.
    fn come(&mut self) -> u64 {
        self.come += 1;
        self.waiting = self.waiting.saturating_add(1);
        self.come - 1
    }

    /// Whether there is a permit for the one with this number.
    fn may_go(&self, number: u64) -> bool {
        self.permits > 0 && number < self.notified
    }

    /// Whether the one with this number may go on: then it takes its permit.
    fn goes(&mut self, number: u64) -> bool {
        let goes = self.may_go(number);
        if goes {
            self.permits -= 1;
            self.waiting = self.waiting.saturating_sub(1);
        }
        goes
    }

    /// One gives up.
    fn leave(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
        self.permits = self.permits.min(self.waiting);
    }

    /// Lets some go on, of those who wait.
    fn notify(&mut self, count: u32) {
        self.permits = self.permits.saturating_add(count).min(self.waiting);
        self.notified = self.come;
    }
}

impl Layout for Bench {
    fn is_held_by(&self, _: u64) -> bool {
        false // its lock is held by no guard
    }
}

/// What threads of all processes wait on for a change of the data of a [`Mutex`](super::Mutex).
///
/// It works as [`std::sync::Condvar`]. A handle can be cloned, and travels in fields of process classes, arguments,
/// outputs and messages.
///
/// When a process is killed, whatever it was doing, no notification of others is lost: one that was killed on its way out has taken
/// none, unless it had come as far as the mutex. A waiter can go on without a notification, though, as everywhere: wait by a predicate.
/// That the holder of the mutex died is told by the mutex, when the wait locks it again.
///
/// ```
/// use offspring::sync::{Condvar, Mutex};
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (jobs, come) = (Mutex::new(0_u32)?, Condvar::new()?);
///     let bring = |jobs: Mutex<u32>, come: Condvar| {
///         *jobs.lock().unwrap() += 1;
///         come.notify_one().unwrap();
///     };
///     offspring::spawn(bring, (jobs.clone(), come.clone()))?;
///     let mut waiting = come.wait_while(jobs.lock().unwrap(), |jobs| *jobs == 0).unwrap();
///     *waiting -= 1;
///     Ok(())
/// }
/// ```
#[doc(alias = "Condition")]
#[doc(alias = "pthread_cond_t")]
pub struct Condvar {
    page: Arc<Page<Bench>>,
}

handle!(Condvar, "Condvar");

/// Whether a wait ended because its time was over. The counterpart of [`std::sync::WaitTimeoutResult`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether it ended because its time was over.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// Makes a condition variable.
    ///
    /// # Errors
    /// When the system has no descriptor or no memory left.
    pub fn new() -> io::Result<Self> {
        let state = Waiters { come: 0, notified: 0, waiting: 0, permits: 0 };
        Ok(Self { page: Page::create("Condvar", |page: &Bench| page.begin(state))? })
    }

    /// Unlocks the mutex, waits for a notification, and locks the mutex again. No notification that is given after the
    /// mutex is unlocked is missed.
    ///
    /// # Errors
    /// Those of [`Mutex::lock`](super::Mutex::lock): also when the mutex is got, poisoned.
    pub fn wait<'a, T: Shareable>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_deadline(guard, None).map(|(guard, _)| guard).map_err(|error| error.map(|(guard, _)| guard))
    }

    /// As [`wait`](Self::wait), at most this long; locking the mutex again takes what it takes.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout<'a, T: Shareable>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        self.wait_deadline(guard, poller::deadline(Some(timeout)))
    }

    /// Waits while a condition holds.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), at the first wait that has one: the condition may hold still.
    #[doc(alias = "wait_for")]
    pub fn wait_while<'a, T: Shareable>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// Waits while a condition holds, at most this long. It has timed out only if the condition holds still.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), at the first wait that has one: the condition may hold still.
    #[doc(alias = "wait_for")]
    pub fn wait_timeout_while<'a, T: Shareable>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let deadline = poller::deadline(Some(timeout));
        let mut result = WaitTimeoutResult(false);
        while condition(&mut guard) {
            if result.timed_out() {
                return Ok((guard, result));
            }
            (guard, result) = self.wait_deadline(guard, deadline)?;
        }
        Ok((guard, WaitTimeoutResult(false)))
    }

    /// Locks a mutex, and waits while a condition holds, from asynchronous code on any executor: the mutex is unlocked meanwhile. While the
    /// condition holds, a thread waits for a notification in place of the task. What is true of the guard of
    /// [`Mutex::lock_async`] is true of this one.
    ///
    /// A future that is dropped gives up its wait, and takes no notification along.
    ///
    /// # Errors
    /// Those of [`Mutex::lock_async`], the first time that there is one: the condition may hold still.
    #[doc(alias = "wait_for")]
    pub async fn wait_while_async<'a, T: Shareable>(
        &self,
        mutex: &'a Mutex<T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        loop {
            let mut seat = {
                let mut guard = mutex.lock_async().await?;
                if !condition(&mut guard) {
                    return Ok(guard);
                }
                // Before the mutex is unlocked: no notification is missed from here on.
                let number = self.page.update_quietly(Waiters::come).map_err(LockError::System)?;
                Seat { condvar: self, number, is_taken: true }
            };
            seat.wait().await.map_err(LockError::System)?;
        }
    }

    /// Lets one go on, if somebody waits.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn notify_one(&self) -> io::Result<()> {
        self.notify(1)
    }

    /// Lets all go on who wait.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn notify_all(&self) -> io::Result<()> {
        self.notify(u32::MAX)
    }

    /// Lets this many go on, of those who wait: which ones is not said.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn notify(&self, count: u32) -> io::Result<()> {
        self.page.update(|waiters| waiters.notify(count))
    }

    fn wait_deadline<'a, T: Shareable>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let number = self.page.update_quietly(Waiters::come).map_err(LockError::System)?;
        let wait = || {
            self.page.wait_until(deadline, |waiters, turn| {
                if waiters.goes(number) {
                    Step::Done(true)
                } else if turn.timed_out {
                    waiters.leave();
                    Step::Done(false)
                } else {
                    Step::Wait { look: false }
                }
            })
        };
        let (locked, notified) = guard.unlocked(wait);
        let result = WaitTimeoutResult(notified.map_err(LockError::System)? == Some(false));
        match locked {
            Ok(guard) => Ok((guard, result)),
            Err(error) => Err(error.map(|guard| (guard, result))),
        }
    }
}

/// One that waits in a task. It gives up if it is dropped before it went on.
struct Seat<'a> {
    condvar: &'a Condvar,
    number: u64,
    is_taken: bool,
}

impl Seat<'_> {
    async fn wait(&mut self) -> io::Result<()> {
        let (condvar, number) = (self.condvar, self.number);
        let mut proxy = Proxy::default();
        let notified = std::future::poll_fn(|context| {
            let wait = || {
                let condvar = condvar.clone();
                move |until| !matches!(condvar.look_for_permit(number, until), Ok(None))
            };
            let take = || condvar.page.update_quietly(|waiters| waiters.goes(number).then_some(()));
            proxy.poll(context, take, wait)
        });
        let notified = notified.await;
        self.is_taken = notified.is_err();
        notified
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if self.is_taken {
            let _the_lock_is_broken = self.condvar.page.update(Waiters::leave);
        }
    }
}

impl Condvar {
    /// Waits until there is a permit, and leaves it there.
    fn look_for_permit(&self, number: u64, until: Instant) -> io::Result<Option<()>> {
        self.page.wait_until(Some(until), |waiters, _| {
            if waiters.may_go(number) { Step::Done(()) } else { Step::Wait { look: false } }
        })
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Waiters = Waiters { come: 0, notified: 0, waiting: 0, permits: 0 };

    #[test]
    fn who_comes_after_a_notification_does_not_take_it() {
        let mut state = EMPTY;
        state.notify(1);
        let first = state.come();
        assert!(!state.goes(first), "nobody waited");
        state.notify(1);
        let second = state.come();
        assert!(!state.goes(second));
        assert!(state.goes(first) && !state.goes(first));
        state.notify(1);
        assert!(state.goes(second));
        assert_eq!((state.waiting, state.permits), (0, 0));
    }

    #[test]
    fn as_many_go_on_as_were_notified() {
        let mut state = EMPTY;
        let numbers: Vec<_> = (0..5).map(|_| state.come()).collect();
        state.notify(2);
        assert_eq!(numbers.iter().filter(|number| state.goes(**number)).count(), 2);
        state.notify(u32::MAX);
        assert_eq!(numbers.iter().filter(|number| state.goes(**number)).count(), 3);
        assert_eq!((state.waiting, state.permits), (0, 0));
    }

    #[test]
    fn one_that_gives_up_or_is_killed_takes_no_permit_along() {
        let mut state = EMPTY;
        let (_killed, lives) = (state.come(), state.come());
        state.notify(1);
        assert!(state.goes(lives));
        let (lives, _gives_up) = (state.come(), state.come());
        state.leave();
        state.notify(1);
        assert!(state.goes(lives));
        assert!(state.permits <= state.waiting);
    }
}
