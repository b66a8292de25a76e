//! The meeting of a number of parties.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::future::Proxy;
use super::monitor::{Monitor, Step};
use super::page::{Layout, Page, handle};
use super::roster::{self, PLACES, Roster, Shares};
use crate::sys::owner::Owner;
use crate::sys::poller;
use crate::sys::shareable::shared_words;

shared_words! {
    /// The state of a barrier. It goes through **rounds**; each ends well, or broken.
    #[derive(Clone, Copy)]
    pub(crate) struct Meeting {
        /// The number of the round that is on.
        round: u64,
        /// How the rounds before ended, the last one in the lowest bit: set if broken.
        broken_rounds: u64,
        parties: u32,
        /// How many have come to this round.
        come: u32,
        /// Not zero while the last one who came runs the action.
        acting: u32,
        /// Not zero until somebody resets it.
        broken: u32,
        /// How many each process of the roster has come with.
        here: Shares,
    }

    /// What lies in its page.
    pub(crate) struct Place {
        monitor: Monitor<Meeting>,
        roster: Roster,
    }
}

/// What becomes of one that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    /// The barrier is broken.
    Broken,
    /// All have come to this round, and its action runs.
    Full,
    /// It is the n-th of this round.
    Nth(u32),
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NotYet,
    Well,
    Broken,
}

impl Meeting {
    fn new(parties: u32) -> Self {
        Self { round: 0, broken_rounds: 0, parties, come: 0, acting: 0, broken: 0, here: [0; PLACES] }
    }

    /// One comes; the last one ends the round, or begins the action if there is one.
    fn arrive(&mut self, place: impl FnOnce(&Shares) -> Option<usize>, has_action: bool) -> Arrival {
        if self.broken != 0 {
            return Arrival::Broken;
        }
        if self.acting != 0 {
            return Arrival::Full;
        }
        let index = self.come;
        self.come += 1;
        if let Some(place) = place(&self.here) {
            self.here[place] += 1;
        }
        if self.come == self.parties {
            if has_action {
                self.acting = 1;
            } else {
                self.end(End::Well);
            }
        }
        Arrival::Nth(index)
    }

    /// Ends the round that is on.
    fn end(&mut self, how: End) {
        self.broken_rounds = (self.broken_rounds << 1) | u64::from(how == End::Broken);
        self.round += 1;
        (self.come, self.acting, self.here) = (0, 0, [0; PLACES]);
    }

    /// The action of a round has run: how the round ended.
    fn finish(&mut self, round: u64) -> End {
        if self.round == round {
            self.end(End::Well);
        }
        self.outcome(round)
    }

    /// Breaks it, if this round is still on, or whatever is on.
    fn break_up(&mut self, round: Option<u64>) {
        if round.is_none_or(|round| round == self.round) {
            self.end(End::Broken);
            self.broken = 1;
        }
    }

    /// Makes it as new; who waits is told that the round is broken.
    fn reset(&mut self) {
        if self.come > 0 {
            self.end(End::Broken);
        }
        self.broken = 0;
    }

    fn outcome(&self, round: u64) -> End {
        match self.round.wrapping_sub(round) {
            0 => End::NotYet,
            rounds @ 1..=64 if (self.broken_rounds >> (rounds - 1)) & 1 == 0 => End::Well,
            _ => End::Broken, // or so long ago that nobody knows
        }
    }
}

impl Layout for Place {
    fn is_held_by(&self, _: u64) -> bool {
        false // its lock is held by no guard
    }
}

/// Where a number of threads of all processes wait for each other.
///
/// It works as Python's `Barrier`, and as [`std::sync::Barrier`] as far as that goes. A handle can be cloned, and travels in fields
/// of process classes, arguments, outputs and messages.
///
/// It breaks, and all who wait get [`BarrierError::Broken`], when one of them gives up after its timeout, when the process of one that
/// has come dies (the others look after some milliseconds, and then four times a second), when an action panics, and by
/// [`abort`](Self::abort). It stays broken until [`reset`](Self::reset). Of one that dies before it comes, nobody
/// knows: give a timeout. Processes of those who wait are known for up to 32 at a time.
///
/// ```
/// use offspring::sync::Barrier;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let start = Barrier::new(3)?;
///     let meet = |start: Barrier| start.wait().unwrap().index();
///     let others = [(); 2].map(|()| offspring::spawn(meet, (start.clone(),)));
///     let mut all = vec![start.wait()?.index()];
///     for other in others {
///         all.push(other?.join()?);
///     }
///     all.sort();
///     assert_eq!(all, [0, 1, 2]);
///     Ok(())
/// }
/// ```
#[doc(alias = "pthread_barrier_t")]
pub struct Barrier {
    page: Arc<Page<Place>>,
}

