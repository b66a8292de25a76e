//! A handle of a process that can travel.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::obituary::{Reader, Told};
use super::tree::{self, Root};
use super::wait::{Sentinel, Waitable};
use super::watcher::{self, Wish};
use crate::sys::process::{Handle, Signal};
use crate::sys::{Borrowed, ExitStatus, poller};
use crate::wire::attachment::{Arrived, Lent};

/// How long a process that has lost its parent may stay unreaped: whoever is its parent then needs no more, or never does it.
const BURIAL: Duration = Duration::from_millis(250);

/// How soon to look again meanwhile.
const SOON: Duration = Duration::from_millis(1);

/// A process, to look at, to wait for and to signal, wherever the handle is: see [`Child::handle`](crate::Child::handle).
///
/// It can be cloned, and travels: in a field of a [process class](crate::Process), an argument, an output, a message. Siblings, grandchildren and
/// strangers may hold it, for as long as they like, also when the process and its parent are long gone. It leads to this one
/// process and never to another that got its number (`pidfd_open(2)`). Dropping it does nothing to the process.
///
/// What it has not is the process's output. That is taken once, by [`Child::join`](crate::Child::join) in the process that started it: to have it
/// elsewhere, let the process send it into a [channel](crate::channel()). Nor is the [`Child`](crate::Child) itself sent: the system lets nobody but the
/// parent reap a process, and the child dies with its parent, whoever holds the handle.
///
/// # The exit status
///
/// The system tells it to the parent alone, which passes it on as soon as it knows, usually within a millisecond of the end. It is
/// [`Lost`](ExitStatus::Lost) when the parent ended without having done so, and the system does not keep it (Linux does from 6.15 on, once
/// somebody has reaped the process); and when the status was lost to the parent.
///
/// ```
/// use offspring::ProcessHandle;
///
/// fn watch(worker: ProcessHandle) -> i32 {
///     worker.kill().expect("it is ours");
///     worker.wait().expect("it can be waited for").exitcode()
/// }
///
/// fn endless() {
///     loop {
///         std::thread::park();
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let worker = offspring::spawn(endless, ())?;
///     let sibling = offspring::spawn(watch, (worker.handle()?,))?;
///     assert_eq!(sibling.join()?, -9);
///     assert_eq!(worker.wait()?.exitcode(), -9);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct ProcessHandle {
    held: Arc<Held>,
}

struct Held {
    name: String,
    /// Whether the process leads a group of its own number.
    leads_group: bool,
    handle: Handle,
    /// `None` if nobody will tell how it ended.
    obituary: Option<Reader>,
    status: OnceLock<ExitStatus>,
    /// When this process first saw that it had ended, that nobody will tell how, and that it has not been reaped.
    unburied: OnceLock<Instant>,
}

/// What is known of a process.
enum Known {
    Runs,
    /// It has ended, and its parent has not told how.
    Untold,
    /// It has ended, and whoever is its parent now has not reaped it.
    Unburied,
    Ended(ExitStatus),
}

impl ProcessHandle {
    /// Makes a handle of a process. `status`, if that is known, is how it ended; else the obituary will tell.
    pub(super) fn new(
        name: String,
        leads_group: bool,
        handle: Handle,
        obituary: Option<Reader>,
        status: Option<ExitStatus>,
    ) -> Self {
        let status = status.map_or_else(OnceLock::new, OnceLock::from);
        let unburied = OnceLock::new();
        Self { held: Arc::new(Held { name, leads_group, handle, obituary, status, unburied }) }
    }

