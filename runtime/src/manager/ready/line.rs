//! What those wait at who want something of an object: a state, and a line of waiters, at the server.
//!
//! A waiter has a **claim**: a closure that takes what it wants out of the state, or finds that it is not there. After each change of the state
//! the claims are tried in the order in which they came, by whoever made the change: so what is let go is handed to who has waited longest,
//! without a moment in which another could take it, and nobody is woken in vain. While nothing changes no claim that waits can be met. So who comes
//! and finds what it wants is before nobody.
//!
//! A wait ends also when its time is over, when its call is cancelled, and when its client is gone. The claim is then **withdrawn**:
//! nothing is handed to those who wait no longer. Whether a wait was successful or withdrawn is decided under one lock.
//!
//! What somebody has got and holds is noted in the state, with the client. When that is gone the state [learns of it](Party::gone).

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::manager::caller::{Caller, GoneHook, Occasion, call, caller, is_cancelled, when_cancelled};
use crate::sys::poller;

/// A state of which clients hold parts.
pub(super) trait Party: Send + 'static {
    /// A client is gone: what it holds is to be taken from it.
    fn gone(&mut self, client: &Caller);
}

/// Why a wait has ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The time was over.
    TimedOut,
    /// Nobody wants to know any more.
    Cancelled,
}

/// A state, and those who wait for something of it. Clones are of the same.
pub(super) struct Line<S>(Arc<Mutex<Hall<S>>>);

struct Hall<S> {
    state: S,
    waiting: BTreeMap<u64, Box<dyn Waiting<S>>>,
    /// How many have waited so far.
    came: u64,
    /// The clients that may hold something: all that have waited, and are not gone.
    clients: HashMap<Caller, Option<GoneHook>>,
}

/// Who waits.
trait Waiting<S>: Send {
    fn client(&self) -> Option<&Caller>;
    /// Whether nobody wants to know any more.
    fn is_cancelled(&self) -> bool;
    /// Whether it has got what it wants.
    fn is_served(&mut self, state: &mut S) -> bool;
    fn end(&mut self, state: &mut S, why: Ended);
}

struct Waiter<R, C, W> {
    client: Option<Caller>,
    call: Option<Arc<Occasion>>,
    claim: C,
    withdraw: Option<W>,
    place: Arc<Place<R>>,
}

/// Where a thread sleeps, and finds what came of it.
struct Place<R> {
    outcome: Mutex<Option<Result<R, Ended>>>,
    told: Condvar,
}

