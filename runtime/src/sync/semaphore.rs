//! The counting of permits.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::future::Proxy;
use super::monitor::{Monitor, Step};
use super::page::{Layout, Page, handle};
use super::roster::{self, PLACES, Roster, Shares};
use crate::sys::owner::Owner;
use crate::sys::shareable::shared_words;
use crate::sys::{own, poller};

shared_words! {
    /// The state of a semaphore.
    #[derive(Clone, Copy)]
    pub(crate) struct Permits {
        free: u32,
        /// How many there may be free at most.
        limit: u32,
        /// How many each process of the roster holds.
        held: Shares,
    }

    /// What lies in its page.
    pub(crate) struct Counter {
        monitor: Monitor<Permits>,
        roster: Roster,
    }
}

/// A permit was taken: for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    /// The place of the process in the roster, if there was one for it.
    place: Option<usize>,
}

impl Permits {
    /// Takes a permit, for a process that has a place in the roster, or for one that nobody will miss.
    fn take(&mut self, place: impl FnOnce(&Shares) -> Option<usize>) -> Option<Taken> {
        self.free = self.free.checked_sub(1)?;
        let place = place(&self.held);
        if let Some(place) = place {
            self.held[place] += 1;
        }
        Some(Taken { place })
    }

    /// Takes a permit out of what a process holds.
    fn disown(&mut self, place: Option<usize>) {
        if let Some(place) = place {
            self.held[place] = self.held[place].saturating_sub(1);
        }
    }

    /// Adds permits, if there is room for them.
    fn add(&mut self, count: u32) -> bool {
        let free = self.free.checked_add(count).filter(|free| *free <= self.limit);
        self.free = free.unwrap_or(self.free);
        free.is_some()
    }

    /// Takes back what a dead process held.
    fn take_back(&mut self, place: usize) {
        let held = std::mem::take(&mut self.held[place]);
        self.free = self.free.saturating_add(held).min(self.limit);
    }
}

impl Layout for Counter {
    fn is_held_by(&self, _: u64) -> bool {
        false // its lock is held by no guard
    }
}

/// A number of permits that threads of all processes take and give back.
///
/// A handle can be cloned, and travels in fields of process classes, arguments, outputs and messages.
///
/// A [`Permit`] goes back when it is dropped, and also when its process dies: who waits for a permit looks, after some
/// milliseconds and then at least four times a second, whether those that hold permits live, and takes back what dead ones held. So does
/// an attempt that would fail. The holders are known by their process, for up to 32 processes that hold permits at a time; what
/// further ones hold is lost with them. A permit can be dropped in another thread than it was taken in.
///
/// As with Python's semaphores, permits can also be taken for good, by [`Permit::forget`], and added from nowhere, by
/// [`add_permits`](Self::add_permits): nobody owns them, and they do not come back by themselves.
///
/// ```
/// use offspring::sync::Semaphore;
///
/// fn dies(seats: Semaphore) {
///     let _seat = seats.acquire().unwrap();
///     std::process::abort();
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let seats = Semaphore::bounded(2)?;
///     for _ in 0..3 {
///         offspring::spawn(dies, (seats.clone(),))?.join().unwrap_err();
///     }
///     let all = (seats.acquire()?, seats.acquire()?);
///     assert!(seats.try_acquire()?.is_none());
///     drop(all);
///     assert!(seats.add_permits(1).is_err(), "there are no more than two");
///     Ok(())
/// }
/// ```
#[doc(alias = "BoundedSemaphore")]
#[doc(alias = "sem_t")]
pub struct Semaphore {
    page: Arc<Page<Counter>>,
}

handle!(Semaphore, "Semaphore");

/// One of the permits of a [`Semaphore`], until drop.
#[must_use = "dropping it gives the permit back"]
pub struct Permit {
    page: Arc<Page<Counter>>,
    place: Option<usize>,
    /// A copy of the process, made by a fork, has not taken it.
    pid: u32,
}

/// Why permits were not added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddPermitsError {
    /// There would be more than there may be: somebody gives back what it has not taken.
    #[error("the semaphore would have more than {limit} free permits: each is given back once")]
    TooMany {
        /// How many there may be.
        limit: u32,
    },
    /// The system refused.
    #[error("the semaphore cannot be used: {0}")]
    System(#[from] io::Error),
}

impl Semaphore {
    /// Makes a semaphore with this many permits, to which more can be added.
    ///
    /// # Errors
    /// When the system has no descriptor or no memory left.
    pub fn new(permits: u32) -> io::Result<Self> {
        Self::with_limit(permits, u32::MAX)
    }

