//! The record of one child: what its handle, the table of children and the watcher share.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::error::JoinError;
use super::handle::ProcessHandle;
use super::obituary::Author;
use super::tree::Root;
use crate::launch::error::boot_timeout;
use crate::launch::identity::Identity;
use crate::launch::order::Report;
use crate::launch::plan::Streams;
use crate::launch::{BootError, Launched};
use crate::sys::channel::{Channel, Message, Received};
use crate::sys::process::{Handle, Signal};
use crate::sys::spin::Spin;
use crate::sys::{ExitStatus, poller};
use crate::wire::envelope;

/// How long a child takes that does little.
static SHORT_LIFE: Spin = Spin::new(Duration::from_micros(200));

/// A child that is older than this is no such child.
const YOUNG: Duration = Duration::from_micros(200);

/// How many children of this process have died: who talks to one has reason to look whether it is still there.
static DEATHS: AtomicU32 = AtomicU32::new(0);

/// How many children of this process are known to have died.
pub(crate) fn deaths() -> u32 {
    DEATHS.load(Ordering::Relaxed)
}

/// One child, from its start until the last who holds this has gone.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) identity: Identity,
    pub(crate) pid: u32,
    pub(crate) detached: bool,
    own_group: bool,
    handle: Handle,
    started: Instant,
    /// This process has sent it a signal: then it is no wonder that it ended.
    signalled: AtomicBool,
    /// The process that started it: a copy of that one must keep its hands off.
    owner: u32,
    /// It is the watcher's to see its end; changed with the watcher's lock held.
    pub(crate) watched: AtomicBool,
    state: Mutex<State>,
    streams: Mutex<Streams>,
}

#[derive(Debug)]
enum State {
    Running(Running),
    Ended { status: ExitStatus, outcome: Option<Outcome> },
}

/// What is known of a child that runs.
#[derive(Debug)]
struct Running {
    /// `None` in a copy of the process that started the child.
    channel: Option<Channel>,
    /// What it said, in order.
    said: Vec<Message>,
    /// It came by the guard, or has until then.
    boot: Boot,
    wakers: Vec<Waker>,
    /// Tells others how it ended, if there are any who want to know.
    obituary: Option<Author>,
}

#[derive(Debug)]
enum Boot {
    Passed,
    Until(Instant),
    /// It was killed because it never came by.
    Missed,
}

/// What became of a child's work.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It answered, with an output or a failure.
    Answered(Message),
    /// It ended before it came by the guard.
    NotBooted(BootError),
    /// It said nothing.
    Silent,
    Unreadable(io::Error),
}

impl Record {
    pub(crate) fn new(
        identity: Identity,
        detached: bool,
        own_group: bool,
        launched: Launched,
        streams: Streams,
    ) -> Self {
        let Launched { newborn, channel, early, ready } = launched;
        let handle = newborn.keep();
        let boot = if ready || !early.is_empty() {
            Boot::Passed
        } else {
            Boot::Until(Instant::now() + boot_timeout())
        };
        let running =
            Running { channel: Some(channel), said: early, boot, wakers: Vec::new(), obituary: None };
        Self {
            pid: handle.pid(),
            identity,
            detached,
            own_group,
            handle,
            started: Instant::now(),
            signalled: AtomicBool::new(false),
            owner: std::process::id(),
            watched: AtomicBool::new(false),
            state: Mutex::new(State::Running(running)),
            streams: Mutex::new(streams),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes ready when the process ends, and stays so.
    pub(crate) fn sentinel(&self) -> poller::Sentinel<'_> {
        self.handle.sentinel()
    }

    /// Sends a signal; none to a process that has ended.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        self.signalled.store(true, Ordering::Relaxed);
        self.handle.signal(signal)
    }

    /// Makes a handle for others.
    pub(crate) fn handle(&self) -> io::Result<ProcessHandle> {
        let (name, leads_group) = (self.identity.name.clone(), self.own_group || self.detached);
        let handle = self.handle.duplicate()?;
        let _no_fork_meanwhile = crate::sys::fork::enter();
        let (obituary, status) = match &mut *self.state() {
            State::Ended { status, .. } => (None, Some(*status)),
            // A copy of the process that started it will never know.
            State::Running(Running { channel: None, .. }) => (None, None),
            State::Running(running) => {
                let author = match running.obituary.take() {
                    Some(author) => author,
                    None => Author::new()?,
                };
                (Some(running.obituary.insert(author).reader()?), None)
            }
        };
        Ok(ProcessHandle::new(name, leads_group, handle, obituary, status))
    }

    /// Whether this process started the child, and is no copy of the one that did.
    pub(crate) fn is_ours(&self) -> bool {
        self.owner == std::process::id()
    }

    /// The status, once the process has ended: then it is reaped, and its record complete.
    pub(crate) fn poll(&self) -> io::Result<Option<ExitStatus>> {
        let mut wakers = Vec::new();
        let status = {
            let _no_fork_meanwhile = crate::sys::fork::enter();
            let mut state = self.state();
            let running = match &mut *state {
                State::Ended { status, .. } => return Ok(Some(*status)),
                State::Running(running) => running,
            };
            let Some(status) = self.handle.try_reap()? else { return Ok(None) };
            let outcome = running.conclude(status, self.signalled.load(Ordering::Relaxed));
            wakers.append(&mut running.wakers);
            if let Some(author) = running.obituary.take() {
                // There is room for one word; who cannot be told sees the end of the pair.
                let _told_or_not = author.tell(status);
            }
            *state = State::Ended { status, outcome: Some(outcome) };
            DEATHS.fetch_add(1, Ordering::Relaxed);
            status
        };
        for waker in wakers {
            waker.wake();
        }
        Ok(Some(status))
    }