handle!(Barrier, "Barrier");

/// All have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    index: u32,
    leader: bool,
}

impl BarrierWaitResult {
    /// As the how manieth this one came, from 0: each has another.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Whether this one came last: that is so for one.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.leader
    }
}

/// Why the others were not met.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BarrierError {
    /// The barrier is broken: another one gave up, died, or aborted it, its action panicked, or somebody reset it.
    #[error("the barrier is broken: reset it when all know")]
    Broken,
    /// The others did not come in time, and so the barrier is broken.
    #[error("the others did not come to the barrier in time: it is broken now")]
    TimedOut,
    /// The system refused.
    #[error("the barrier cannot be used: {0}")]
    System(#[from] io::Error),
}

impl Barrier {
    /// Makes a barrier for this many parties.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for none; when the system has no descriptor or no memory left.
    pub fn new(parties: u32) -> io::Result<Self> {
        if parties == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a barrier is for one party at least"));
        }
        let state = Meeting::new(parties);
        Ok(Self { page: Page::create("Barrier", |page: &Place| page.monitor.begin(state))? })
    }

    /// Waits until all have come.
    ///
    /// # Errors
    /// [`Broken`](BarrierError::Broken) when it is or gets broken.
    pub fn wait(&self) -> Result<BarrierWaitResult, BarrierError> {
        self.meet(None, None::<fn()>)
    }

    /// Waits until all have come, at most this long; after that it is broken for all.
    ///
    /// # Errors
    /// [`TimedOut`](BarrierError::TimedOut); [`Broken`](BarrierError::Broken) when it is or gets broken by others.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<BarrierWaitResult, BarrierError> {
        self.meet(poller::deadline(Some(timeout)), None::<fn()>)
    }

    /// Waits until all have come; if this one is the last, it runs the action before anybody goes on. So that it is run whoever is last, all
    /// give one.
    ///
    /// # Errors
    /// [`Broken`](BarrierError::Broken) when it is or gets broken.
    ///
    /// # Panics
    /// When the action does: then the barrier is broken.
    pub fn wait_with(&self, action: impl FnOnce()) -> Result<BarrierWaitResult, BarrierError> {
        self.meet(None, Some(action))
    }

    /// As [`wait_with`](Self::wait_with), at most this long; after that it is broken for all. The time of an action counts.
    ///
    /// # Errors
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Panics
    /// When the action does: then the barrier is broken.
    pub fn wait_timeout_with(
        &self,
        timeout: Duration,
        action: impl FnOnce(),
    ) -> Result<BarrierWaitResult, BarrierError> {
        self.meet(poller::deadline(Some(timeout)), Some(action))
    }

    /// Breaks it: all who wait, and all who come, are told.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn abort(&self) -> io::Result<()> {
        self.page.monitor.update(|meeting| meeting.break_up(None))
    }

    /// Makes it as new. Those who wait are told that it is broken, those who come from now on meet.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn reset(&self) -> io::Result<()> {
        self.page.monitor.update(Meeting::reset)
    }

    /// Whether it is broken.
    ///
    /// # Errors
    /// When the system refuses.
    #[doc(alias = "broken")]
    pub fn is_broken(&self) -> io::Result<bool> {
        Ok(self.page.monitor.state()?.broken != 0)
    }

    /// How many it is for.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn parties(&self) -> io::Result<u32> {
        Ok(self.page.monitor.state()?.parties)
    }

    /// How many wait.
    ///
    /// # Errors
    /// When the system refuses.
    #[doc(alias = "n_waiting")]
    pub fn waiting(&self) -> io::Result<u32> {
        Ok(self.page.monitor.state()?.come)
    }

    /// Waits until all have come, from asynchronous code on any executor. Until then a thread waits in place of the task.
    ///
    /// A future that is dropped when it has come, and before all others have, breaks the barrier, as a timeout does.
    ///
    /// # Errors
    /// [`Broken`](BarrierError::Broken) when it is or gets broken; [`System`](BarrierError::System) also when no thread can be started.
    pub async fn wait_async(&self) -> Result<BarrierWaitResult, BarrierError> {
        let mut proxy = Proxy::default();
        let arrived = std::future::poll_fn(|context| {
            let wait = || {
                let barrier = self.clone();
                move |until| !matches!(barrier.wait_for_round(until), Ok(None))
            };
            proxy.poll(context, || self.arrive(Some(Instant::now()), false), wait)
        });
        let Arrived { round, met } = arrived.await??;
        let mut giving_up = GivingUp { barrier: self, round: Some(round) };
        let ended = std::future::poll_fn(|context| {
            let wait = || {
                let barrier = self.clone();
                move |until| !matches!(barrier.wait_for_end(round, until), Ok(None))
            };
            proxy.poll(context, || self.wait_for_end(round, Instant::now()), wait)
        });
        let ended = ended.await?;
        giving_up.round = None;
        if ended == End::Well { Ok(met) } else { Err(BarrierError::Broken) }
    }

    fn meet(
        &self,
        deadline: Option<Instant>,
        action: Option<impl FnOnce()>,
    ) -> Result<BarrierWaitResult, BarrierError> {
        let (me, Place { monitor, roster }) = (Owner::me(), &**self.page);
        let arrived = self.arrive(deadline, action.is_some())?;
        let Arrived { round, met } = arrived.unwrap_or(Err(BarrierError::TimedOut))?;
        if let (true, Some(action)) = (met.leader, action) {
            let acting = GivingUp { barrier: self, round: Some(round) };
            action();
            std::mem::forget(acting);
            return match monitor.update(|meeting| meeting.finish(round))? {
                End::Well => Ok(met),
                End::Broken | End::NotYet => Err(BarrierError::Broken),
            };
        }
        let outcome = monitor.wait_until(deadline, |meeting, turn| match meeting.outcome(round) {
            End::Well => Step::Done(Ok(met)),
            End::Broken => Step::Done(Err(BarrierError::Broken)),
            End::NotYet if turn.timed_out => {
                meeting.break_up(Some(round));
                Step::Tell(Err(BarrierError::TimedOut))
            }
            End::NotYet if turn.look && round_is_dead(meeting, roster, me) => {
                meeting.break_up(Some(round));
                Step::Tell(Err(BarrierError::Broken))
            }
            End::NotYet => Step::Wait { look: true },
        })?;
        outcome.unwrap_or(Err(BarrierError::TimedOut))
    }

    /// Comes to a round, if need be to the next one: `None` when it did not come to that.
    fn arrive(
        &self,
        deadline: Option<Instant>,
        has_action: bool,
    ) -> io::Result<Option<Result<Arrived, BarrierError>>> {
        let (me, Place { monitor, roster }) = (Owner::me(), &**self.page);
        monitor.wait_until(deadline, |meeting, turn| {
            let round = meeting.round;
            if turn.look && round_is_dead(meeting, roster, me) {
                meeting.break_up(None);
            }
            let arrived = |index, leader| Ok(Arrived { round, met: BarrierWaitResult { index, leader } });
            match meeting.arrive(|here| roster::place(roster, here, me), has_action) {
                Arrival::Full => Step::Wait { look: true },
                Arrival::Broken => Step::Tell(Err(BarrierError::Broken)),
                Arrival::Nth(index) if meeting.round != round => Step::Tell(arrived(index, true)),
                Arrival::Nth(index) => Step::Done(arrived(index, meeting.acting != 0)),
            }
        })
    }

    /// Waits until one can come: `None` when the action of a round runs all the time.
    fn wait_for_round(&self, until: Instant) -> io::Result<Option<()>> {
        self.watch(until, |meeting| (meeting.broken != 0 || meeting.acting == 0).then_some(()))
    }

    /// Waits until a round has ended: how.
    fn wait_for_end(&self, round: u64, until: Instant) -> io::Result<Option<End>> {
        self.watch(until, |meeting| Some(meeting.outcome(round)).filter(|end| *end != End::NotYet))
    }

    /// Waits until something is so, and changes nothing, unless one of those who have come is dead.
    fn watch<R>(
        &self,
        until: Instant,
        mut is_so: impl FnMut(&Meeting) -> Option<R>,
    ) -> io::Result<Option<R>> {
        let (me, Place { monitor, roster }) = (Owner::me(), &**self.page);
        monitor.wait_until(Some(until), |meeting, turn| {
            if let Some(result) = is_so(meeting) {
                return Step::Done(result);
            }
            if turn.look && round_is_dead(meeting, roster, me) {
                meeting.break_up(None);
                if let Some(result) = is_so(meeting) {
                    return Step::Tell(result);
                }
            }
            Step::Wait { look: true }
        })
    }
}

