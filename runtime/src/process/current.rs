//! This process and its parent, as the family sees them.

use std::fmt;
use std::io;
use std::time::Duration;

use super::handle::ProcessHandle;
use crate::launch::identity::{self, Identity, ParentIdentity};
use crate::sys::poller;
use crate::sys::process::{self, Handle};

/// This process, as [`current`] describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Current {
    /// The name: `MainProcess`, `Downloader-1`, or what the builder was given.
    pub name: String,
    /// The process id.
    pub pid: u32,
    /// Whether the parent terminates this process when it ends itself.
    pub daemon: bool,
    /// How many processes of this library are above this one: 0 in the main process.
    pub depth: u32,
}

/// This process.
///
/// ```
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     assert_eq!(offspring::current().name, "MainProcess");
///     let child = offspring::spawn(|| offspring::current().name, ())?;
///     assert_eq!(child.name(), child.join()?);
///     Ok(())
/// }
/// ```
#[must_use]
#[doc(alias = "current_process")]
pub fn current() -> Current {
    let Identity { name, daemon, depth, .. } = identity::current().as_ref().clone();
    Current { name, pid: std::process::id(), daemon, depth }
}

/// The process that started this one, as this one sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Parent(ParentIdentity);

/// The process that started this one; `None` in one that this library did not start.
///
/// A process whose parent has ended is an orphan; of those only [detached](crate::Builder::detached) ones live on.
#[must_use]
#[doc(alias = "parent_process")]
pub fn parent() -> Option<Parent> {
    identity::current().parent.clone().map(Parent)
}

impl Parent {
    /// The name of the parent.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The process id of the parent, which may be another process's once the parent has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// Whether the parent still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        // The system gives an orphan another parent at once, so the number cannot deceive.
        process::parent_pid() == self.0.pid
    }

    /// Waits until the parent has ended, but at most this long: whether it has.
    #[must_use]
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        let deadline = poller::deadline(Some(timeout));
        match self.open() {
            Ok(handle) => poller::wait(&[handle.sentinel()], deadline).is_ok_and(|ready| ready[0]),
            Err(_) => !self.is_alive(),
        }
    }

    /// Makes a handle of the parent, which outlives it, can be waited for together with others, and can be sent to other processes.
    ///
    /// How it ended such a handle knows only where [the system keeps it](ProcessHandle#the-exit-status).
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) when the parent has ended; when the system lacks descriptors.
    pub fn handle(&self) -> io::Result<ProcessHandle> {
        // Whether it leads a group is not known here, and what is in none of its own is found by parentage.
        Ok(ProcessHandle::new(self.0.name.clone(), false, self.open()?, None, None))
    }

    fn open(&self) -> io::Result<Handle> {
        let handle = Handle::open(self.0.pid)?;
        // The handle is the parent's if the number still was when it had been opened.
        if self.is_alive() { Ok(handle) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

impl fmt::Debug for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parent").field("name", &self.name()).field("pid", &self.pid()).finish()
    }
}

/// How many processors this process may use: its affinity and its cgroup's quota count.
///
/// At least 1. Python's `cpu_count` counts what the machine has.
#[must_use]
pub fn cpu_count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The numbers of the processors that this thread may run on, from 0: for [`pin_to_cpus`](crate::pool::Builder::pin_to_cpus).
///
/// Python's `os.sched_getaffinity(0)`.
///
/// # Errors
/// Where the system does not tell: everywhere but on Linux, so far.
pub fn usable_cpus() -> std::io::Result<Vec<usize>> {
    crate::sys::cpu::usable()
}
