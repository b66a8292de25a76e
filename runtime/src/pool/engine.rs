//! The engine of a pool: which worker has which job, what comes back, and what becomes of the jobs of workers that end.
//!
//! # Who does the work
//!
//! There is one queue of jobs, one channel of jobs per worker, and one channel of answers. Whoever waits for a result **attends** to the
//! pool meanwhile: it waits for messages of the workers, takes them in and hands out jobs, so that a result reaches the
//! thread that wants it without another one in between. One attends at a time; others who wait follow it. When nobody waits, the pool's
//! own thread, its [manager](super::manager), attends. It stays away while threads come and go, since two that listen to one channel
//! wake each other for nothing.
//!
//! # What a worker can die of
//!
//! A worker's end is noticed by the watcher, which tells the engine ([`Engine::bury`]). By then all that the worker
//! has sent is in the channel of answers, and what it had gathered is on its [desk](super::desk). What has no answer then, and was not
//! begun, goes back to the head of the queue. One call at most was begun and not answered: it has failed, with the
//! worker's exit status, or is begun anew as often as the pool's `retries` allow.
//!
//! The engine's lock is never held while code of the user's runs (encoding, decoding, wakers, callbacks), nor while a process is
//! started.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use super::crew::{Verdict, Worker};
use super::desk::{CLAIMS, Desk};
use super::error::{PoolError, TaskError, TaskFailure, Who};
use super::job::{Delivery, Job, Mailbox, Payload};
use super::ledger::{LOST_WORKER, Phase, Range, State, earlier};
use super::message::JobHead;
use super::report::Insight;
use super::worker::{Message, Station};
use crate::channel::{Receiver, RecvError, Sender};
use crate::launch::Failure;
use crate::process::{Child, JoinError, watcher};
use crate::sys::{clock, own};
use crate::trace::Origin;

/// How many workers in a row may end before they are ready, until the pool gives up.
const MOST_FAILED_STARTS: u32 = 3;

/// How many workers in a row may end so soon after their start, although they were ready and had nothing to do, until the pool gives up; of
/// those that were killed, until they are replaced less quickly.
const MOST_EARLY_ENDS: u32 = 10;
const EARLY: Duration = Duration::from_secs(1);

/// After how long it is tried again to start a worker.
const START_AGAIN: Duration = Duration::from_millis(100);

/// How many workers in a row may end that are about to begin a job, until it has failed.
const MOST_SPURNED: u32 = 10;

/// How many jobs a worker is given in a row at most.
const IN_A_ROW: usize = 16;

/// What is said in a copy of the process that has the pool.
pub(super) const COPIED: &str = "it belongs to the process that this one was forked from";

/// How a worker is started: given its station.
pub(super) type Start = Box<dyn Fn(Station) -> Result<Child<Option<Failure>>, PoolError> + Send + Sync>;

/// How the workers are to be.
pub(super) struct Settings {
    /// How many there are, unless that follows the work.
    pub(super) workers: usize,
    pub(super) range: Option<Range>,
    /// What makes the state of a worker; its first job.
    pub(super) initializer: Option<(u64, Payload)>,
    /// After how many calls a worker makes room for another.
    pub(super) max_tasks: Option<u64>,
    /// How many bytes of memory a worker may have at the end of a task, to get another.
    pub(super) max_memory: Option<u64>,
    /// Where the function lies that workers call at their end.
    pub(super) exit: Option<u64>,
    /// The CPUs that they run on, one each, if that is fixed.
    pub(super) cpus: Vec<usize>,
    pub(super) nice: Option<i32>,
}

pub(super) struct Engine {
    state: Mutex<State>,
    /// For those who wait while another attends.
    followers: Condvar,
    /// For the manager.
    manager: Condvar,
    answers: Receiver<Message>,
    /// The other end of it, which workers have too.
    to_answers: Sender<Message>,
    /// How often those who listen were to look around.
    pokes: AtomicU64,
    start: Start,
    settings: Settings,
    pub(super) trace: Origin,
    /// The process that has the pool: a copy of it, made by a fork, has none of its threads and workers.
    owner: u32,
}