    /// Waits until the process has ended, or the deadline: its status.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> io::Result<Option<ExitStatus>> {
        loop {
            let until = match (self.boot_deadline(), deadline) {
                (Some(boot), Some(deadline)) => Some(boot.min(deadline)),
                (boot, deadline) => boot.or(deadline),
            };
            let soon = (self.started.elapsed() < YOUNG)
                .then(|| SHORT_LIFE.until(|| self.handle.has_ended().then_some(())))
                .flatten();
            let ended = soon.is_some() || poller::wait(&[self.handle.sentinel()], until)?[0];
            if ended || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                match self.poll()? {
                    None if ended => self.handle.wait_reapable()?,
                    status => return Ok(status),
                }
            }
            self.enforce_boot_deadline()?;
        }
    }

    /// Until when the process must have come by the guard, if it is not known to have.
    pub(crate) fn boot_deadline(&self) -> Option<Instant> {
        let _no_fork_meanwhile = crate::sys::fork::enter();
        match &*self.state() {
            State::Running(Running { boot: Boot::Until(deadline), .. }) => Some(*deadline),
            _ => None,
        }
    }

    /// Kills a process that did not come by the guard in time.
    pub(crate) fn enforce_boot_deadline(&self) -> io::Result<()> {
        let _no_fork_meanwhile = crate::sys::fork::enter();
        let mut state = self.state();
        let State::Running(running) = &mut *state else { return Ok(()) };
        let Boot::Until(deadline) = running.boot else { return Ok(()) };
        running.listen()?;
        if matches!(running.boot, Boot::Until(_)) && Instant::now() >= deadline {
            running.boot = Boot::Missed;
            return self.handle.signal(Signal::Kill);
        }
        Ok(())
    }

    /// Has a waker woken when the process has ended; the status if it has already.
    pub(crate) fn wake_at_end(&self, waker: &Waker) -> Option<ExitStatus> {
        let _no_fork_meanwhile = crate::sys::fork::enter();
        match &mut *self.state() {
            State::Ended { status, .. } => Some(*status),
            State::Running(running) => {
                if !running.wakers.iter().any(|known| known.will_wake(waker)) {
                    running.wakers.push(waker.clone());
                }
                None
            }
        }
    }

    /// The parent's ends of the pipes to the child, as far as they have not been taken.
    pub(crate) fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In a copy of the process that started the child: lets go of what would keep the child from seeing that one's end, or the
    /// end of its input. A lock that another thread held when the copy was made stays locked in it.
    pub(crate) fn abandon(&self) {
        if let Ok(mut streams) = self.streams.try_lock() {
            *streams = Streams::default();
        }
        if let Ok(mut state) = self.state.try_lock() {
            if let State::Running(running) = &mut *state {
                running.channel = None;
                running.obituary = None;
            }
        }
    }

    /// Takes what became of the work; once.
    pub(crate) fn take_outcome(&self) -> Option<Outcome> {
        let _no_fork_meanwhile = crate::sys::fork::enter();
        match &mut *self.state() {
            State::Ended { outcome, .. } => outcome.take(),
            State::Running(_) => None,
        }
    }

    /// The error that says that the system refused to wait.
    pub(crate) fn wait_error(&self, source: io::Error) -> JoinError {
        JoinError::Wait { name: self.identity.name.clone(), pid: self.pid, source }
    }
}

impl Root for Record {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn leads_group(&self) -> bool {
        self.own_group || self.detached
    }

    fn is_reaped(&self) -> bool {
        let _no_fork_meanwhile = crate::sys::fork::enter();
        matches!(*self.state(), State::Ended { .. })
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        self.signal(signal)
    }

    fn sentinel(&self) -> poller::Sentinel<'_> {
        self.sentinel()
    }
}

impl Running {
    /// Reads what the child has said by now.
    fn listen(&mut self) -> io::Result<()> {
        while !self.said.last().is_some_and(is_answer) {
            let Some(channel) = &self.channel else { return Ok(()) };
            let Received::Message(message) = channel.try_receive()? else { return Ok(()) };
            self.said.push(message);
            self.boot = Boot::Passed;
        }
        Ok(())
    }

    /// Makes an outcome of what a child said that has ended.
    fn conclude(&mut self, status: ExitStatus, signalled: bool) -> Outcome {
        if let Err(error) = self.listen() {
            return Outcome::Unreadable(error);
        }
        match self.said.pop() {
            // It is opened by who takes it: it may be large.
            Some(message) if is_answer(&message) => return Outcome::Answered(message),
            _ => {}
        }
        match self.boot {
            Boot::Passed => Outcome::Silent,
            Boot::Missed => Outcome::NotBooted(BootError::TimedOut(boot_timeout())),
            Boot::Until(_) if signalled && status.signal().is_some() => Outcome::Silent,
            Boot::Until(_) => Outcome::NotBooted(BootError::Ended(status)),
        }
    }
}

/// Whether a message is a child's answer, after which it says nothing more.
fn is_answer(message: &Message) -> bool {
    !matches!(envelope::peek(message), Some(Report::Ready | Report::Born(_) | Report::NotBorn(_)))
}
