//! Waiting for several things at once.

use std::io;
use std::time::Duration;

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
}

impl Waitable for Sentinel<'_> {
    fn sentinel(&self) -> Sentinel<'_> {
        *self
    }
}

/// Waits until at least one of several things is ready: which are, by index, in order.
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
    let sentinels: Vec<_> = things.iter().map(|thing| thing.sentinel().0).collect();
    let ready = poller::wait(&sentinels, poller::deadline(timeout))?;
    Ok(ready.into_iter().enumerate().filter_map(|(index, ready)| ready.then_some(index)).collect())
}
