//! What a pool tells of itself.

use std::time::Duration;

/// What a [`Pool`](super::Pool) has done, and who its workers are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The workers that there are.
    pub workers: Vec<WorkerStats>,
    /// How many tasks have been done, failed ones included but for those that ended their worker.
    pub tasks: u64,
    /// How many tasks wait for a worker.
    pub queued: u64,
    /// How many workers have been started in the place of others.
    pub restarts: u64,
}

/// What a worker has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStats {
    /// The name of the process.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// How many tasks it has done.
    pub tasks: u64,
    /// How long it took for them.
    pub busy: Duration,
    /// How long ago it was started.
    pub alive: Duration,
}
