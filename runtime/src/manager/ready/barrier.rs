//! Barriers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::line::{Line, Party};
use super::wrapper;
use crate::manager::{CallError, Caller, caller};

/// The parties of a barrier.
struct Meeting {
    parties: u32,
    /// Those that have come to the round that is on.
    here: Vec<u64>,
    /// How many have ever come.
    came: u64,
    round: u64,
    /// The last round that broke.
    failed: Option<u64>,
    is_broken: bool,
    /// Whose action is running, while all others wait.
    acting: Option<Actor>,
}

/// Whose action it is.
#[derive(Clone, PartialEq)]
struct Actor(Option<Caller>);

/// What came of waiting.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Met {
    /// All have come.
    Well(u32),
    /// All have come, and wait until the action of this one is done.
    Act(u32, u64),
    Broken,
    TimedOut,
}

impl Meeting {
    fn end(&mut self) {
        self.round += 1;
        self.here.clear();
        self.acting = None;
    }

    fn fail(&mut self) {
        self.failed = Some(self.round);
        self.end();
    }

    fn break_up(&mut self) {
        self.fail();
        self.is_broken = true;
    }

    /// What there is for one who comes, or has come as which of which round.
    fn meet(&mut self, me: u64, come: &mut Option<(u64, u32)>, acts: Option<&Actor>) -> Option<Met> {
        if let Some((round, index)) = *come {
            // When a round ends all its parties are told before anything else happens.
            let met = if self.failed == Some(round) { Met::Broken } else { Met::Well(index) };
            return (self.round != round).then_some(met);
        }
        if self.is_broken {
            return Some(Met::Broken);
        }
        if self.acting.is_some() {
            return None;
        }
        let index = u32::try_from(self.here.len()).unwrap_or(u32::MAX);
        if index + 1 < self.parties {
            self.here.push(me);
            *come = Some((self.round, index));
            return None;
        }
        match acts {
            Some(actor) => self.acting = Some(actor.clone()),
            None => self.end(),
        }
        Some(if acts.is_some() { Met::Act(index, self.round) } else { Met::Well(index) })
    }
}

impl Party for Meeting {
    fn gone(&mut self, client: &Caller) {
        if self.acting == Some(Actor(Some(client.clone()))) {
            self.break_up();
        }
    }
}

/// The service of barriers.
pub(super) struct Gate(Line<Meeting>);

impl Gate {
    pub(super) fn new(parties: u32) -> Self {
        let (here, came, round, failed, is_broken, acting) = Default::default();
        Self(Line::new(Meeting { parties, here, came, round, failed, is_broken, acting }))
    }
}

/// Barriers of a manager.
#[crate::service(crate = crate)]
impl Gate {
    pub fn wait(&self, limit: Option<Duration>, acts: bool) -> Met {
        let acts = acts.then(|| Actor(caller()));
        let me = self.0.change(|meeting| {
            meeting.came += 1;
            meeting.came
        });
        let mut come = None;
        let meet = move |meeting: &mut Meeting| meeting.meet(me, &mut come, acts.as_ref());
        let outcome = self.0.wait(limit, meet, move |meeting, _| {
            if meeting.here.contains(&me) {
                meeting.break_up();
            }
        });
        outcome.unwrap_or(Met::TimedOut)
    }

    /// The action of a round is over.
    pub fn finish(&self, round: u64, well: bool) {
        self.0.change(|meeting| {
            if meeting.round == round && meeting.acting.is_some() {
                if well { meeting.end() } else { meeting.break_up() }
            }
        });
    }

    pub fn abort(&self) {
        self.0.change(Meeting::break_up);
    }

    pub fn reset(&self) {
        self.0.change(|meeting| {
            if !meeting.here.is_empty() || meeting.acting.is_some() {
                meeting.fail();
            }
            meeting.is_broken = false;
        });
    }

    pub fn is_broken(&self) -> bool {
        self.0.look(|meeting| meeting.is_broken)
    }

