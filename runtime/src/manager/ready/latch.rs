//! Locks and conditions, at the server: who holds them, who waits, and what became of who did.

use std::collections::{HashMap, VecDeque};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::line::{Ended, Line, Party, WeakLine};
use crate::manager::{Caller, caller};

/// A lock, as the server sees it.
pub(super) struct Held {
    holder: Option<Holder>,
    poison: Option<News>,
    /// Those who wait at conditions until they are notified, by condition.
    asleep: HashMap<u64, VecDeque<u64>>,
    /// How many have slept so far.
    slept: u64,
}

struct Holder {
    owner: Owner,
    /// More than one where the owner has locked it again.
    claims: Vec<u64>,
    pid: u32,
}

/// Who may lock it again: a claim of a client's, or a thread.
#[derive(Clone, PartialEq, Eq)]
struct Owner {
    client: Option<Caller>,
    number: u64,
}

/// What became of a holder.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct News {
    pub(super) panicked: bool,
    pub(super) pid: u32,
}

/// What came of an attempt to lock.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Locked {
    No,
    Well,
    Poisoned(News),
}

impl Held {
    fn enter(&mut self, owner: &Owner, claim: u64, pid: u32) -> Option<Locked> {
        match &mut self.holder {
            None => self.holder = Some(Holder { owner: owner.clone(), claims: vec![claim], pid }),
            Some(holder) if holder.owner == *owner => holder.claims.push(claim),
            Some(_) => return None,
        }
        Some(self.locked())
    }

    fn locked(&self) -> Locked {
        self.poison.map_or(Locked::Well, Locked::Poisoned)
    }

    fn holder_by(&mut self, client: Option<&Caller>, claim: u64) -> Option<&mut Holder> {
        let holder = self.holder.as_mut()?;
        let is_it = holder.owner.client.as_ref() == client && holder.claims.contains(&claim);
        is_it.then_some(holder)
    }

    fn release(&mut self, client: Option<&Caller>, claim: u64, panicked: bool) {
        let Some(holder) = self.holder_by(client, claim) else { return };
        holder.claims.retain(|other| *other != claim);
        let (pid, is_free) = (holder.pid, holder.claims.is_empty());
        if panicked {
            self.poison = Some(News { panicked, pid });
        }
        if is_free {
            self.holder = None;
        }
    }

    fn is_asleep(&self, condition: u64, sleeper: u64) -> bool {
        self.asleep.get(&condition).is_some_and(|sleepers| sleepers.contains(&sleeper))
    }

    fn wake(&mut self, condition: u64, count: usize) {
        if let Some(sleepers) = self.asleep.get_mut(&condition) {
            sleepers.drain(..count.min(sleepers.len()));
        }
    }

    /// A sleeper wakes for another reason than that it was notified: whether it had been, too.
    fn rouse(&mut self, condition: u64, sleeper: u64) -> bool {
        let sleepers = self.asleep.entry(condition).or_default();
        let before = sleepers.len();
        sleepers.retain(|other| *other != sleeper);
        sleepers.len() == before
    }
}

impl Party for Held {
    fn gone(&mut self, client: &Caller) {
        if self.holder.as_ref().is_some_and(|holder| holder.owner.client.as_ref() == Some(client)) {
            self.poison = self.holder.take().map(|holder| News { panicked: false, pid: holder.pid });
        }
    }
}

/// The locks of this server, for the conditions that are bound to them.
static LOCKS: Mutex<Vec<(u64, WeakLine<Held>)>> = Mutex::new(Vec::new());

/// The service of locks and conditions. Of which sort one is, its parameter tells proxies.
pub(super) struct Latch<Sort> {
    line: Line<Held>,
    /// The lock, or the condition of it.
    number: u64,
    sort: PhantomData<fn() -> Sort>,
}

/// The sort of locks that are locked once.
pub(super) enum Plain {}
/// The sort of locks that a thread can lock again.
pub(super) enum Reentrant {}
/// The sort of conditions.
pub(super) enum Bound {}

fn fresh() -> u64 {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

impl<Sort: 'static> Latch<Sort> {
    /// A lock, free.
    pub(super) fn new() -> Self {
        let held = Held { holder: None, poison: None, asleep: HashMap::new(), slept: 0 };
        let (line, number) = (Line::new(held), fresh());
        let mut locks = LOCKS.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|(_, line)| line.upgrade().is_some());
        locks.push((number, line.downgrade()));
        Self { line, number, sort: PhantomData }
    }

    /// A condition of a lock of this server.
    pub(super) fn of(lock: u64) -> Self {
        let locks = LOCKS.lock().unwrap_or_else(PoisonError::into_inner);
        let line = locks.iter().find(|(number, _)| *number == lock).and_then(|(_, line)| line.upgrade());
        let line = line.expect("the lock of a condition is held by who makes it");
        Self { line, number: fresh(), sort: PhantomData }
    }
}

/// Locks of a manager.
#[crate::service(crate = crate)]
impl<Sort: 'static> Latch<Sort> {
    /// Lets go of what was claimed: see `claim::RELEASE`.
    pub fn release(&self, claim: u64, panicked: bool) {
        let client = caller();
        self.line.change(|held| held.release(client.as_ref(), claim, panicked));
    }

    /// For threads that lock it once a claim is its own owner.
    pub fn acquire(&self, owner: u64, claim: u64, pid: u32, limit: Option<Duration>) -> Locked {
        let owner = Owner { client: caller(), number: owner };
        let locked = self.line.wait(limit, move |held| held.enter(&owner, claim, pid), |_, _| {});
        locked.unwrap_or(Locked::No)
    }

    pub fn is_locked(&self) -> bool {
        self.line.look(|held| held.holder.is_some())
    }

    pub fn is_poisoned(&self) -> bool {
        self.line.look(|held| held.poison.is_some())
    }

    pub fn clear_poison(&self) {
        self.line.change(|held| held.poison = None);
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    /// Unlocks, sleeps until it is notified or the time is over, and locks again as it was: whether it was notified. The limit is for the sleep.
    pub fn sleep(&self, claim: u64, limit: Option<Duration>) -> (bool, Locked) {
        let (client, condition) = (caller(), self.number);
        let slept = self.line.change(|held| {
            held.holder_by(client.as_ref(), claim)?;
            let holder = held.holder.take()?;
            held.slept += 1;
            held.asleep.entry(condition).or_default().push_back(held.slept);
            Some((holder, held.slept))
        });
        let Some((holder, sleeper)) = slept else { return (false, Locked::No) };
        let woken = self.line.wait(
            limit,
            move |held| (!held.is_asleep(condition, sleeper)).then_some(()),
            move |held, why| {
                // What woke it in vain wakes another.
                if held.rouse(condition, sleeper) && why == Ended::Cancelled {
                    held.wake(condition, 1);
                }
            },
        );
        if woken == Err(Ended::Cancelled) {
            return (false, Locked::No);
        }
        let mut holder = Some(holder);
        let back = move |held: &mut Held| {
            if held.holder.is_none() {
                held.holder = holder.take();
                Some(held.locked())
            } else {
                None
            }
        };
        let notified = woken.is_ok();
        let locked = self.line.wait(None, back, move |held, _| {
            if notified {
                held.wake(condition, 1);
            }
        });
        (notified, locked.unwrap_or(Locked::No))
    }

    pub fn notify(&self, count: usize) {
        self.line.change(|held| held.wake(self.number, count));
    }
}
