//! The server's process: it takes clients, and sees to it that no call keeps others waiting.
//!
//! A thread reads what a client wants and does it at once, for most calls take less time than to wake another thread. Meanwhile nobody
//! reads for that client. The thread of `main`, the **overseer**, looks every millisecond while there are calls: where one takes longer, another thread
//! goes on reading. So a call that waits for ever costs a thread, and delays those behind it by a millisecond or two, once. While no calls come
//! the overseer sleeps.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::guest::Rights;
use super::home::Home;
use super::object::guarded;
use super::resident::Resident;
use super::table::Table;
use super::visit::Visit;
use crate::channel::Sender;
use crate::net::remote::{Acceptor, AuthKey, Endpoint, Refusals, RemoteError, TlsServer};
use crate::sys::runtime;

/// How often the overseer looks.
const TICK: Duration = Duration::from_millis(1);

/// How many calls it takes no notice of, when it lies down, before it must.
const QUIET: u32 = 64;

/// The stack of threads that run methods: as that of any other thread.
pub(super) const STACK: usize = 2 << 20;

/// Where a server listens for those who come from elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Door {
    pub(super) endpoint: Endpoint,
    pub(super) key: Option<AuthKey>,
    pub(super) tls: Option<TlsServer>,
    pub(super) rights: Rights,
}

pub(super) struct Server {
    pub(super) number: u64,
    pub(super) table: Table,
    /// For local processes, and behind the door.
    acceptors: Vec<Arc<Acceptor>>,
    state: Mutex<State>,
    /// Rung for the overseer.
    stir: Condvar,
    /// Rung when it has ended.
    ended: Condvar,
    sleeps: AtomicBool,
    /// How many calls have begun.
    begun: AtomicU64,
}

#[derive(Default)]
struct State {
    visits: Vec<Arc<Visit>>,
    next: u64,
    ends: bool,
    /// Whether it has ended.
    over: bool,
    /// Whether tickets have got a time at which they end.
    changed: bool,
}

/// What the manager's process does. It says where its door is when it is ready.
#[allow(clippy::needless_pass_by_value)] // the arguments of a process are its own
pub(super) fn main(home: Home, door: Option<Door>, ready: Sender<Result<Endpoint, String>>) {
    match Server::open(home, door) {
        Ok(resident) => {
            let server = resident.server();
            if ready.send(Ok(server.endpoint().clone())).is_ok() {
                drop(ready);
                server.oversee();
            }
        }
        Err(why) => {
            let _nobody_waits = ready.send(Err(why.to_string()));
        }
    }
}

impl Server {
    /// Listens for clients. Somebody is to [oversee](Self::oversee) it.
    pub(super) fn open(home: Home, door: Option<Door>) -> io::Result<Arc<Resident>> {
        let mut doors = vec![(Acceptor::bind(&home.endpoint, None, home.limits.clone())?, Rights::ALL)];
        if let Some(Door { endpoint, key, tls, rights }) = door {
            doors.push((Acceptor::bind_with(&endpoint, key, home.limits.clone(), tls)?, rights));
        }
        let doors: Vec<_> =
            doors.into_iter().map(|(acceptor, rights)| (Arc::new(acceptor), rights)).collect();
        let server = Arc::new(Self {
            number: home.server.unwrap_or_default(),
            table: Table::new()?,
            acceptors: doors.iter().map(|(acceptor, _)| Arc::clone(acceptor)).collect(),
            state: Mutex::default(),
            stir: Condvar::new(),
            ended: Condvar::new(),
            sleeps: AtomicBool::new(false),
            begun: AtomicU64::new(0),
        });
        let resident = Resident::new(home, Arc::clone(&server));
        for (acceptor, rights) in doors {
            let accepting = Arc::clone(&server);
            let thread =
                runtime::thread("offspring-accept", STACK, move || accepting.accept(&acceptor, rights));
            if let Err(error) = thread {
                server.close();
                return Err(error);
            }
        }
        Ok(resident)
    }

    /// Where it is reached from elsewhere, or from this machine if it is not.
    pub(super) fn endpoint(&self) -> &Endpoint {
        self.door().endpoint()
    }

