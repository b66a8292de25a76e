//! The children of this process: every record from its start until it has ended and nobody asks any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::record::Record;
use crate::sys::fork;

static CHILDREN: Mutex<Vec<Arc<Record>>> = Mutex::new(Vec::new());

fn lock() -> MutexGuard<'static, Vec<Arc<Record>>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a child that has just been started.
pub(crate) fn add(record: Arc<Record>) {
    let _no_fork_meanwhile = fork::enter();
    lock().push(record);
}

/// Removes a child that has ended.
pub(crate) fn remove(record: &Arc<Record>) {
    let _no_fork_meanwhile = fork::enter();
    let mut children = lock();
    if let Some(index) = children.iter().position(|other| Arc::ptr_eq(other, record)) {
        children.swap_remove(index);
    }
}

/// All children that are not known to have ended.
pub(crate) fn all() -> Vec<Arc<Record>> {
    let _no_fork_meanwhile = fork::enter();
    lock().clone()
}

/// In a copy of this process: it has no children. Called with the gate of forks closed.
pub(crate) fn forget() {
    lock().drain(..).for_each(|record| record.abandon());
}

/// What [`active_children`] tells of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildInfo {
    /// The name of the process.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Whether it is terminated when this process ends.
    pub daemon: bool,
    /// Whether it outlives this process.
    pub detached: bool,
}

/// The children of this process that are alive, in the order of their names' numbers.
///
/// Programs that [`subprocess`](crate::subprocess) started are among them. A child that has ended is reaped, if it has
/// not been already.
#[must_use]
pub fn active_children() -> Vec<ChildInfo> {
    let mut records = all();
    records.sort_by(|one, other| one.identity.path.cmp(&other.identity.path));
    let alive = |record: &Arc<Record>| {
        let ended = record.poll().is_ok_and(|status| status.is_some());
        if ended {
            remove(record);
        }
        !ended
    };
    let info = |record: Arc<Record>| ChildInfo {
        name: record.identity.name.clone(),
        pid: record.pid,
        daemon: record.identity.daemon,
        detached: record.detached,
    };
    records.into_iter().filter(alive).map(info).collect()
}