/// The engine's state, locked. Who is to be told of what happened is told when it is unlocked.
pub(super) struct Locked<'a> {
    engine: &'a Engine,
    guard: Option<MutexGuard<'a, State>>,
}

impl Deref for Locked<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        self.guard.as_ref().expect("locked")
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.guard.as_mut().expect("locked")
    }
}

impl Locked<'_> {
    /// Unlocks for a while.
    pub(super) fn unlocked<R>(&mut self, action: impl FnOnce() -> R) -> R {
        let told = std::mem::take(&mut self.told);
        self.guard = None;
        told.into_iter().for_each(Waker::wake);
        let done = action();
        self.guard = Some(self.engine.lock_state());
        done
    }

    /// Waits for a condition's notice, or the deadline.
    fn wait(&mut self, condition: &Condvar, deadline: Option<Instant>) {
        if !self.told.is_empty() {
            return self.unlocked(|| ()); // and looks again
        }
        let guard = self.guard.take().expect("locked");
        self.guard = Some(match deadline {
            None => condition.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                condition.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
            }
        });
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // It is not locked when a waker panicked, which is the user's.
        let told = self.guard.as_mut().map(|state| std::mem::take(&mut state.told)).unwrap_or_default();
        self.guard = None;
        told.into_iter().for_each(Waker::wake);
    }
}

/// While it is there, a thread attends again and again. See [`Engine::be_present`].
pub(super) struct Presence(Arc<Engine>);

impl Drop for Presence {
    fn drop(&mut self) {
        if !self.0.is_ours() {
            return; // nobody is in a copy of the process
        }
        let mut state = self.0.lock();
        state.present -= 1;
        self.0.leave(&mut state);
    }
}

/// Whether it was ended by somebody else, as it seems.
fn is_killed(cause: &TaskFailure) -> bool {
    const SIGKILL: i32 = 9;
    const SIGTERM: i32 = 15;
    matches!(cause, TaskFailure::Ended(status) if matches!(status.signal(), Some(SIGKILL | SIGTERM)))
}

/// Tells the engine that a worker has ended.
struct Notice {
    engine: Weak<Engine>,
    worker: u64,
}

impl Wake for Notice {
    fn wake(self: Arc<Self>) {
        if let Some(engine) = self.engine.upgrade() {
            let mut state = engine.lock();
            state.dead.push(self.worker);
            engine.stir(&mut state);
        }
    }
}

