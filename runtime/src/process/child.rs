//! The handle of a child process.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::error::JoinError;
use super::handle::ProcessHandle;
use super::record::{Outcome, Record};
use super::wait::{Sentinel, Waitable};
use super::{children, tree, watcher};
use crate::launch::forkserver;
use crate::launch::order::Report;
use crate::sys::process::Signal;
use crate::sys::{ExitStatus, poller};
use crate::wire::{envelope, parcel};

/// A child process: wait for it, take its output, signal it.
///
/// All methods take `&self`, so a handle can be shared: one thread may join while another terminates. Dropping the
/// handle does nothing to the process, as with [`std::thread::JoinHandle`]; what becomes of it when this process ends
/// depends on its [daemon flag](crate::Builder::daemon).
///
/// `child.await` and `(&child).await` do what [`join`](Self::join) does, on any executor.
pub struct Child<T> {
    record: Arc<Record>,
    output: PhantomData<fn() -> T>,
}

impl<T> Child<T> {
    pub(crate) fn new(record: Arc<Record>) -> Self {
        children::add(Arc::clone(&record));
        // Only memory can lack: then nobody but who joins sees it end.
        let _unwatched = watcher::watch(&record);
        Self { record, output: PhantomData }
    }

    /// The name: `Downloader-1`, or what the builder was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.record.identity.name
    }

    /// The process id. It stays this child's own until it has ended, whatever other processes come and go.
    #[must_use]
    #[doc(alias = "ident")]
    #[doc(alias = "id")]
    pub fn pid(&self) -> u32 {
        self.record.pid
    }

    /// Whether the child is terminated, and not waited for, when this process ends.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.record.identity.daemon
    }

    /// Whether the process still runs. Reaps it if it has just ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.exit_status().is_none()
    }

    /// How the process ended; `None` while it runs.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        let status = self.record.poll().ok().flatten();
        if status.is_some() {
            self.let_go();
        }
        status
    }

    /// How the process ended, as Python's `exitcode` has it: 0 after `run` returned, the code of an exit, 101 after a
    /// panic, `-N` after signal N; `None` while it runs.
    #[must_use]
    pub fn exitcode(&self) -> Option<i32> {
        self.exit_status().map(ExitStatus::exitcode)
    }

    /// Waits until the process has ended, and leaves its output for a later join.
    ///
    /// # Errors
    /// When the system refuses to wait, or this process is a copy of the one that started the child.
    pub fn wait(&self) -> Result<ExitStatus, JoinError> {
        loop {
            if let Some(status) = self.wait_until(None)? {
                return Ok(status);
            }
        }
    }

    /// Waits until the process has ended, but at most this long: `None` if it still runs.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<ExitStatus>, JoinError> {
        self.wait_until(poller::deadline(Some(timeout)))
    }

    /// The process has ended: nobody but this handle needs to know of it any more.
    fn let_go(&self) {
        children::remove(&self.record);
        // What cannot be taken back the watcher will see, and drop, in time.
        let _later = watcher::unwatch(&self.record);
    }

    fn wait_until(&self, deadline: Option<Instant>) -> Result<Option<ExitStatus>, JoinError> {
        if !self.record.is_ours() {
            return Err(JoinError::NotAChild { name: self.name().into(), pid: self.pid() });
        }
        let refused = |error| self.record.wait_error(error);
        if let Some(status) = self.record.poll().map_err(refused)? {
            self.let_go();
            return Ok(Some(status));
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(None);
        }
        // This thread looks from here on: the watcher need not be woken as well, unless tasks wait too.
        watcher::unwatch(&self.record).map_err(refused)?;
        forkserver::refill();
        let status = self.record.wait(deadline).map_err(refused)?;
        if status.is_some() {
            self.let_go();
        } else {
            watcher::watch(&self.record).map_err(refused)?;
        }
        Ok(status)
    }

    /// Asks the process to stop, as Ctrl-C does: SIGINT. No error when it has ended.
    ///
    /// # Errors
    /// When the system refuses, as it does if the process has taken on another user's rights.
    pub fn interrupt(&self) -> io::Result<()> {
        self.record.signal(Signal::Interrupt)
    }

    /// Tells the process to end: SIGTERM. Its destructors do not run. No error when it has ended.
    ///
    /// # Errors
    /// As [`interrupt`](Self::interrupt).
    pub fn terminate(&self) -> io::Result<()> {
        self.record.signal(Signal::Terminate)
    }

    /// Makes the process end: SIGKILL. No error when it has ended.
    ///
    /// # Errors
    /// As [`interrupt`](Self::interrupt).
    pub fn kill(&self) -> io::Result<()> {
        self.record.signal(Signal::Kill)
    }

    /// Ends the process and everything that descends from it: SIGTERM to all, then, after `grace`, SIGKILL to who is left.
    /// Without a grace, SIGKILL at once.
    ///
    /// Returns when all of them have ended: how the child did. Descendants are found by parentage and by the child's
    /// process group; one that left both (a daemon that forked twice into a session of its own) is not found.
    ///
    /// # Errors
    /// When the system refuses to signal or to wait.
    pub fn terminate_tree(&self, grace: Duration) -> Result<ExitStatus, JoinError> {
        tree::terminate(&*self.record, grace).map_err(|error| self.record.wait_error(error))?;
        self.wait()
    }

    /// Makes a handle of the process that others can have: it can be cloned, travels to other processes, and knows all of the process but
    /// its output.
    ///
    /// It holds two descriptors here and two wherever it arrives; while there are such handles of a child that runs, this process holds two more.
    ///
    /// # Errors
    /// When the system lacks descriptors.
    pub fn handle(&self) -> io::Result<ProcessHandle> {
        let handle = self.record.handle()?;
        // Others wait for this process to notice the end: it looks at once.
        watcher::hurry(&self.record)?;
        Ok(handle)
    }

    /// What becomes ready when the process ends, for [`wait`](crate::wait()) and, on Unix, for `poll` and `epoll`.
    #[must_use]
    pub fn sentinel(&self) -> Sentinel<'_> {
        Sentinel::new(self.record.sentinel())
    }

    /// Takes the end to write to of the child's standard input, if that is [piped](crate::Stdio::piped). Dropping it is
    /// the end of the input.
    #[must_use]
    pub fn stdin(&self) -> Option<ChildStdin> {
        self.record.streams().stdin.take().map(ChildStdin::from)
    }

    /// Takes the end to read from of the child's standard output, if that is [piped](crate::Stdio::piped).
    #[must_use]
    pub fn stdout(&self) -> Option<ChildStdout> {
        self.record.streams().stdout.take().map(ChildStdout::from)
    }

    /// Takes the end to read from of the child's standard error, if that is [piped](crate::Stdio::piped).
    #[must_use]
    pub fn stderr(&self) -> Option<ChildStderr> {
        self.record.streams().stderr.take().map(ChildStderr::from)
    }

    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }
}