    /// The name of the process: `Downloader-1`, or what the builder was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.held.name
    }

    /// The process id, as the process that made the handle saw it. It may be another process's once this one has ended.
    #[must_use]
    #[doc(alias = "ident")]
    #[doc(alias = "id")]
    pub fn pid(&self) -> u32 {
        self.held.handle.pid()
    }

    /// Whether the process still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.held.status.get().is_none() && !self.held.handle.has_ended()
    }

    /// How the process ended; `None` while it runs, and until its parent has passed the status on.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        match self.held.look() {
            Ok(Known::Ended(status)) => Some(status),
            _ => None,
        }
    }

    /// How the process ended, as Python's `exitcode` has it: see [`Child::exitcode`](crate::Child::exitcode). `None` as with
    /// [`exit_status`](Self::exit_status).
    #[must_use]
    pub fn exitcode(&self) -> Option<i32> {
        self.exit_status().map(ExitStatus::exitcode)
    }

    /// Waits until the process has ended and its parent has passed the status on. A parent that is stopped (`SIGSTOP`) delays that,
    /// one that is gone does not.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub fn wait(&self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.held.wait(None)? {
                return Ok(status);
            }
        }
    }

    /// Waits until the process has ended and its parent has passed the status on, but at most this long: `None` if that has not
    /// come to be. [`is_alive`](Self::is_alive) tells which of the two it was.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        self.held.wait(poller::deadline(Some(timeout)))
    }

    /// Asks the process to stop, as Ctrl-C does: SIGINT. No error when it has ended.
    ///
    /// # Errors
    /// When the system refuses, as it does if this process or that one has taken on another user's rights.
    pub fn interrupt(&self) -> io::Result<()> {
        self.held.handle.signal(Signal::Interrupt)
    }

    /// Tells the process to end: SIGTERM. Its destructors do not run. No error when it has ended.
    ///
    /// # Errors
    /// As [`interrupt`](Self::interrupt).
    pub fn terminate(&self) -> io::Result<()> {
        self.held.handle.signal(Signal::Terminate)
    }

    /// Makes the process end: SIGKILL. No error when it has ended.
    ///
    /// # Errors
    /// As [`interrupt`](Self::interrupt).
    pub fn kill(&self) -> io::Result<()> {
        self.held.handle.signal(Signal::Kill)
    }

    /// Ends the process and everything that descends from it, as [`Child::terminate_tree`](crate::Child::terminate_tree) does. When
    /// the process has been reaped already, nobody is looked for.
    ///
    /// # Errors
    /// When the system refuses to signal or to wait.
    pub fn terminate_tree(&self, grace: Duration) -> io::Result<ExitStatus> {
        if !self.held.is_reaped() {
            tree::terminate(&*self.held, grace)?;
        }
        self.wait()
    }

    /// What becomes ready when the process ends, for [`wait`](crate::wait()) and, on Unix, for `poll` and `epoll`.
    #[must_use]
    pub fn sentinel(&self) -> Sentinel<'_> {
        Sentinel::new(self.held.handle.sentinel())
    }
}

impl Held {
    fn look(&self) -> io::Result<Known> {
        if let Some(status) = self.status.get() {
            return Ok(Known::Ended(*status));
        }
        if !self.handle.has_ended() {
            return Ok(Known::Runs);
        }
        let told = self.obituary.as_ref().map_or(Ok(Told::Never), Reader::look)?;
        let status = match (told, self.handle.kept_status()) {
            (Told::Status(status), _) | (_, Some(status)) => status,
            (Told::NotYet, None) => return Ok(Known::Untold),
            (Told::Never, None) => {
                let since = *self.unburied.get_or_init(Instant::now);
                if !self.handle.is_reaped() && since.elapsed() < BURIAL {
                    return Ok(Known::Unburied);
                }
                // It may have been reaped since the look above.
                self.handle.kept_status().unwrap_or(ExitStatus::Lost)
            }
        };
        Ok(Known::Ended(*self.status.get_or_init(|| status)))
    }

    fn wait(&self, deadline: Option<Instant>) -> io::Result<Option<ExitStatus>> {
        loop {
            let (sentinel, until) = match self.look()? {
                Known::Ended(status) => return Ok(Some(status)),
                Known::Runs => (Some(self.handle.sentinel()), deadline),
                Known::Untold => (self.obituary.as_ref().map(Reader::sentinel), deadline),
                Known::Unburied => {
                    let soon = Instant::now() + SOON;
                    (None, Some(deadline.map_or(soon, |deadline| deadline.min(soon))))
                }
            };
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(None);
            }
            poller::wait(sentinel.as_slice(), until)?;
        }
    }
}