    /// Makes a semaphore with this many permits, which can never have more of them free. To give back too many is an error.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn bounded(permits: u32) -> io::Result<Self> {
        Self::with_limit(permits, permits)
    }

    fn with_limit(free: u32, limit: u32) -> io::Result<Self> {
        let state = Permits { free, limit, held: [0; PLACES] };
        Ok(Self { page: Page::create("Semaphore", |page: &Counter| page.monitor.begin(state))? })
    }

    /// Takes a permit, waiting as long as it takes.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub fn acquire(&self) -> io::Result<Permit> {
        self.take(None)?.ok_or_else(|| io::ErrorKind::TimedOut.into()) // without a deadline none passes
    }

    /// Takes a permit if there is one.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn try_acquire(&self) -> io::Result<Option<Permit>> {
        self.take(Some(Instant::now()))
    }

    /// Takes a permit, waiting at most this long: `None` if there was none.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub fn acquire_timeout(&self, timeout: Duration) -> io::Result<Option<Permit>> {
        self.take(poller::deadline(Some(timeout)))
    }

    /// Takes a permit, from asynchronous code on any executor. While there is none, a thread waits for one in place of the task.
    ///
    /// # Errors
    /// When the system refuses to wait, or no thread can be started.
    pub async fn acquire_async(&self) -> io::Result<Permit> {
        let mut proxy = Proxy::default();
        let permit = std::future::poll_fn(|context| {
            let wait = || {
                let semaphore = self.clone();
                move |until| !matches!(semaphore.take(Some(until)), Ok(None))
            };
            proxy.poll(context, || self.try_acquire(), wait)
        });
        permit.await
    }

    /// Adds permits, which nobody has taken or which were [forgotten](Permit::forget).
    ///
    /// # Errors
    /// [`TooMany`](AddPermitsError::TooMany) if there would be more free than there may be: none is added then.
    #[doc(alias = "release")]
    pub fn add_permits(&self, count: u32) -> Result<(), AddPermitsError> {
        let added = self.page.monitor.update(|permits| {
            let limit = permits.limit;
            if permits.add(count) { Ok(()) } else { Err(AddPermitsError::TooMany { limit }) }
        });
        added?
    }

    /// How many permits are free at this moment.
    ///
    /// # Errors
    /// When the system refuses.
    #[doc(alias = "get_value")]
    pub fn value(&self) -> io::Result<u32> {
        Ok(self.page.monitor.state()?.free)
    }

    fn take(&self, deadline: Option<Instant>) -> io::Result<Option<Permit>> {
        let (me, roster) = (Owner::me(), &self.page.roster);
        let taken = self.page.monitor.wait_until(deadline, |permits, turn| {
            let mut others_can_go_on = false;
            if turn.look || turn.timed_out {
                let held = permits.held;
                for place in roster::dead(roster, &held, me) {
                    permits.take_back(place);
                    others_can_go_on = true;
                }
            }
            match permits.take(|held| roster::place(roster, held, me)) {
                Some(taken) if others_can_go_on => Step::Tell(taken),
                Some(taken) => Step::Done(taken),
                None => Step::Wait { look: permits.held.iter().any(|held| *held != 0) },
            }
        })?;
        let page = || Arc::clone(&self.page);
        Ok(taken.map(|Taken { place }| Permit { page: page(), place, pid: own::pid() }))
    }
}

impl Permit {
    /// Takes the permit for good: it does not come back, neither by a drop nor by the death of the process.
    pub fn forget(self) {
        if self.pid == own::pid() {
            let _the_lock_is_broken = self.page.monitor.update_quietly(|permits| permits.disown(self.place));
        }
        // What the drop would give back is no longer this permit's.
        let mut this = self;
        this.pid = 0;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.pid == own::pid() {
            let _the_lock_is_broken = self.page.monitor.update(|permits| {
                permits.disown(self.place);
                // Where others have added what they had not taken, there is no room for it.
                let _too_many = permits.add(1);
            });
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Semaphore");
        if let Ok(permits) = self.page.monitor.state() {
            debug.field("free", &permits.free);
            if permits.limit != u32::MAX {
                debug.field("limit", &permits.limit);
            }
        }
        debug.finish_non_exhaustive()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(free: u32, limit: u32) -> Permits {
        Permits { free, limit, held: [0; PLACES] }
    }

    #[test]
    fn what_is_taken_is_held_until_it_goes_back() {
        let mut state = permits(2, 2);
        assert_eq!(state.take(|_| Some(3)), Some(Taken { place: Some(3) }));
        let again = state.take(|held| (held[3] == 1).then_some(3));
        assert_eq!(again, Some(Taken { place: Some(3) }));
        assert_eq!((state.free, state.held[3]), (0, 2));
        assert_eq!(state.take(|_| Some(3)), None);
        state.disown(Some(3));
        assert!(state.add(1));
        assert_eq!((state.free, state.held[3]), (1, 1));
    }

    #[test]
    fn a_dead_process_gives_back_all_that_it_held_and_no_more_than_fits() {
        let mut state = permits(3, 3);
        (0..3).for_each(|_| assert!(state.take(|_| Some(0)).is_some()));
        state.take_back(0);
        assert_eq!((state.free, state.held[0]), (3, 0));
        state.held[1] = 2;
        state.take_back(1);
        assert_eq!(state.free, 3);
    }

    #[test]
    fn a_bounded_one_refuses_what_does_not_fit_and_keeps_what_it_has() {
        let mut state = permits(1, 2);
        assert!(!state.add(2) && state.free == 1);
        assert!(state.add(1) && state.free == 2);
        let mut state = permits(u32::MAX - 1, u32::MAX);
        assert!(!state.add(2) && state.add(1));
    }
}
