//! Semaphores.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::claim::Claim;
use super::line::{Line, Party};
use super::wrapper;
use crate::manager::{CallError, Caller, Proxy, caller};

/// The permits of a semaphore.
struct Permits {
    free: u32,
    /// How many there may be free at most.
    limit: u32,
    /// The claims that hold one.
    held: Vec<(Option<Caller>, u64)>,
}

impl Permits {
    /// Takes a permit from who holds it: whether it did.
    fn disown(&mut self, client: Option<&Caller>, claim: u64) -> bool {
        let place = self.held.iter().position(|(holder, held)| holder.as_ref() == client && *held == claim);
        place.map(|place| self.held.swap_remove(place)).is_some()
    }

    /// Adds permits, if there is room for them.
    fn add(&mut self, count: u32) -> bool {
        let free = self.free.checked_add(count).filter(|free| *free <= self.limit);
        self.free = free.unwrap_or(self.free);
        free.is_some()
    }

    /// Takes permits back. Where others have added what they had not taken, there is no room for all.
    fn take_back(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.free = self.free.saturating_add(count).min(self.limit);
    }
}

impl Party for Permits {
    fn gone(&mut self, client: &Caller) {
        let before = self.held.len();
        self.held.retain(|(holder, _)| holder.as_ref() != Some(client));
        self.take_back(before - self.held.len());
    }
}

/// The service of semaphores.
pub(super) struct Counter(Line<Permits>);

impl Counter {
    pub(super) fn new(free: u32, is_bounded: bool) -> Self {
        let limit = if is_bounded { free } else { u32::MAX };
        Self(Line::new(Permits { free, limit, held: Vec::new() }))
    }
}

/// Semaphores of a manager.
#[crate::service(crate = crate)]
impl Counter {
    /// Gives back what was claimed: see `claim::RELEASE`.
    pub fn release(&self, claim: u64, _panicked: bool) {
        let client = caller();
        self.0.change(|permits| {
            if permits.disown(client.as_ref(), claim) {
                permits.take_back(1);
            }
        });
    }

    /// What was claimed is the client's for good: see `claim::KEEP`.
    pub fn keep(&self, claim: u64) {
        let client = caller();
        self.0.change(|permits| permits.disown(client.as_ref(), claim));
    }

    /// Whether there was one in time.
    pub fn acquire(&self, claim: u64, limit: Option<Duration>) -> bool {
        let client = caller();
        let take = move |permits: &mut Permits| {
            permits.free = permits.free.checked_sub(1)?;
            permits.held.push((client.clone(), claim));
            Some(())
        };
        self.0.wait(limit, take, |_, _| {}).is_ok()
    }

    /// How many there may be, if they are too many.
    pub fn add(&self, count: u32) -> Result<(), u32> {
        self.0.change(|permits| if permits.add(count) { Ok(()) } else { Err(permits.limit) })
    }

    pub fn value(&self) -> u32 {
        self.0.look(|permits| permits.free)
    }
}

/// A number of permits at a manager, which clients take and give back: made by [`Manager::semaphore`](crate::Manager::semaphore) or
/// [`Manager::bounded_semaphore`](crate::Manager::bounded_semaphore).
///
/// A [`Permit`] goes back when it is dropped, and at once when its process dies or is cut off. Permits are given in the order of coming.
/// They can also be taken for good, by [`Permit::forget`], and added from nowhere, by [`add_permits`](Self::add_permits): nobody owns those.
///
/// ```
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let seats = manager.bounded_semaphore(2)?;
///     let all = (seats.acquire()?, seats.acquire()?);
///     assert!(seats.try_acquire()?.is_none());
///     drop(all);
///     assert_eq!(seats.value()?, 2);
///     assert!(seats.add_permits(1).is_err(), "there are no more than two");
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Semaphore(pub(super) CounterProxy);

wrapper!(Semaphore, CounterProxy);

/// A [`Semaphore`] that has a most of free permits.
pub type BoundedSemaphore = Semaphore;

/// One of the permits of a [`Semaphore`], until drop, in whichever thread.
#[must_use = "dropping it gives the permit back"]
pub struct Permit(Claim);

/// Why permits were not added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddPermitsError {
    /// There would be more free than there may be. None was added.
    #[error("a semaphore of {limit} permits has no more: only give back what was taken")]
    TooMany {
        /// How many may be free.
        limit: u32,
    },
    /// The call did not get there or back.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl Semaphore {
    /// Takes a permit, waiting as long as it takes.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn acquire(&self) -> Result<Permit, CallError> {
        self.take(None)?.ok_or(CallError::Cancelled) // without a limit it only ends so when it is cancelled
    }

    /// Takes a permit, if one is free.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn try_acquire(&self) -> Result<Option<Permit>, CallError> {
        self.take(Some(Duration::ZERO))
    }

    /// Takes a permit, waiting at most this long: `None` when there was none all the time. Zero only tries.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Option<Permit>, CallError> {
        self.take(Some(timeout))
    }

    /// Adds permits, which nobody has taken or which were [forgotten](Permit::forget).
    ///
    /// # Errors
    /// [`TooMany`](AddPermitsError::TooMany) if there would be more free than there may be.
    #[doc(alias = "release")]
    pub fn add_permits(&self, count: u32) -> Result<(), AddPermitsError> {
        self.0.add(count)?.map_err(|limit| AddPermitsError::TooMany { limit })
    }

    /// How many permits are free at this moment.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "get_value")]
    pub fn value(&self) -> Result<u32, CallError> {
        self.0.value()
    }

    fn take(&self, limit: Option<Duration>) -> Result<Option<Permit>, CallError> {
        let claim = Claim::new(self.0.stub());
        if self.0.acquire(claim.number(), limit)? {
            return Ok(Some(Permit(claim)));
        }
        claim.forget();
        Ok(None)
    }
}

impl Permit {
    /// Takes the permit for good: it does not come back, neither by a drop nor by the death of the process.
    pub fn forget(self) {
        self.0.keep();
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit(..)")
    }
}