impl Engine {
    pub(super) fn new(settings: Settings, start: Start) -> Result<Arc<Self>, PoolError> {
        let (to_answers, answers) = crate::channel::channel()?;
        let trace = Origin::here();
        let state = State {
            queue: VecDeque::new(),
            pinned: Vec::new(),
            workers: Vec::new(),
            next_job: 1,
            next_worker: 1,
            target: settings.range.map_or(settings.workers, |range| range.least),
            starting: 0,
            range: settings.range,
            crowded: None,
            max_memory: settings.max_memory,
            vacancies: 0,
            early: Vec::new(),
            waiters: 0,
            present: 0,
            attends: 0,
            attended: false,
            listening: 0,
            manager_sleeps: false,
            delivered: false,
            dead: Vec::new(),
            told: Vec::new(),
            callbacks: Vec::new(),
            calls_back: false,
            phase: Phase::Open,
            failed_starts: 0,
            early_ends: 0,
            start_again: None,
            exits: Vec::new(),
            activity: 0,
            call_time: 0,
            job_time: 0,
            restarts: 0,
            tasks: 0,
            insight: Insight::new(),
            trace: trace.clone(),
        };
        Ok(Arc::new(Self {
            state: Mutex::new(state),
            followers: Condvar::new(),
            manager: Condvar::new(),
            answers,
            to_answers,
            pokes: AtomicU64::new(0),
            start,
            settings,
            trace,
            owner: own::pid(),
        }))
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process has the pool, and is no copy of the one that has.
    pub(super) fn is_ours(&self) -> bool {
        self.owner == own::pid()
    }

    fn check_ours(&self) -> Result<(), PoolError> {
        if self.is_ours() { Ok(()) } else { Err(PoolError::Closed(COPIED.into())) }
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        Locked { engine: self, guard: Some(self.lock_state()) }
    }

    /// Looks at the state as it is when all is taken in that the workers have sent.
    pub(super) fn look<R>(&self, at: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        if self.is_ours() {
            self.advance(&mut state);
        }
        at(&mut state)
    }

    // --- Workers ---

    /// Starts a worker that is missing, if one is: whether one was.
    pub(super) fn start_missing(self: &Arc<Self>, state: &mut Locked<'_>) -> Result<bool, PoolError> {
        if !state.is_short_of_workers() {
            return Ok(false);
        }
        let number = state.next_worker;
        state.next_worker += 1;
        state.starting += 1;
        // The CPU that fewest have.
        let cpus = self.settings.cpus.iter().copied();
        let cpu =
            cpus.min_by_key(|cpu| state.workers.iter().filter(|worker| worker.cpu == Some(*cpu)).count());
        let started = state.unlocked(|| self.start_worker(number, cpu));
        state.starting -= 1;
        let mut worker = started?;
        worker.is_ready = state.early.contains(&number);
        state.early.retain(|early| *early != number);
        if state.vacancies > 0 {
            state.vacancies -= 1;
            state.restarts += 1;
        }
        // Its end is told from here on, unless it has come.
        let notice = Waker::from(Arc::new(Notice { engine: Arc::downgrade(self), worker: number }));
        let record = worker.child.record();
        if record.wake_at_end(&notice).is_some() {
            state.dead.push(number);
        }
        let _it_is_watched_a_little_later = watcher::hurry(record);
        if state.is_over() {
            worker.jobs = None;
            let _gone_or_going = worker.child.kill();
        }
        state.insight.started(&worker);
        state.workers.push(worker);
        self.advance(state);
        Ok(true)
    }

    /// Starts a worker that is missing. If that cannot be it is tried again later; without another worker some times, and then the pool ends.
    pub(super) fn replace(self: &Arc<Self>, state: &mut Locked<'_>) {
        match self.start_missing(state) {
            Ok(_) => state.start_again = None,
            Err(_) if state.staying() > 0 || state.failed_starts + 1 < MOST_FAILED_STARTS => {
                state.failed_starts += u32::from(state.staying() == 0);
                state.start_again = Some(Instant::now() + START_AGAIN);
                self.stir(state);
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                self.end(state, format!("{error}{cause}"));
            }
        }
    }

    fn start_worker(&self, number: u64, cpu: Option<usize>) -> Result<Worker, PoolError> {
        let (started, begun) = (Instant::now(), clock::nanoseconds());
        let (to_worker, jobs) = crate::channel::channel()?;
        let desk = Desk::create()?;
        let answers = self.to_answers.clone();
        let settings = &self.settings;
        if let Some((function, payload)) = &settings.initializer {
            let head = JobHead { function: *function, count: payload.count(), ..JobHead::default() };
            payload
                .send(&head, &to_worker, &mut Vec::new())
                .map_err(|error| PoolError::Encode(error.to_string()))?;
        }
        let has_initializer = settings.initializer.is_some();
        // The worker gets duplicates of all of it.
        let ours = Desk::open(crate::sys::Object::from(desk.object().try_clone_to_owned()?))?;
        let Settings { exit, nice, max_memory, .. } = *settings;
        let (line, source) = self.trace.connect();
        let station =
            Station { number, jobs, answers, desk, has_initializer, exit, cpu, nice, max_memory, line };
        let child = (self.start)(station)?;
        self.trace.started(child.name(), child.pid());
        Ok(Worker {
            number,
            who: Arc::new(Who { name: child.name().into(), pid: child.pid() }),
            child,
            _source: source,
            jobs: Some(to_worker),
            desk: ours,
            assigned: VecDeque::new(),
            claims: (0..CLAIMS).rev().collect(),
            is_ready: false,
            cpu,
            has_exited: false,
            verdict: None,
            full_until: None,
            is_large: false,
            is_surplus: false,
            tasks: 0,
            started,
            begun,
            lost: 0,
            staged: Vec::new(),
            ends: Vec::new(),
            buffer: Vec::new(),
            moved_on: Instant::now(),
            looks: 0,
            looked: Instant::now(),
        })
    }

    // --- Those who wait ---

    /// Waits until it is so, or the deadline; does the pool's work meanwhile. Whether it is so.
    pub(super) fn attend(
        self: &Arc<Self>,
        deadline: Option<Instant>,
        mut it_is_so: impl FnMut(&mut State) -> bool,
    ) -> bool {
        if !self.is_ours() {
            return false;
        }
        let mut state = self.lock();
        state.waiters += 1;
        state.attends += 1;
        state.activity += u64::from(state.present == 0);
        let came = loop {
            self.advance(&mut state);
            if it_is_so(&mut state) {
                break true;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break false;
            }
            if state.calls_back && state.is_short_of_workers() {
                self.replace(&mut state); // the manager may be the one that waits here, or waits for it
                continue;
            }
            if state.attended {
                state.wait(&self.followers, deadline);
                continue;
            }
            state.attended = true;
            if state.listening > 0 {
                self.poke(&mut state); // the manager: it leaves this to us
            }
            let until = earlier(deadline, state.next_look());
            self.listen(&mut state, until);
            state.attended = false;
        };
        state.waiters -= 1;
        if state.waiters > 0 {
            self.followers.notify_all(); // one of them attends
        } else {
            self.leave(&mut state);
        }
        came
    }

    /// A thread leaves: if it was the last one, the manager takes over.
    fn leave(&self, state: &mut State) {
        if !state.has_waiters() && state.manager_sleeps && state.has_work() {
            state.manager_sleeps = false;
            self.manager.notify_one();
        }
    }

    /// The thread is about to attend again and again: the manager stays away meanwhile, but for a look now and then.
    pub(super) fn be_present(self: &Arc<Self>) -> Option<Presence> {
        if !self.is_ours() {
            return None;
        }
        let mut state = self.lock();
        state.present += 1;
        state.activity += 1;
        Some(Presence(Arc::clone(self)))
    }

    /// Waits for messages.
    pub(super) fn listen(&self, state: &mut Locked<'_>, until: Option<Instant>) {
        state.listening += 1;
        let pokes = self.pokes.load(Ordering::SeqCst);
        let was_poked = || self.pokes.load(Ordering::SeqCst) != pokes;
        let waited = state.unlocked(|| self.answers.wait_until(until, &was_poked));
        state.listening -= 1;
        if self.answers.is_empty() && until.is_some() {
            state.look_at_desks(Instant::now(), || self.answers.is_empty());
        }
        if let Err(error) = waited {
            self.end(state, format!("the system refuses to wait for the workers: {error}"));
        }
    }

    /// Makes those who listen look around.
    fn poke(&self, state: &mut State) {
        state.activity += 1;
        self.pokes.fetch_add(1, Ordering::SeqCst);
        // What fails is the socket of the channel: then all who listen see that it is at its end.
        let _they_look_anyway = self.to_answers.wake_receivers();
    }

    /// Makes somebody look around, whoever there is.
    pub(super) fn stir(&self, state: &mut State) {
        if state.listening > 0 {
            self.poke(state);
        }
        if state.waiters > 0 {
            self.followers.notify_all();
        } else {
            state.manager_sleeps = false;
            self.manager.notify_one();
        }
    }

    /// The manager sleeps, until the deadline if there is one: so long that it has to be told of what there is to do.
    pub(super) fn sleep(&self, state: &mut Locked<'_>, deadline: Option<Instant>, long: bool) {
        state.manager_sleeps = long;
        state.wait(&self.manager, deadline);
        state.manager_sleeps = false;
    }

    // --- What there is to do ---

    /// Takes in what the workers have sent, buries those that have ended, enforces limits, hands out jobs.
    pub(super) fn advance(&self, state: &mut Locked<'_>) {
        self.receive(state);
        if !state.dead.is_empty() {
            // All that they have sent was sent before they ended.
            let dead = std::mem::take(&mut state.dead);
            if self.receive(state) {
                for number in dead {
                    self.bury(state, number);
                }
            } else {
                state.dead.extend(dead); // there is more to receive, and whoever listens comes back at once
            }
        }
        state.enforce_limits();
        self.hand_out(state);
        if std::mem::take(&mut state.delivered) {
            if state.waiters > 1 || (state.waiters > 0 && state.listening > 0) {
                self.followers.notify_all();
            }
            if state.listening > 0 && state.waiters > 0 {
                self.poke(state);
            }
        }
        if !state.callbacks.is_empty() || state.is_short_of_workers() {
            self.call_manager(state);
        }
    }

    /// There is something that the manager alone does.
    fn call_manager(&self, state: &mut State) {
        if state.listening > 0 && state.waiters == 0 {
            self.poke(state); // it is the one that listens, unless it is the one that calls
        }
        state.manager_sleeps = false;
        self.manager.notify_one();
    }

    /// Takes in what the workers have sent: whether that was all.
    fn receive(&self, state: &mut State) -> bool {
        let mut now = None;
        while !self.answers.is_empty() {
            let now = *now.get_or_insert_with(Instant::now);
            let taken = self.answers.try_recv_raw(|raw, beside| state.take_in(raw, beside, now));
            match taken {
                Ok(()) => {}
                // Somebody else holds the channel for too long.
                Err(RecvError::Empty) => return false,
                Err(RecvError::Disconnected) => break,
                Err(error) => {
                    self.end(state, format!("the answers of the workers cannot be received: {error}"));
                    break;
                }
            }
        }
        true
    }

    /// A worker has ended: what becomes of its jobs.
    fn bury(&self, state: &mut State, number: u64) {
        let Some(place) = state.workers.iter().position(|worker| worker.number == number) else { return };
        if let Some(held) = state.workers[place].desk.held() {
            state.take_held(number, &held, Instant::now());
        }
        let mut worker = state.workers.swap_remove(place);
        let (cause, told) = match worker.child.join() {
            Ok(Some(failure)) => (TaskFailure::from(failure), true),
            Ok(None) => (TaskFailure::Ended(crate::ExitStatus::Exited(0)), false),
            Err(JoinError::Panicked { panic, .. }) => (TaskFailure::Panicked(panic), false),
            Err(JoinError::Ended { status, .. }) => (TaskFailure::Ended(status), false),
            Err(error) => (TaskFailure::Pool(error.to_string()), false),
        };
        let status = worker.child.exit_status();
        state.insight.died(&worker, status);
        match &cause {
            TaskFailure::Ended(status) => self.trace.ended(&worker.who.name, worker.who.pid, status),
            cause => self.trace.ended(&worker.who.name, worker.who.pid, cause),
        }
        let had_nothing = worker.assigned.is_empty();
        let mut is_next = worker.is_ready && worker.verdict.is_none() && !state.is_over();
        for mut assigned in std::mem::take(&mut worker.assigned) {
            let begun = worker.desk.begun(assigned.claim, assigned.count);
            if begun > assigned.answered {
                let call = assigned.job.first + assigned.answered;
                assigned.answered += 1;
                let verdict = worker
                    .verdict
                    .take_if(|verdict| (verdict.job, verdict.call) == (assigned.job.number, call));
                let failed = state.call_is_lost(&worker, &assigned.job, call, &cause, verdict);
                worker.lost += u64::from(failed);
                is_next = false;
            }
            // Perhaps it cannot be taken by any worker: it is not tried for ever.
            if assigned.answered < assigned.count && std::mem::take(&mut is_next) {
                assigned.job.spurned = if assigned.answered == 0 { assigned.job.spurned + 1 } else { 0 };
                if assigned.job.spurned >= MOST_SPURNED {
                    state.fail_rest(assigned, &cause, &worker.who);
                    continue;
                }
            }
            state.put_back(&assigned);
        }
        state.tasks += worker.tasks;
        state.insight.keep(&worker, status);
        let is_unexpected = worker.jobs.is_some() && worker.verdict.is_none();
        if state.is_over() {
            return;
        }
        state.vacancies += u64::from(!worker.leaves());
        if self.settings.exit.is_some() && worker.is_ready && worker.leaves() && !worker.has_exited {
            let error = TaskError::of(cause.clone(), Some(Arc::clone(&worker.who)));
            state.exits.push(Delivery::Failed(0, error));
        }
        if worker.is_ready
            && is_unexpected
            && had_nothing
            && worker.tasks == 0
            && worker.started.elapsed() < EARLY
        {
            state.early_ends += 1;
            if state.early_ends >= MOST_EARLY_ENDS && is_killed(&cause) {
                state.start_again = Some(Instant::now() + START_AGAIN); // not as fast as it can be killed
            } else if state.early_ends >= MOST_EARLY_ENDS {
                let why = format!("{MOST_EARLY_ENDS} workers in a row ended soon after their start: {cause}");
                self.end(state, why);
            }
        }
        if worker.is_ready || worker.leaves() {
            return;
        }
        state.failed_starts += 1;
        if state.failed_starts >= MOST_FAILED_STARTS {
            let why = match (told, cause) {
                (true, cause) => PoolError::Initializer(cause).to_string(),
                (false, TaskFailure::Ended(status)) => PoolError::Ended(status).to_string(),
                (false, cause) => format!("a worker of the pool ended before it took a task: {cause}"),
            };
            self.end(state, why);
        }
    }

    /// Ends the pool: nothing more is done, all that is not done has failed.
    pub(super) fn end(&self, state: &mut State, why: String) {
        if matches!(state.phase, Phase::Ended(_)) {
            return;
        }
        if state.is_open() || state.has_work() {
            self.trace.closed(&why);
        }
        let pinned = std::mem::take(&mut state.pinned).into_iter().map(|(_, job)| job);
        for job in std::mem::take(&mut state.queue).into_iter().chain(pinned) {
            state.fail(&job, 0, &TaskFailure::Pool(why.clone()), None);
        }
        for place in 0..state.workers.len() {
            let worker = &mut state.workers[place];
            worker.jobs = None;
            let _gone_or_going = worker.child.kill();
            let who = Arc::clone(&worker.who);
            for assigned in std::mem::take(&mut state.workers[place].assigned) {
                state.fail_rest(assigned, &TaskFailure::Pool(why.clone()), &who);
            }
        }
        state.phase = Phase::Ended(why);
        self.stir(state);
    }

    /// Takes no more tasks.
    pub(super) fn close(&self) {
        if !self.is_ours() {
            return;
        }
        let mut state = self.lock();
        if matches!(state.phase, Phase::Open) {
            state.phase = Phase::Closed;
            self.trace.closed("`close` was called");
        }
        self.stir(&mut state);
    }

    /// Waits until the workers of a closed pool have ended, and callbacks have been called; those that call it wait for no others.
    pub(super) fn join(self: &Arc<Self>) {
        let calls_back = super::manager::manages(self);
        self.attend(None, |state| state.is_deserted() && (calls_back || !state.calls_back()));
    }

    /// Takes what exit functions returned.
    pub(super) fn take_exits(&self) -> Vec<Delivery> {
        let mut state = self.lock();
        if self.is_ours() {
            self.advance(&mut state);
        }
        std::mem::take(&mut state.exits)
    }

    /// Hands out jobs to workers that have few.
    fn hand_out(&self, state: &mut State) {
        for (number, job) in std::mem::take(&mut state.pinned) {
            match state.workers.iter_mut().find(|worker| worker.number == number) {
                None => state.fail(&job, 0, &TaskFailure::Pool(LOST_WORKER.into()), None),
                Some(worker) => match worker.give(job) {
                    Ok(()) => {}
                    Err((job, None)) => state.pinned.push((number, job)),
                    Err((job, Some(why))) => state.fail(&job, 0, &TaskFailure::Argument(why), None),
                },
            }
        }
        state.mark_surplus();
        while let Some(next) = state.queue.front() {
            let (ahead, at_least) = state.ahead(next);
            let max_tasks = self.settings.max_tasks;
            let fits = |worker: &&mut Worker| worker.takes_more(ahead, max_tasks);
            let free = state.workers.iter_mut().filter(fits).min_by_key(|worker| worker.assigned.len());
            let Some(worker) = free else { break };
            // Several quick ones in a row: their answers are neighbours.
            let in_a_row = (at_least.saturating_sub(worker.assigned.len()) / 4).clamp(1, IN_A_ROW);
            let mut refused = None;
            for _ in 0..in_a_row {
                let Some(mut job) = state.queue.pop_front() else { break };
                if let Some(mut rest) = worker.allowance(max_tasks).and_then(|left| job.split(left)) {
                    // No worker has two jobs of one number.
                    state.next_job += 1;
                    rest.number = state.next_job;
                    state.queue.push_front(rest);
                }
                refused = worker.stage(job).err();
                if refused.is_some() || !worker.takes_more(ahead, max_tasks) {
                    break;
                }
            }
            let (unsent, mut why) = worker.post();
            if let Some(refused) = refused {
                state.note(Err(refused));
            }
            for (place, job) in unsent.into_iter().enumerate().rev() {
                let why = if place == 0 { why.take() } else { None };
                state.note(Err((job, why)));
            }
        }
        if state.queue.is_empty() {
            while state.rebalance(self.settings.max_tasks) {}
        }
        state.grow();
        state.dismiss(self.settings.max_tasks);
    }

    /// Puts the calls of a job into the queue, as jobs of a size.
    ///
    /// Their numbers are the engine's to give.
    pub(super) fn submit(&self, job: Job, size: u64) -> Result<(), PoolError> {
        self.check_ours()?;
        let mut state = self.lock();
        if let Some(why) = state.why_closed() {
            return Err(PoolError::Closed(why));
        }
        let mut rest = Some(job);
        while let Some(mut job) = rest.take() {
            rest = job.split(size);
            job.number = state.new_number();
            state.queue.push_back(job);
        }
        state.activity += u64::from(state.present == 0);
        if state.has_waiters() {
            self.advance(&mut state);
        } else {
            let was_crowded = state.crowded.is_some();
            self.hand_out(&mut state);
            if (state.crowded.is_some() && !was_crowded) || !state.callbacks.is_empty() {
                self.call_manager(&mut state);
            } else if state.manager_sleeps {
                state.manager_sleeps = false;
                self.manager.notify_one();
            }
        }
        Ok(())
    }

    /// Puts one job like this for each worker into the queue.
    pub(super) fn submit_to_all(&self, job: &Job) -> Result<usize, PoolError> {
        self.check_ours()?;
        let mut state = self.lock();
        if let Some(why) = state.why_closed() {
            return Err(PoolError::Closed(why));
        }
        let numbers: Vec<u64> =
            state.workers.iter().filter(|worker| !worker.leaves()).map(|worker| worker.number).collect();
        for worker in &numbers {
            let number = state.new_number();
            state.pinned.push((*worker, Job { number, ..job.clone() }));
        }
        state.activity += 1;
        self.advance(&mut state);
        self.stir(&mut state);
        Ok(numbers.len())
    }

    /// Takes back what has not been begun of the calls whose outcomes go to a mailbox. With `kill` also what is being done, with
    /// its worker: that is for a mailbox of one call, which `is_one` says. How many calls were taken back, killed ones included.
    pub(super) fn cancel(&self, mailbox: &Arc<Mailbox>, is_one: bool, kill: bool) -> u64 {
        if !self.is_ours() {
            return 0;
        }
        let mut state = self.lock();
        self.receive(&mut state); // what is done by now is not cancelled
        let mut cancelled = 0;
        if is_one {
            // Those that wait are found from both ends: they are seldom cancelled in no order at all.
            let is_it = |job: &Job| Arc::ptr_eq(&job.mailbox, mailbox);
            let length = state.queue.len();
            let found = (0..length.div_ceil(2)).find_map(|near| {
                let far = length - 1 - near;
                [near, far].into_iter().find(|place| is_it(&state.queue[*place]))
            });
            if let Some(job) = found.and_then(|place| state.queue.remove(place)) {
                state.fail(&job, 0, &TaskFailure::Cancelled, None);
                self.advance(&mut state);
                return job.count;
            }
        } else {
            for job in std::mem::take(&mut state.queue) {
                if Arc::ptr_eq(&job.mailbox, mailbox) {
                    cancelled += job.count;
                    state.fail(&job, 0, &TaskFailure::Cancelled, None);
                } else {
                    state.queue.push_back(job);
                }
            }
        }
        let (mut failed, mut to_kill) = (Vec::new(), Vec::new());
        for (place, worker) in state.workers.iter_mut().enumerate() {
            for (at, assigned) in worker.assigned.iter_mut().enumerate() {
                if !Arc::ptr_eq(&assigned.job.mailbox, mailbox) {
                    continue;
                }
                let begun = worker.desk.take_back(assigned.claim, assigned.count);
                if begun < assigned.count {
                    let mut job = assigned.job.clone();
                    job.count = assigned.count;
                    cancelled += assigned.count - begun;
                    assigned.count = begun;
                    failed.push((job, begun));
                }
                if kill && begun > assigned.answered && worker.verdict.is_none() {
                    to_kill.push((place, at));
                }
            }
        }
        for (place, at) in to_kill {
            if !state.hold_back(place, at) {
                continue; // it is done, and its answer is on its way
            }
            let worker = &mut state.workers[place];
            let assigned = &mut worker.assigned[at];
            let call = assigned.job.first + assigned.answered;
            worker.verdict =
                Some(Verdict { job: assigned.job.number, call, failure: TaskFailure::Cancelled });
            let _gone_already = worker.child.kill();
            // It may answer before it dies, which counts no more: the caller is told that the task is cancelled.
            let mut one = assigned.job.clone();
            (one.first, one.count) = (call, 1);
            assigned.answered += 1;
            let who = Arc::clone(&worker.who);
            state.fail(&one, 0, &TaskFailure::Cancelled, Some(&who));
            cancelled += 1;
        }
        for (job, begun) in failed {
            state.fail(&job, begun, &TaskFailure::Cancelled, None);
        }
        self.advance(&mut state);
        cancelled
    }

    /// Changes how many workers there are, for good.
    pub(super) fn resize(&self, target: usize) {
        if !self.is_ours() {
            return;
        }
        let mut state = self.lock();
        state.target = target;
        (state.range, state.crowded, state.vacancies) = (None, None, 0);
        self.advance(&mut state);
        self.stir(&mut state);
    }
}