impl Root for Held {
    fn pid(&self) -> u32 {
        self.handle.pid()
    }

    fn leads_group(&self) -> bool {
        self.leads_group
    }

    fn is_reaped(&self) -> bool {
        self.status.get().is_some() || self.handle.is_reaped()
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        self.handle.signal(signal)
    }

    fn sentinel(&self) -> poller::Sentinel<'_> {
        self.handle.sentinel()
    }
}

impl Waitable for ProcessHandle {
    fn sentinel(&self) -> Sentinel<'_> {
        self.sentinel()
    }
}

impl fmt::Debug for ProcessHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ProcessHandle");
        debug.field("name", &self.name()).field("pid", &self.pid());
        match self.exit_status() {
            Some(status) => debug.field("stopped", &format_args!("{status}")),
            None => debug.field("started", &true),
        };
        debug.finish_non_exhaustive()
    }
}

/// What travels beside the descriptors.
#[derive(Serialize, Deserialize)]
struct Description {
    name: String,
    pid: u32,
    leads_group: bool,
    /// How it ended, if that is known; else an obituary may come along.
    status: Option<u64>,
}

impl Serialize for ProcessHandle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Held { name, leads_group, handle, obituary, status, .. } = &*self.held;
        let status = status.get().map(|status| super::obituary::encode(*status));
        let obituary = obituary.as_ref().filter(|_| status.is_none()).map(|reader| Lent(reader.object()));
        let description =
            Description { name: name.clone(), pid: handle.pid(), leads_group: *leads_group, status };
        let process: Borrowed<'_> = handle.travelling().map_err(ser::Error::custom)?;
        (description, Lent(process), obituary).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ProcessHandle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (description, process, obituary) =
            <(Description, Arrived, Option<Arrived>)>::deserialize(deserializer)?;
        let Description { name, pid, leads_group, status } = description;
        let handle = Handle::from_object(process.0, pid).map_err(de::Error::custom)?;
        let obituary = obituary.map(|object| Reader::from_object(object.0)).transpose();
        let obituary = obituary.map_err(de::Error::custom)?;
        Ok(Self::new(name, leads_group, handle, obituary, status.map(super::obituary::decode)))
    }
}

/// The future of a process's end: what [`ProcessHandle::wait`] returns, without a thread that waits, on any executor.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct WaitFuture<H> {
    handle: H,
    wish: Option<Wish>,
}

impl<H: AsRef<ProcessHandle> + Unpin> Future for WaitFuture<H> {
    type Output = io::Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { handle, wish } = &mut *self;
        let held = &handle.as_ref().held;
        let object = match held.look()? {
            Known::Ended(status) => return Poll::Ready(Ok(status)),
            Known::Runs => Some(held.handle.object()),
            Known::Untold => held.obituary.as_ref().map(Reader::object),
            Known::Unburied => None,
        };
        match object {
            // Whoever is about to reap it does not take long.
            None => context.waker().wake_by_ref(),
            Some(_) if wish.as_ref().is_some_and(|wish| wish.renew(context.waker())) => {}
            Some(object) => *wish = Some(watcher::wake_when_ready(object, context.waker())?),
        }
        Poll::Pending
    }
}

impl AsRef<Self> for ProcessHandle {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl IntoFuture for ProcessHandle {
    type Output = io::Result<ExitStatus>;
    type IntoFuture = WaitFuture<Self>;

    fn into_future(self) -> Self::IntoFuture {
        WaitFuture { handle: self, wish: None }
    }
}

impl<'a> IntoFuture for &'a ProcessHandle {
    type Output = io::Result<ExitStatus>;
    type IntoFuture = WaitFuture<&'a ProcessHandle>;

    fn into_future(self) -> Self::IntoFuture {
        WaitFuture { handle: self, wish: None }
    }
}