impl<R> Place<R> {
    fn lock(&self) -> MutexGuard<'_, Option<Result<R, Ended>>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, outcome: Result<R, Ended>) {
        *self.lock() = Some(outcome);
        self.told.notify_one();
    }

    /// Sleeps until it is told, or the time is over.
    fn sleep(&self, deadline: Option<Instant>) -> Option<Result<R, Ended>> {
        let mut outcome = self.lock();
        loop {
            if outcome.is_some() {
                return outcome.take();
            }
            outcome = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.told.wait(outcome).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return None,
                Some(left) => self.told.wait_timeout(outcome, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

impl<S, R, C, W> Waiting<S> for Waiter<R, C, W>
where
    R: Send,
    C: FnMut(&mut S) -> Option<R> + Send,
    W: FnOnce(&mut S, Ended) + Send,
{
    fn client(&self) -> Option<&Caller> {
        self.client.as_ref()
    }

    fn is_cancelled(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.has_happened())
    }

    fn is_served(&mut self, state: &mut S) -> bool {
        let got = (self.claim)(state);
        let is_served = got.is_some();
        if let Some(got) = got {
            self.place.tell(Ok(got));
        }
        is_served
    }

    fn end(&mut self, state: &mut S, why: Ended) {
        if let Some(withdraw) = self.withdraw.take() {
            withdraw(state, why);
        }
        self.place.tell(Err(why));
    }
}

impl<S: Party> Hall<S> {
    /// Hands out what can be had.
    fn serve(&mut self) {
        let mut before = usize::MAX;
        // What one takes may be what makes room for another.
        while self.waiting.len() < before {
            before = self.waiting.len();
            let state = &mut self.state;
            self.waiting.retain(|_, waiting| {
                // Its hook may not have run yet, and what its client says next may be done already.
                if waiting.is_cancelled() {
                    waiting.end(state, Ended::Cancelled);
                    return false;
                }
                !waiting.is_served(state)
            });
        }
    }

    fn withdraw(&mut self, number: u64, why: Ended) {
        if let Some(mut waiting) = self.waiting.remove(&number) {
            waiting.end(&mut self.state, why);
            self.serve();
        }
    }

    /// A client is gone. The hook is to be dropped when nothing is locked.
    fn gone(&mut self, client: &Caller) -> Option<GoneHook> {
        let hook = self.clients.remove(client);
        // First those that wait no longer, so that nothing of what it held is handed to itself.
        let all = mem::take(&mut self.waiting);
        let (ended, stay): (BTreeMap<_, _>, _) =
            all.into_iter().partition(|(_, waiting)| waiting.client() == Some(client));
        self.waiting = stay;
        for mut waiting in ended.into_values() {
            waiting.end(&mut self.state, Ended::Cancelled);
        }
        self.state.gone(client);
        self.serve();
        hook.flatten()
    }
}

fn lock<S>(hall: &Mutex<Hall<S>>) -> MutexGuard<'_, Hall<S>> {
    hall.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Clone for Line<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Party> Line<S> {
    pub(super) fn new(state: S) -> Self {
        let (waiting, clients) = Default::default();
        Self(Arc::new(Mutex::new(Hall { state, waiting, came: 0, clients })))
    }

    pub(super) fn downgrade(&self) -> WeakLine<S> {
        WeakLine(Arc::downgrade(&self.0))
    }

    /// Looks at the state.
    pub(super) fn look<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        look(&lock(&self.0).state)
    }

    /// Changes the state, and hands out what can be had then.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut S) -> R) -> R {
        let mut hall = lock(&self.0);
        let changed = change(&mut hall.state);
        hall.serve();
        changed
    }

    /// Waits until the claim is met; what it took. If that does not come to be it is withdrawn, once, under the same lock.
    ///
    /// Without a limit it waits as long as it takes, with none left it only tries.
    pub(super) fn wait<R, C, W>(&self, limit: Option<Duration>, mut claim: C, withdraw: W) -> Result<R, Ended>
    where
        R: Send + 'static,
        C: FnMut(&mut S) -> Option<R> + Send + 'static,
        W: FnOnce(&mut S, Ended) + Send + 'static,
    {
        let deadline = poller::deadline(limit);
        let client = caller();
        let mut hall = self.enter(client.as_ref());
        let is_gone = client.as_ref().is_some_and(|client| !hall.clients.contains_key(client));
        let why = if is_gone || is_cancelled() {
            Ended::Cancelled
        } else if let Some(got) = claim(&mut hall.state) {
            hall.serve();
            return Ok(got);
        } else if limit.is_some_and(|limit| limit.is_zero()) {
            Ended::TimedOut
        } else {
            let place = Arc::new(Place { outcome: Mutex::new(None), told: Condvar::new() });
            let waiter =
                Waiter { client, call: call(), claim, withdraw: Some(withdraw), place: Arc::clone(&place) };
            hall.came += 1;
            let number = hall.came;
            hall.waiting.insert(number, Box::new(waiter));
            drop(hall);
            return self.sleep(&place, number, deadline);
        };
        withdraw(&mut hall.state, why);
        hall.serve();
        Err(why)
    }

    fn sleep<R>(&self, place: &Place<R>, number: u64, deadline: Option<Instant>) -> Result<R, Ended> {
        let line = Arc::clone(&self.0);
        let _hook = when_cancelled(move || lock(&line).withdraw(number, Ended::Cancelled));
        place.sleep(deadline).unwrap_or_else(|| {
            lock(&self.0).withdraw(number, Ended::TimedOut);
            // Served or withdrawn: it has been told.
            place.sleep(None).unwrap_or(Err(Ended::TimedOut))
        })
    }

    /// Comes in: the state will learn when the client is gone.
    fn enter(&self, client: Option<&Caller>) -> MutexGuard<'_, Hall<S>> {
        let mut hall = lock(&self.0);
        let Some(client) = client.filter(|client| !hall.clients.contains_key(client)) else { return hall };
        hall.clients.insert(client.clone(), None);
        drop(hall);
        let (line, gone) = (Arc::downgrade(&self.0), client.clone());
        let hook = client.when_gone(move || {
            if let Some(line) = line.upgrade() {
                let hook = lock(&line).gone(&gone);
                drop(hook);
            }
        });
        let mut hall = lock(&self.0);
        if let Some(place) = hall.clients.get_mut(client) {
            *place = Some(hook);
            return hall;
        }
        drop(hall);
        drop(hook);
        lock(&self.0)
    }
}

