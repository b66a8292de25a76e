//! The watcher: one thread that sees children end when nobody else looks, and answers when other processes ask.
//!
//! It is made at the first start, or when the first task waits. It reaps what ends, so that there are no zombies; it wakes the tasks that `.await` a
//! child or a channel; and it kills a child that does not come by the guard in time. It sleeps in one `epoll_wait` otherwise, with all signals
//! blocked.
//!
//! Most children are joined soon after their start, and to watch those would only cost: two system calls each, and
//! a thread woken for what the joining thread sees as well. So a child is first **pending**. The first one rings the
//! thread awake; [`PATIENCE`] later it begins to watch, all at once, what is then still pending. A child that somebody joins is taken back from
//! wherever it is, and returned if the join times out.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::record::Record;
use super::{children, exit};
use crate::launch;
use crate::sys::poller::{self, Poller};
use crate::sys::process::Handle;
use crate::sys::{Borrowed, Object, fork, runtime};

/// How long an ended child that nobody joins may stay unreaped.
const PATIENCE: Duration = Duration::from_millis(20);

/// What a token stands for.
#[derive(Clone, Debug)]
enum Watched {
    Child(Arc<Record>),
    /// A process that nobody joins: a forkserver, a spare that was dismissed.
    Stray(Arc<Handle>),
    /// What others ask for: it stays.
    Service(Arc<dyn Service>),
    /// A task that waits for a descriptor.
    Task(Arc<Task>),
}

/// A task that waits for a descriptor.
#[derive(Debug)]
struct Task {
    object: Object,
    /// `None` once it has been woken.
    waker: Mutex<Option<Waker>>,
}

/// A task's wish to be woken, until drop.
#[derive(Debug)]
pub(crate) struct Wish {
    task: Arc<Task>,
    token: u64,
    owner: u32,
}

impl Wish {
    /// Has this waker woken, if the wish has not come true yet: whether that is so.
    pub(crate) fn renew(&self, waker: &Waker) -> bool {
        let mut place = self.task.waker.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *place {
            None => false,
            Some(known) => {
                known.clone_from(waker);
                true
            }
        }
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        withdraw(self.owner, self.token);
    }
}

/// What the thread does when another process asks for it.
pub(crate) trait Service: std::fmt::Debug + Send + Sync {
    /// What becomes ready when somebody asks.
    fn sentinel(&self) -> poller::Sentinel<'_>;

    /// Answers who asks: some, if many do, for nobody can start a child meanwhile. It waits for nobody, and calls no code of the user's.
    fn serve(&self);
}

/// A [`Service`] that is offered, until drop.
#[derive(Debug)]
pub(crate) struct Offer {
    token: u64,
    /// The process whose watcher it is: a copy has none.
    owner: u32,
}

impl Watched {
    fn sentinel(&self) -> poller::Sentinel<'_> {
        match self {
            Self::Child(record) => record.sentinel(),
            Self::Stray(handle) => handle.sentinel(),
            Self::Service(service) => service.sentinel(),
            Self::Task(task) => poller::sentinel(&task.object),
        }
    }
}

/// What the thread needs: it calls wakers.
const STACK: usize = 256 * 1024;

#[derive(Debug)]
struct Watcher {
    poller: Arc<Poller>,
    next: u64,
    pending: Vec<Arc<Record>>,
    /// When the pending are due; the thread knows of it.
    due: Option<Instant>,
    watched: HashMap<u64, Watched>,
}