    pub fn parties(&self) -> u32 {
        self.0.look(|meeting| meeting.parties)
    }

    pub fn waiting(&self) -> usize {
        self.0.look(|meeting| meeting.here.len())
    }
}

/// Where a number of clients of a manager wait for each other: made by [`Manager::barrier`](crate::Manager::barrier).
///
/// It breaks, and all who wait get [`BarrierError::Broken`], when one of them gives up after its timeout, at once when one that has come dies or
/// is cut off, when an action panics, and by [`abort`](Self::abort). It stays broken until [`reset`](Self::reset). Of one that
/// dies before it comes, nobody knows: give a timeout.
///
/// ```
/// use offspring::manager::Barrier;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let start = manager.barrier(3)?;
///     let meet = |start: Barrier| start.wait().unwrap();
///     let others = [(); 2].map(|()| offspring::spawn(meet, (start.clone(),)));
///     let mut all = vec![start.wait()?];
///     for other in others {
///         all.push(other?.join()?);
///     }
///     all.sort();
///     assert_eq!(all, [0, 1, 2]);
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Barrier(pub(super) GateProxy);

wrapper!(Barrier, GateProxy);

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
    /// The call did not get there or back. If it got there, the barrier is broken.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// The action of a round, which is done well when this says so before it is dropped.
struct Acting<'a> {
    barrier: &'a GateProxy,
    round: u64,
    over: bool,
}

impl Drop for Acting<'_> {
    fn drop(&mut self) {
        if !self.over {
            let _it_is_broken_anyway = self.barrier.finish(self.round, false);
        }
    }
}

impl Barrier {
    /// Waits until all have come: as the how manieth this one came, from 0. Each has another number.
    ///
    /// # Errors
    /// [`Broken`](BarrierError::Broken) when it is or gets broken.
    pub fn wait(&self) -> Result<u32, BarrierError> {
        self.meet(None, None::<fn()>)
    }

    /// Waits until all have come, at most this long; after that it is broken for all.
    ///
    /// # Errors
    /// [`TimedOut`](BarrierError::TimedOut); [`Broken`](BarrierError::Broken) when it is or gets broken by others.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<u32, BarrierError> {
        self.meet(Some(timeout), None::<fn()>)
    }

    /// Waits until all have come. Who comes last does what it has brought, here, before all go on.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// When the action does. The barrier is broken then.
    #[doc(alias = "action")]
    pub fn wait_with(&self, action: impl FnOnce()) -> Result<u32, BarrierError> {
        self.meet(None, Some(action))
    }

    /// Breaks it: who waits, and who comes, gets [`Broken`](BarrierError::Broken).
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn abort(&self) -> Result<(), CallError> {
        self.0.abort()
    }

    /// Makes it as new. Who waits gets [`Broken`](BarrierError::Broken).
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn reset(&self) -> Result<(), CallError> {
        self.0.reset()
    }

    /// Whether it is broken.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "broken")]
    pub fn is_broken(&self) -> Result<bool, CallError> {
        self.0.is_broken()
    }

    /// For how many it is.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn parties(&self) -> Result<u32, CallError> {
        self.0.parties()
    }

    /// How many wait at this moment.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "n_waiting")]
    pub fn waiting(&self) -> Result<usize, CallError> {
        self.0.waiting()
    }

    fn meet(&self, limit: Option<Duration>, action: Option<impl FnOnce()>) -> Result<u32, BarrierError> {
        match self.0.wait(limit, action.is_some())? {
            Met::Well(index) => Ok(index),
            Met::Act(index, round) => {
                let mut acting = Acting { barrier: &self.0, round, over: false };
                if let Some(action) = action {
                    action();
                }
                acting.over = true;
                self.0.finish(round, true)?;
                Ok(index)
            }
            Met::Broken => Err(BarrierError::Broken),
            Met::TimedOut => Err(BarrierError::TimedOut),
        }
    }
}
