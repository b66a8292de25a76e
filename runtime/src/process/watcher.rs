//! The watcher: one thread that sees children end when nobody else looks.
//!
//! It is made at the first start and waits, in one `epoll_wait`, for every child that no thread is joining at the
//! moment. It reaps what ends, so that there are no zombies; it wakes the tasks that `.await` a child; and it kills a
//! child that does not come by the guard in time. It takes no processor time otherwise, and all signals are blocked in it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::children;
use super::record::Record;
use crate::launch;
use crate::sys::poller::Poller;
use crate::sys::process::Handle;
use crate::sys::{fork, runtime};

/// What a token stands for.
#[derive(Clone, Debug)]
enum Watched {
    Child(Arc<Record>),
    /// A process that nobody joins: a forkserver, a spare that was dismissed.
    Stray(Arc<Handle>),
}

#[derive(Debug)]
struct Watcher {
    poller: Arc<Poller>,
    next: u64,
    watched: HashMap<u64, Watched>,
}

static WATCHER: Mutex<Option<Watcher>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Watcher>> {
    WATCHER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In a copy of this process: the thread is not there.
pub(crate) fn forget() {
    *lock() = None;
}

impl Watcher {
    fn watch(&mut self, watched: Watched) -> io::Result<u64> {
        let token = self.next;
        self.next += 1;
        let sentinel = match &watched {
            Watched::Child(record) => record.sentinel(),
            Watched::Stray(handle) => handle.sentinel(),
        };
        self.poller.add(sentinel, token)?;
        self.watched.insert(token, watched);
        Ok(token)
    }
}

/// Makes the watcher, unless it is there.
pub(crate) fn ensure() -> io::Result<()> {
    let _no_fork_meanwhile = fork::enter();
    let mut watcher = lock();
    if watcher.is_none() {
        let poller = Arc::new(Poller::new()?);
        let seen = Arc::clone(&poller);
        runtime::thread("offspring", move || run(&seen))?;
        launch::count_thread();
        *watcher = Some(Watcher { poller, next: 0, watched: HashMap::new() });
    }
    Ok(())
}

/// Watches a child from now on; returns the token by which it can be taken back.
pub(crate) fn watch(record: &Arc<Record>) -> io::Result<u64> {
    let _no_fork_meanwhile = fork::enter();
    let mut watcher = lock();
    let watcher = watcher.as_mut().ok_or(io::ErrorKind::NotFound)?;
    let token = watcher.watch(Watched::Child(Arc::clone(record)))?;
    if record.boot_deadline().is_some() {
        watcher.poller.ring()?; // the thread sleeps until a deadline that may be later
    }
    Ok(token)
}

/// Watches processes that nobody joins.
pub(crate) fn watch_strays(strays: Vec<Handle>) -> io::Result<()> {
    let _no_fork_meanwhile = fork::enter();
    let mut watcher = lock();
    let watcher = watcher.as_mut().ok_or(io::ErrorKind::NotFound)?;
    strays.into_iter().try_for_each(|stray| watcher.watch(Watched::Stray(Arc::new(stray))).map(drop))
}

/// Takes a child back: somebody else waits for it now.
pub(crate) fn unwatch(record: &Record, token: u64) -> io::Result<()> {
    let _no_fork_meanwhile = fork::enter();
    let mut watcher = lock();
    let Some(watcher) = watcher.as_mut() else { return Ok(()) };
    match watcher.watched.remove(&token) {
        Some(_) => watcher.poller.remove(record.sentinel()),
        None => Ok(()), // it has ended, and the watcher saw it
    }
}

/// The thread.
fn run(poller: &Poller) {
    loop {
        let tokens = match poller.wait(next_deadline()) {
            Ok(tokens) => tokens,
            // Only a closed epoll can fail, and this thread holds it.
            Err(error) => panic!("offspring: the watcher cannot wait: {error}"),
        };
        for watched in take(&tokens) {
            match watched {
                Watched::Child(record) => {
                    // One that cannot be reaped, because somebody took its status, is seen by who joins it.
                    if record.poll().is_ok_and(|status| status.is_some()) {
                        children::remove(&record);
                    }
                }
                Watched::Stray(handle) => {
                    let _taken_by_somebody_else = handle.try_reap();
                }
            }
        }
        for record in with_deadlines() {
            let _cannot_be_killed_means_ended = record.enforce_boot_deadline();
        }
    }
}

/// Takes what ended out of the table.
fn take(tokens: &[u64]) -> Vec<Watched> {
    let _no_fork_meanwhile = fork::enter();
    let mut watcher = lock();
    let Some(watcher) = watcher.as_mut() else { return Vec::new() };
    let taken: Vec<Watched> = tokens.iter().filter_map(|token| watcher.watched.remove(token)).collect();
    for watched in &taken {
        let removed = match watched {
            Watched::Child(record) => watcher.poller.remove(record.sentinel()),
            Watched::Stray(handle) => watcher.poller.remove(handle.sentinel()),
        };
        debug_assert!(removed.is_ok(), "what was added can be removed: {removed:?}");
    }
    taken
}

/// The children that have not come by the guard yet.
fn with_deadlines() -> Vec<Arc<Record>> {
    let _no_fork_meanwhile = fork::enter();
    let watcher = lock();
    let Some(watcher) = watcher.as_ref() else { return Vec::new() };
    let waiting = watcher.watched.values().filter_map(|watched| match watched {
        Watched::Child(record) if record.boot_deadline().is_some() => Some(Arc::clone(record)),
        _ => None,
    });
    waiting.collect()
}

fn next_deadline() -> Option<std::time::Instant> {
    with_deadlines().iter().filter_map(|record| record.boot_deadline()).min()
}