static WATCHER: Mutex<Option<Watcher>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Watcher>> {
    WATCHER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something to the watcher; it is there once [`ensure`] has been called.
fn with<T: Default>(action: impl FnOnce(&mut Watcher) -> io::Result<T>) -> io::Result<T> {
    let _no_fork_meanwhile = fork::enter();
    lock().as_mut().map_or_else(|| Ok(T::default()), action)
}

/// In a copy of this process: the thread is not there.
pub(crate) fn forget() {
    *lock() = None;
}

/// Makes the watcher, unless it is there.
pub(crate) fn ensure() -> io::Result<()> {
    exit::prepare_copies();
    let _no_fork_meanwhile = fork::enter();
    let mut watcher = lock();
    if watcher.is_none() {
        let poller = Arc::new(Poller::new()?);
        let seen = Arc::clone(&poller);
        runtime::thread("offspring", STACK, move || run(&seen))?;
        launch::count_thread();
        *watcher = Some(Watcher { poller, next: 0, pending: Vec::new(), due: None, watched: HashMap::new() });
    }
    Ok(())
}

/// Watches a child from now on, or a little later.
pub(crate) fn watch(record: &Arc<Record>) -> io::Result<()> {
    with(|watcher| {
        if record.watched.swap(true, Ordering::Relaxed) {
            return Ok(()); // another thread that waited in vain has given it back
        }
        watcher.pending.push(Arc::clone(record));
        if watcher.due.is_none() {
            watcher.due = Some(Instant::now() + PATIENCE);
            watcher.poller.ring()?;
        }
        Ok(())
    })
}

/// Watches a child at once, if it is pending: a task waits for it.
pub(crate) fn hurry(record: &Arc<Record>) -> io::Result<()> {
    with(|watcher| match watcher.take_pending(record) {
        Some(record) => watcher.begin(Watched::Child(record)).map(drop),
        None => Ok(()),
    })
}

/// Takes a child back: somebody else waits for it now.
pub(crate) fn unwatch(record: &Arc<Record>) -> io::Result<()> {
    with(|watcher| {
        if !record.watched.swap(false, Ordering::Relaxed) || watcher.take_pending(record).is_some() {
            return Ok(());
        }
        let token = watcher.watched.iter().find_map(|(token, watched)| match watched {
            Watched::Child(other) => Arc::ptr_eq(other, record).then_some(*token),
            Watched::Stray(_) | Watched::Service(_) | Watched::Task(_) => None,
        });
        match token.and_then(|token| watcher.watched.remove(&token)) {
            Some(_) => watcher.poller.remove(record.sentinel()),
            None => Ok(()), // it has ended, and the watcher saw it
        }
    })
}

/// Watches processes that nobody joins.
pub(crate) fn watch_strays(strays: Vec<Handle>) -> io::Result<()> {
    strays
        .into_iter()
        .try_for_each(|stray| with(|watcher| watcher.begin(Watched::Stray(Arc::new(stray))).map(drop)))
}

/// Offers a service of this process, which a copy of it does not offer: `make` makes it while nothing can be copied, and nobody
/// but the watcher holds it.
pub(crate) fn offer<S: Service + 'static>(make: impl FnOnce() -> io::Result<S>) -> io::Result<Offer> {
    ensure()?;
    let _no_fork_meanwhile = fork::enter();
    let service = Arc::new(make()?);
    match lock().as_mut() {
        Some(watcher) => {
            let token = watcher.begin(Watched::Service(service))?;
            Ok(Offer { token, owner: std::process::id() })
        }
        None => Err(io::Error::other("this process was copied while it made the watcher")),
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        withdraw(self.owner, self.token);
    }
}

/// Watches something no more. A copy of the process that watched it never did.
fn withdraw(owner: u32, token: u64) {
    if owner != std::process::id() {
        return;
    }
    let withdrawn = with(|watcher| {
        let watched = watcher.watched.remove(&token);
        if let Some(watched) = &watched {
            let _closing_it_removes_it_as_well = watcher.poller.remove(watched.sentinel());
        }
        Ok(watched)
    });
    drop(withdrawn); // outside of the lock: a task's waker is the user's
}

/// Has a task woken when a descriptor, which is duplicated for the purpose, becomes ready.
pub(crate) fn wake_when_ready(object: Borrowed<'_>, waker: &Waker) -> io::Result<Wish> {
    ensure()?;
    let task =
        Arc::new(Task { object: object.try_clone_to_owned()?, waker: Mutex::new(Some(waker.clone())) });
    let token = with(|watcher| watcher.begin(Watched::Task(Arc::clone(&task))).map(Some))?;
    let token = token.ok_or_else(|| io::Error::other("this process was copied while it made the watcher"))?;
    Ok(Wish { task, token, owner: std::process::id() })
}