/// One has come.
#[derive(Clone, Copy, Debug)]
struct Arrived {
    round: u64,
    met: BarrierWaitResult,
}

/// Whether one that has come is dead.
fn round_is_dead(meeting: &Meeting, roster: &Roster, me: Owner) -> bool {
    roster::dead(roster, &meeting.here, me).next().is_some()
}

/// The barrier breaks when this is dropped: the action of a round runs and may panic, a task waits and may be given up.
struct GivingUp<'a> {
    barrier: &'a Barrier,
    /// `None` when the round is over.
    round: Option<u64>,
}

impl Drop for GivingUp<'_> {
    fn drop(&mut self) {
        if self.round.is_some() {
            let _the_lock_is_broken =
                self.barrier.page.monitor.update(|meeting| meeting.break_up(self.round));
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Barrier");
        if let Ok(meeting) = self.page.monitor.state() {
            debug.field("parties", &meeting.parties);
            debug.field("waiting", &meeting.come);
            debug.field("broken", &(meeting.broken != 0));
        }
        debug.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(meeting: &mut Meeting, has_action: bool) -> Arrival {
        meeting.arrive(|_| Some(0), has_action)
    }

    #[test]
    fn each_round_has_its_own_indices_and_ends_with_the_last() {
        let mut meeting = Meeting::new(2);
        for round in 0..100 {
            assert_eq!(arrive(&mut meeting, false), Arrival::Nth(0));
            assert_eq!(meeting.outcome(round), End::NotYet);
            assert_eq!(arrive(&mut meeting, false), Arrival::Nth(1));
            assert_eq!(meeting.outcome(round), End::Well);
        }
    }

    #[test]
    fn nobody_comes_while_the_action_runs() {
        let mut meeting = Meeting::new(1);
        assert_eq!(arrive(&mut meeting, true), Arrival::Nth(0));
        assert_eq!((meeting.outcome(0), meeting.acting), (End::NotYet, 1));
        assert_eq!(arrive(&mut meeting, true), Arrival::Full);
        assert_eq!(meeting.finish(0), End::Well);
        assert_eq!(arrive(&mut meeting, false), Arrival::Nth(0));
    }

    #[test]
    fn each_round_remembers_how_it_ended_through_later_ones() {
        let mut meeting = Meeting::new(2);
        arrive(&mut meeting, false);
        meeting.reset(); // round 0
        arrive(&mut meeting, false);
        arrive(&mut meeting, false); // round 1
        arrive(&mut meeting, false);
        meeting.break_up(Some(1)); // too late
        assert_eq!(meeting.outcome(2), End::NotYet);
        meeting.break_up(Some(2));
        assert_eq!(arrive(&mut meeting, false), Arrival::Broken);
        meeting.reset();
        assert_eq!([0, 1, 2].map(|round| meeting.outcome(round)), [End::Broken, End::Well, End::Broken]);
        assert_eq!(arrive(&mut meeting, false), Arrival::Nth(0));
    }

    #[test]
    fn an_action_that_was_given_up_ends_broken() {
        let mut meeting = Meeting::new(1);
        arrive(&mut meeting, true);
        meeting.break_up(None);
        assert_eq!(meeting.finish(0), End::Broken);
    }
}