/// A line that may be gone.
pub(super) struct WeakLine<S>(Weak<Mutex<Hall<S>>>);

impl<S> WeakLine<S> {
    pub(super) fn upgrade(&self) -> Option<Line<S>> {
        self.0.upgrade().map(Line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    impl Party for Vec<u32> {
        fn gone(&mut self, _: &Caller) {}
    }

    fn waiting<S>(line: &Line<S>) -> usize {
        lock(&line.0).waiting.len()
    }

    /// Waits for something in a box, on a thread that others can rely on to wait.
    fn wait(line: &Line<Vec<u32>>, limit: Option<Duration>) -> thread::JoinHandle<Result<u32, Ended>> {
        let before = waiting(line);
        let theirs = line.clone();
        let waits = thread::spawn(move || theirs.wait(limit, Vec::pop, |_, _| {}));
        while waiting(line) == before {
            thread::yield_now();
        }
        waits
    }

    #[test]
    fn who_has_waited_longest_is_served_first() {
        let line = Line::new(Vec::new());
        let all: Vec<_> = (0..4).map(|_| wait(&line, None)).collect();
        for number in 0..4 {
            line.change(|items| items.push(number));
        }
        for (number, waits) in (0..).zip(all) {
            assert_eq!(waits.join().ok(), Some(Ok(number)));
        }
    }

    #[test]
    fn who_gave_up_gets_nothing_and_withdraws_once() {
        let line = Line::new(Vec::new());
        let withdrawn = |items: &mut Vec<u32>, why| {
            assert_eq!(why, Ended::TimedOut);
            items.extend([7, 8]);
        };
        let nothing = |_: &mut Vec<u32>| None::<u32>;
        assert_eq!(line.wait(Some(Duration::from_millis(1)), nothing, withdrawn), Err(Ended::TimedOut));
        assert_eq!(line.wait(Some(Duration::ZERO), nothing, withdrawn), Err(Ended::TimedOut));
        assert_eq!((line.look(Vec::clone), waiting(&line)), (vec![7, 8, 7, 8], 0));
    }

    #[test]
    fn what_one_takes_or_withdraws_is_what_another_waits_for() {
        let line = Line::new(Vec::new());
        let theirs = line.clone();
        let has_two = |items: &mut Vec<u32>| (items.len() == 2).then(|| items.pop()).flatten();
        let first = wait(&line, None);
        let second = thread::spawn(move || theirs.wait(None, has_two, |_, _| {}));
        while waiting(&line) < 2 {
            thread::yield_now();
        }
        let limit = Some(Duration::from_millis(1));
        let left = line.wait(limit, |_| None::<()>, |items, _| items.extend([1, 2]));
        assert_eq!(left, Err(Ended::TimedOut));
        assert_eq!(first.join().ok(), Some(Ok(2)));
        line.change(|items| items.push(3));
        assert_eq!(second.join().ok(), Some(Ok(3)));
    }
}
