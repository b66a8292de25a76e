//! The starter's side: asks the server of this process for children, and does without it when it dies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::{Birth, Purpose, Request, Server};
use super::spares;
use crate::launch::StartError;
use crate::launch::order::Adopt;
use crate::launch::plan::{Handover, Launched, Newborn, Plan};
use crate::sys::ambient::{self, Snapshot};
use crate::sys::channel::Channel;
use crate::sys::process::Handle;
use crate::sys::{borrow, fork, zygote};

/// How often a start asks again when servers die under it.
const ATTEMPTS: u32 = 5;

#[derive(Debug)]
struct State {
    server: Option<Arc<Server>>,
    /// No server can be had on this system, or in this program.
    unavailable: bool,
    strays: Vec<Handle>,
}

impl State {
    const NEW: Self = Self { server: None, unavailable: false, strays: Vec::new() };
}

static STATE: Mutex<State> = Mutex::new(State::NEW);

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In a copy of the starter: its server serves the original.
pub(crate) fn forget() {
    *state() = State::NEW;
}

/// Processes that nobody will join: servers, and spares that were dismissed. The caller sees to it that they are
/// reaped.
pub(crate) fn strays() -> Vec<Handle> {
    let _no_fork_meanwhile = fork::enter();
    std::mem::take(&mut state().strays)
}

/// Makes up for the spares that were used, in a process that is about to wait anyway.
pub(crate) fn refill() {
    if spares::wanted() > 0 {
        let _no_fork_meanwhile = fork::enter();
        let server = state().server.clone();
        if let Some(server) = server {
            server.refill(spares::wanted());
        }
    }
}

/// Gives up the forkserver of this process: the next start makes a new one, which is as this process is then.
///
/// What a child has from its parent is handed to it at each start, but for a few things that a server keeps from the
/// moment it was made: its namespaces and its cgroup above all. A program that changes one of these calls this
/// afterwards. Children that run are not concerned.
pub fn renew_forkserver() {
    let _no_fork_meanwhile = fork::enter();
    let mut state = state();
    if let Some(server) = state.server.take() {
        server.dismiss(&mut state.strays);
    }
}

/// Starts a child; `None` when no server can be had.
///
/// The server of the last start is asked before it is known whether it still serves, so that it clones while this process finds
/// out what to tell the child. What was asked for in vain has had no order, and ends.
pub(crate) fn start(plan: &Plan<'_>) -> Result<Option<Launched>, StartError> {
    let directory = match plan.open_directory()? {
        Some(directory) => directory,
        None => ambient::directory(".".as_ref()).map_err(StartError::system("open the current directory"))?,
    };
    let mut ahead = Asked::ahead();
    let snapshot = ambient::capture();
    let environment = plan.environment.resolve();
    for _ in 0..ATTEMPTS {
        let Some(server) = server(&snapshot)? else { return Ok(None) };
        let hand_over = |channel: &Channel| {
            let environment = (environment != server.environment).then(|| environment.clone());
            let ambient = (snapshot.ambient != server.ambient).then(|| snapshot.ambient.clone());
            let adopt = Adopt { ambient, environment };
            let standard = Some(plan.all_standard());
            plan.give_order(
                channel,
                Handover { standard, directory: Some(borrow(&directory)), adopt: Some(adopt) },
            )
        };
        if let Some((channel, newborn)) = take_spare(&server) {
            hand_over(&channel)?;
            return Ok(Some(Launched { newborn, channel, early: Vec::new(), ready: true }));
        }
        let asked = match ahead.take().filter(|asked| asked.is_of(&server)) {
            Some(asked) => Some(asked),
            None => Asked::of(&server)?,
        };
        let Some(asked) = asked else {
            retire(&server);
            continue;
        };
        hand_over(asked.channel())?;
        match asked.birth()? {
            (channel, Birth::Born(newborn, early)) => {
                return Ok(Some(Launched { newborn, channel, early, ready: true }));
            }
            (_, Birth::Refused(source)) => {
                return Err(StartError::System { what: "make another process", source });
            }
            (_, Birth::ServerEnded) => retire(&server),
        }
    }
    Err(StartError::ForkServer { attempts: ATTEMPTS })
}

/// A child that a server was asked for. Unless its birth is awaited, it ends.
struct Asked {
    server: Arc<Server>,
    request: Option<Request>,
}

impl Asked {
    /// Asks the server of the last start, if it seems to be of use.
    fn ahead() -> Option<Self> {
        let server = state().server.clone()?;
        if spares::wanted() > 0 {
            return None;
        }
        // Whatever is wrong, who asks a server that is known to serve sees it, too.
        Self::of(&server).ok()?
    }

    /// Asks a server; `None` when it has ended.
    fn of(server: &Arc<Server>) -> Result<Option<Self>, StartError> {
        let request = server.request(Purpose::Now)?;
        Ok(request.map(|request| Self { server: Arc::clone(server), request: Some(request) }))
    }

    fn is_of(&self, server: &Arc<Server>) -> bool {
        Arc::ptr_eq(&self.server, server)
    }

    fn request(&self) -> &Request {
        self.request.as_ref().expect("it is taken at the birth, which is the end of this")
    }

    fn channel(&self) -> &Channel {
        &self.request().channel
    }

    /// Waits for what becomes of it.
    fn birth(mut self) -> Result<(Channel, Birth), StartError> {
        let birth = self.server.wait_for(self.request());
        let birth = birth.map_err(StartError::system("hear from the forkserver"))?;
        let request = self.request.take().expect("it is there until here");
        Ok((request.channel, birth))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            // It has had no order, and ends when its channel does. To kill it there may be no right any more.
            if let Ok(Birth::Born(newborn, _)) = self.server.wait_for(&request) {
                state().strays.push(newborn.keep());
            }
        }
    }
}

/// The server of this process; a new one if there is none, it has ended, its rights are not the caller's, or its clones could
/// not receive as many handles as the caller may have.
fn server(snapshot: &Snapshot) -> Result<Option<Arc<Server>>, StartError> {
    let mut state = state();
    if state.unavailable || !zygote::SUPPORTED {
        return Ok(None);
    }
    if let Some(server) = state.server.take() {
        let serves = server.credentials == snapshot.credentials
            && server.ambient.opens_as_many_as(&snapshot.ambient)
            && !server.has_ended();
        if serves {
            state.server = Some(Arc::clone(&server));
            return Ok(Some(server));
        }
        server.dismiss(&mut state.strays);
    }
    match Server::make(snapshot)? {
        Some((server, stray)) => {
            // Whenever it ends, the watcher is to reap it.
            state.strays.push(stray);
            state.server = Some(Arc::new(server));
            Ok(state.server.clone())
        }
        None => {
            state.unavailable = true;
            Ok(None)
        }
    }
}

/// Gives a server up that has ended, if it is still the one in use.
fn retire(server: &Arc<Server>) {
    let mut state = state();
    if state.server.as_ref().is_some_and(|current| Arc::ptr_eq(current, server)) {
        state.server = None;
        server.dismiss(&mut state.strays);
    }
}

/// A spare that lives.
fn take_spare(server: &Server) -> Option<(Channel, Newborn)> {
    let wanted = spares::wanted();
    while let Some(spare) = server.next_spare(wanted) {
        let Ok(Birth::Born(newborn, _)) = server.wait_for(&spare) else { continue };
        if !newborn.has_ended() {
            return Some((spare.channel, newborn));
        }
    }
    None
}
