//! Waiting for several things at once.

use std::io;
use std::time::{Duration, Instant};

use crate::sys::poller;

/// What becomes ready, and stays so, when the thing it belongs to does: a process, when it has ended.
#[derive(Clone, Copy, Debug)]
pub struct Sentinel<'a>(poller::Sentinel<'a>);

impl<'a> Sentinel<'a> {
    pub(crate) fn new(sentinel: poller::Sentinel<'a>) -> Self {
        Self(sentinel)
    }
}

#[cfg(unix)]
mod descriptor {
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

    use super::{Sentinel, Waitable};

    impl AsFd for Sentinel<'_> {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0
        }
    }

    impl AsRawFd for Sentinel<'_> {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_raw_fd()
        }
    }

    impl<'a> From<BorrowedFd<'a>> for Sentinel<'a> {
        fn from(fd: BorrowedFd<'a>) -> Self {
            Self(fd)
        }
    }

    /// A socket or a pipe, ready when it can be read or is at its end.
    impl Waitable for BorrowedFd<'_> {
        fn sentinel(&self) -> Sentinel<'_> {
            Sentinel(*self)
        }
    }
}

/// Something that [`wait`] can wait for.
pub trait Waitable {
    /// What becomes ready.
    fn sentinel(&self) -> Sentinel<'_>;

    /// What has to be told before its sentinel says anything.
    #[doc(hidden)]
    fn sleeper(&self) -> Option<&dyn Sleeper> {
        None
    }
}

/// Something whose sentinel is quiet unless somebody sleeps: in memory it is faster.
#[doc(hidden)]
pub trait Sleeper: std::fmt::Debug {
    /// One more sleeps, or one less.
    fn count(&self, lies_down: bool);

    /// Makes the sentinel tell of the next change.
    fn before_sleep(&self) -> io::Result<BeforeSleep>;

    /// Whether there is what is waited for.
    fn is_ready(&self) -> io::Result<bool>;
}

/// What [`Sleeper::before_sleep`] found.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeforeSleep {
    /// There is what is waited for.
    Ready,
    /// The sentinel will be ready when there is.
    Sleep,
    /// Somebody is about to change something: look again soon.
    Busy,
}

/// How soon to look again.
const SOON: Duration = Duration::from_millis(5);

/// Those that are slept for.
struct Sleepers<'a>(Vec<Option<&'a dyn Sleeper>>);

impl<'a> Sleepers<'a> {
    fn lie_down(things: &[&'a dyn Waitable]) -> Self {
        let sleepers: Vec<_> = things.iter().map(|thing| thing.sleeper()).collect();
        sleepers.iter().flatten().for_each(|sleeper| sleeper.count(true));
        Self(sleepers)
    }
}

impl Drop for Sleepers<'_> {
    fn drop(&mut self) {
        self.0.iter().flatten().for_each(|sleeper| sleeper.count(false));
    }
}

impl Waitable for Sentinel<'_> {
    fn sentinel(&self) -> Sentinel<'_> {
        *self
    }
}

/// Waits until at least one of several things is ready: which are, by index, in order.
///
/// A child is ready when it has ended, a [`Receiver`](crate::Receiver) or [`Connection`](crate::Connection) when something can be received or nothing
/// more can come, a socket or a pipe when it can be read or is at its end.
///
/// Without a timeout it waits as long as it takes; with one it may return an empty list. With a timeout of zero it
/// only looks. Waiting for nothing without a timeout would never end, and returns at once.
///
/// ```
/// use std::time::Duration;
///
/// fn endless() {
///     loop {
///         std::thread::park();
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let quick = offspring::spawn(|| 1, ())?;
///     let endless = offspring::spawn(endless, ())?;
///     let ready = offspring::wait(&[&endless, &quick], None)?;
///     assert_eq!(ready, [1]);
///     assert_eq!(quick.join()?, 1);
///     endless.kill()?;
///     assert_eq!(offspring::wait(&[&endless], Some(Duration::from_secs(30)))?, [0]);
///     Ok(())
/// }
/// ```
///
/// # Errors
/// When the system refuses to wait, as it does for more things than it allows descriptors.
#[doc(alias = "select")]
pub fn wait(things: &[&dyn Waitable], timeout: Option<Duration>) -> io::Result<Vec<usize>> {
    if things.is_empty() && timeout.is_none() {
        return Ok(Vec::new());
    }
    let deadline = poller::deadline(timeout);
    let sentinels: Vec<_> = things.iter().map(|thing| thing.sentinel().0).collect();
    let sleepers = Sleepers::lie_down(things);
    loop {
        let mut until = deadline;
        let mut ready = vec![false; things.len()];
        for (sleeper, ready) in sleepers.0.iter().zip(&mut ready) {
            match sleeper.map(Sleeper::before_sleep).transpose()? {
                None | Some(BeforeSleep::Sleep) => {}
                Some(BeforeSleep::Ready) => {
                    *ready = true;
                    until = Some(Instant::now());
                }
                Some(BeforeSleep::Busy) => {
                    let soon = Instant::now() + SOON;
                    until = Some(until.map_or(soon, |until| until.min(soon)));
                }
            }
        }
        let told = poller::wait(&sentinels, until)?;
        for (index, told) in told.into_iter().enumerate() {
            ready[index] |= told
                && match sleepers.0[index] {
                    None => true,
                    Some(sleeper) => sleeper.is_ready()?,
                };
        }
        if ready.contains(&true) || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(ready
                .iter()
                .enumerate()
                .filter_map(|(index, ready)| ready.then_some(index))
                .collect());
        }
    }
}