/// Lets a service answer, and watches on. All of it under the lock, so that a service that was withdrawn answers no more, and no
/// copy of this process comes to hold it.
fn serve(token: u64) {
    let again = with(|watcher| {
        let Some(Watched::Service(service)) = watcher.watched.get(&token) else { return Ok(()) };
        service.serve();
        watcher.poller.remove(service.sentinel())?;
        watcher.poller.add(service.sentinel(), token)
    });
    debug_assert!(again.is_ok(), "the poller lost a service: {again:?}");
}

impl Watcher {
    fn take_pending(&mut self, record: &Arc<Record>) -> Option<Arc<Record>> {
        let index = self.pending.iter().position(|other| Arc::ptr_eq(other, record))?;
        Some(self.pending.swap_remove(index))
    }

    fn begin(&mut self, watched: Watched) -> io::Result<u64> {
        let token = self.next;
        self.next += 1;
        self.poller.add(watched.sentinel(), token)?;
        self.watched.insert(token, watched);
        Ok(token)
    }

    /// Begins to watch what is pending, if it is due.
    fn begin_due(&mut self) {
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = None;
            for record in std::mem::take(&mut self.pending) {
                if self.begin(Watched::Child(Arc::clone(&record))).is_err() {
                    // The kernel lacks memory at the moment: later.
                    self.pending.push(record);
                    self.due = Some(Instant::now() + PATIENCE);
                }
            }
        }
    }

    /// The children that may not have come by the guard yet.
    fn booting(&self) -> impl Iterator<Item = &Arc<Record>> {
        let watched = self.watched.values().filter_map(|watched| match watched {
            Watched::Child(record) => Some(record),
            Watched::Stray(_) | Watched::Service(_) | Watched::Task(_) => None,
        });
        watched.chain(&self.pending).filter(|record| record.boot_deadline().is_some())
    }
}

/// The thread.
fn run(poller: &Poller) {
    let mut deadline = None;
    loop {
        // Whatever the kernel lacks at the moment, this thread goes on.
        if let Ok(tokens) = poller.wait(deadline) {
            take(&tokens).iter().for_each(conclude);
            tokens.into_iter().for_each(serve);
        }
        deadline = next_deadline();
    }
}

/// Takes what ended out of the table.
fn take(tokens: &[u64]) -> Vec<Watched> {
    let taken = with(|watcher| {
        let ended = |token: &&u64| !matches!(watcher.watched.get(token), Some(Watched::Service(_)) | None);
        let tokens: Vec<u64> = tokens.iter().filter(ended).copied().collect();
        let taken: Vec<Watched> = tokens.iter().filter_map(|token| watcher.watched.remove(token)).collect();
        for watched in &taken {
            let _reported_once_and_not_again = watcher.poller.remove(watched.sentinel());
            if let Watched::Child(record) = watched {
                record.watched.store(false, Ordering::Relaxed);
            }
        }
        Ok(taken)
    });
    taken.unwrap_or_default()
}

fn conclude(watched: &Watched) {
    match watched {
        Watched::Child(record) => {
            match record.poll() {
                Ok(Some(_)) => children::remove(record),
                // A tracer has it first: later.
                Ok(None) => drop(watch(record)),
                // One that cannot be reaped is seen by who joins it.
                Err(_) => {}
            }
        }
        Watched::Stray(handle) => {
            let _taken_by_somebody_else = handle.try_reap();
        }
        Watched::Service(_) => {} // never taken: it stays
        Watched::Task(task) => {
            let waker = task.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// Does what is due, and says when the next thing will be.
fn next_deadline() -> Option<Instant> {
    let (due, booting) = with(|watcher| {
        watcher.begin_due();
        Ok((watcher.due, watcher.booting().map(Arc::clone).collect::<Vec<_>>()))
    })
    .unwrap_or_default();
    for record in &booting {
        let _cannot_be_killed_means_ended = record.enforce_boot_deadline();
    }
    booting.iter().filter_map(|record| record.boot_deadline()).chain(due).min()
}