    /// Who was not let in there.
    pub(super) fn refusals(&self) -> Refusals {
        self.door().refusals()
    }

    fn door(&self) -> &Acceptor {
        self.acceptors.last().unwrap_or_else(|| unreachable!("it listens for local processes at least"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, acceptor: &Acceptor, rights: Rights) {
        loop {
            match acceptor.accept() {
                Ok(link) => {
                    let visit = {
                        let mut state = self.lock();
                        if state.over {
                            return;
                        }
                        state.next += 1;
                        let visit = Arc::new(Visit::new(state.next, link, rights));
                        state.visits.push(Arc::clone(&visit));
                        visit
                    };
                    self.attend(&visit);
                }
                Err(RemoteError::AcceptorClosed) => return,
                Err(_the_system_lacks_something) => std::thread::sleep(TICK),
            }
        }
    }

    /// Lets another thread read for a visit.
    fn attend(self: &Arc<Self>, visit: &Arc<Visit>) {
        let server = Arc::clone(self);
        // Without a thread the one that is busy there reads again when it is not; a new client is sent away.
        let is_new = visit.begun() == 0;
        let attending = Arc::clone(visit);
        if runtime::thread("offspring-serve", STACK, move || attending.attend(&server)).is_err() && is_new {
            visit.send_away(self);
        }
    }

    /// A call begins: the overseer is to be awake.
    pub(super) fn begins(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        if self.sleeps.load(Ordering::SeqCst) {
            let _state = self.lock(); // it is asleep, or has not yet looked whether anything has begun
            self.stir.notify_one();
        }
    }

    /// A visit is over.
    pub(super) fn forget(&self, visit: &Visit) {
        self.lock().visits.retain(|other| other.number() != visit.number());
        self.end_tickets(visit.number());
    }

    /// Who sent them is gone: they end in a while.
    pub(super) fn end_tickets(&self, sender: u64) {
        self.table.sender_gone(sender);
        self.lock().changed = true;
        self.stir.notify_one();
    }

    pub(super) fn end(&self) {
        self.lock().ends = true;
        self.stir.notify_one();
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().over
    }

    /// Waits until it has ended.
    pub(super) fn wait(&self) {
        let mut state = self.lock();
        while !state.over {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nobody comes any more, and those who are there are sent away.
    fn close(&self) {
        for acceptor in &self.acceptors {
            acceptor.clear_out();
        }
        let visits = {
            let mut state = self.lock();
            state.over = true;
            state.visits.clone()
        };
        for visit in visits {
            visit.end();
        }
        let _printed_by_the_hook = guarded(|| {
            drop(self.table.clear());
            Ok(())
        });
        self.ended.notify_all();
    }

    /// Sees to it that no call keeps others waiting, until the server ends.
    pub(super) fn oversee(self: &Arc<Self>) {
        let (mut seen, mut quiet) = (0, 0);
        let mut next_end = None;
        loop {
            let now = Instant::now();
            if std::mem::take(&mut self.lock().changed) || next_end.is_some_and(|end| end <= now) {
                let dropped;
                (next_end, dropped) = self.table.expire(now);
                drop(dropped);
            }
            let visits = self.lock().visits.clone();
            for visit in visits.into_iter().filter(|visit| visit.is_kept_waiting()) {
                self.attend(&visit);
            }
            let begun = self.begun.load(Ordering::SeqCst);
            quiet = if begun == seen { quiet + 1 } else { 0 };
            seen = begun;
            let state = self.lock();
            if state.ends {
                break;
            }
            if state.changed {
                continue;
            }
            if quiet < QUIET {
                let _timeout_or_not =
                    self.stir.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            self.sleeps.store(true, Ordering::SeqCst);
            if self.begun.load(Ordering::SeqCst) == seen {
                let left = next_end.map(|end| end.saturating_duration_since(Instant::now()));
                let woken = match left {
                    Some(left) => self.stir.wait_timeout(state, left).map(|(state, _)| state).ok(),
                    None => self.stir.wait(state).ok(),
                };
                drop(woken);
            }
            self.sleeps.store(false, Ordering::SeqCst);
            quiet = 0;
        }
        self.close();
    }
}
