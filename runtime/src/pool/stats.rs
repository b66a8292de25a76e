//! What a pool tells of itself.

use std::time::Duration;

use super::crew::Worker;
use crate::sys::{ExitStatus, clock, usage};

/// What a [`Pool`](super::Pool) has done, and who its workers are. [`Report`](super::Report) tells more, also of workers that have ended.
///
/// ```
/// use offspring::Pool;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let pool = Pool::new(2)?;
///     let sum: u64 = pool.try_map(|n: u64| n + 1, 0..1000)?.iter().sum();
///     let stats = pool.stats();
///     assert_eq!((sum, stats.tasks, stats.failed, stats.workers.len()), (500_500, 1000, 0, 2));
///     assert!(stats.workers.iter().any(|worker| worker.memory.is_some()));
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The workers that there are.
    pub workers: Vec<WorkerStats>,
    /// How many tasks have been done, failed ones included but for those that ended their worker.
    pub tasks: u64,
    /// How many tasks failed in a worker: they panicked, could not be encoded or decoded there, or ended it.
    pub failed: u64,
    /// How many tasks wait for a worker.
    pub queued: u64,
    /// How many workers have been started in the place of others.
    pub restarts: u64,
}

/// What a worker has done, and how it spent its time.
///
/// The times add up: `startup`, `waiting`, `decoding` and `working` are about what it lived for. The worker measures them by the system's
/// monotonic clock; what it is at counts up to the moment of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStats {
    /// The name of the process.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// How many tasks it has done, failed ones included but for one that ended it.
    pub tasks: u64,
    /// How many tasks failed, one that ended it included.
    pub failed: u64,
    /// How long it took until it was ready for its first task, the initializer included; `None` while it is not.
    pub startup: Option<Duration>,
    /// How long it waited for something to do.
    pub waiting: Duration,
    /// How long it was at tasks: `decoding` and `working` together.
    pub busy: Duration,
    /// How long it took for the tasks themselves, and for encoding their results.
    pub working: Duration,
    /// How long it decoded arguments. Of very quick tasks a sample is measured.
    pub decoding: Duration,
    /// How long ago it was started; how long it lived, if it has ended.
    pub alive: Duration,
    /// How many bytes of memory it has resident, shared memory included; `None` when it has ended, and where the system does not tell.
    pub memory: Option<u64>,
    /// How it ended, if it has.
    pub ended: Option<ExitStatus>,
}

impl WorkerStats {
    /// All but its memory, which the system is asked for without a lock.
    pub(super) fn of(worker: &Worker) -> Self {
        let reading = worker.desk.gauge().read(clock::nanoseconds());
        let decoding = Duration::from_nanos(reading.decoding);
        let busy = Duration::from_nanos(reading.working);
        let startup = reading.ready.map(|ready| Duration::from_nanos(ready.saturating_sub(worker.begun)));
        Self {
            name: worker.who.name.clone(),
            pid: worker.who.pid,
            tasks: worker.tasks,
            failed: reading.failed + worker.lost,
            startup,
            waiting: Duration::from_nanos(reading.waiting),
            busy,
            working: busy.saturating_sub(decoding),
            decoding,
            alive: worker.started.elapsed(),
            memory: None,
            ended: None,
        }
    }

    /// Asks the system for its memory.
    pub(super) fn weigh(&mut self) {
        if self.ended.is_none() {
            self.memory = usage::resident(self.pid);
        }
    }
}