impl<T: DeserializeOwned> Child<T> {
    /// Waits until the process has ended, and takes its output.
    ///
    /// The process has ended when this returns. It never waits for the parent: an output of any size is kept for a join
    /// that comes late.
    ///
    /// # Errors
    /// A panic, an exit, a signal, an output that cannot be decoded: see [`JoinError`]. The output can be taken once.
    pub fn join(&self) -> Result<T, JoinError> {
        let status = self.wait()?;
        self.take(status)
    }

    /// Waits until the process has ended, but at most this long, and takes its output: `None` if it still runs.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<Option<T>, JoinError> {
        self.wait_timeout(timeout)?.map(|status| self.take(status)).transpose()
    }

    /// Takes the output if the process has ended: `None` if it still runs.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn try_join(&self) -> Result<Option<T>, JoinError> {
        self.join_timeout(Duration::ZERO)
    }

    /// Makes an output of what the child answered.
    pub(crate) fn take(&self, status: ExitStatus) -> Result<T, JoinError> {
        let (name, pid) = (self.record.identity.name.clone(), self.record.pid);
        let lost =
            |name, error: &dyn fmt::Display| JoinError::Output { name, pid, reason: error.to_string() };
        match self.record.take_outcome() {
            None => Err(JoinError::AlreadyJoined { name, pid }),
            Some(Outcome::Silent) => Err(JoinError::Ended { name, pid, status }),
            Some(Outcome::NotBooted(reason)) => Err(JoinError::Boot { name, pid, reason }),
            Some(Outcome::Unreadable(error)) => Err(lost(name, &error)),
            Some(Outcome::Answered(message)) => match envelope::open::<Report>(message) {
                Err(error) => Err(lost(name, &error)),
                Ok(opened) => {
                    let (header, payload, mut beside) = opened.into_parcel();
                    match header {
                        Report::Done => {
                            parcel::unpack(&payload, &mut beside).map_err(|error| lost(name, &error))
                        }
                        Report::Failed(failure) => Err(JoinError::of_failure(name, pid, failure, status)),
                        Report::Ready | Report::Born(_) | Report::NotBorn(_) => {
                            Err(JoinError::Ended { name, pid, status })
                        }
                    }
                }
            },
        }
    }
}

/// Pipes that nobody took are closed: a child that reads sees the end of its input.
impl<T> Drop for Child<T> {
    fn drop(&mut self) {
        drop(std::mem::take(&mut *self.record.streams()));
    }
}

impl<T> Waitable for Child<T> {
    fn sentinel(&self) -> Sentinel<'_> {
        self.sentinel()
    }
}

impl<T> fmt::Debug for Child<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Child");
        debug.field("name", &self.name()).field("pid", &self.pid());
        match self.exit_status() {
            Some(status) => debug.field("stopped", &format_args!("{status}")),
            None => debug.field("started", &true),
        };
        debug.finish_non_exhaustive()
    }
}
