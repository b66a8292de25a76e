//! Queues of the kernel's events (`kqueue(2)`). A queue is ready to be read as long as events lie in it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};

/// A queue. It cannot be sent, and a copy of this process has none under its number.
#[derive(Debug)]
pub(crate) struct Queue(Kqueue);

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A descriptor can be read: its token.
    Readable(u64),
    /// [`Queue::ring`] was called.
    Bell,
}

/// How many events are taken at once.
const AT_ONCE: usize = 64;

fn event(ident: usize, filter: EventFilter, flags: EvFlags, about: FilterFlag, token: u64) -> KEvent {
    #[allow(clippy::cast_possible_truncation)] // tokens count from zero
    let token = token as isize;
    KEvent::new(ident, filter, flags, about, 0, token)
}

fn number(descriptor: BorrowedFd<'_>) -> usize {
    std::os::fd::AsRawFd::as_raw_fd(&descriptor) as usize // open, so not below zero
}

impl Queue {
    pub(crate) fn new() -> nix::Result<Self> {
        Kqueue::new().map(Self)
    }

    fn change(&self, change: KEvent) -> nix::Result<()> {
        loop {
            match self.0.kevent(&[change], &mut [], None) {
                Err(Errno::EINTR) => {}
                result => return result.map(drop),
            }
        }
    }

    /// Watches a descriptor: once, or as long as it is in the queue.
    pub(crate) fn add_readable(&self, descriptor: BorrowedFd<'_>, token: u64, once: bool) -> nix::Result<()> {
        let flags = if once { EvFlags::EV_ADD | EvFlags::EV_ONESHOT } else { EvFlags::EV_ADD };
        let filter = EventFilter::EVFILT_READ;
        self.change(event(number(descriptor), filter, flags, FilterFlag::empty(), token))
    }

    /// Watches a descriptor no more; one that has been reported once is not watched already.
    pub(crate) fn remove_readable(&self, descriptor: BorrowedFd<'_>) -> nix::Result<()> {
        let filter = EventFilter::EVFILT_READ;
        match self.change(event(number(descriptor), filter, EvFlags::EV_DELETE, FilterFlag::empty(), 0)) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Watches for the end of a process; `ESRCH` when there is none, or it has ended.
    pub(crate) fn add_exit(&self, pid: u32) -> nix::Result<()> {
        let flags = EvFlags::EV_ADD;
        self.change(event(pid as usize, EventFilter::EVFILT_PROC, flags, FilterFlag::NOTE_EXIT, 0))
    }

    /// Has a bell in the queue: once, before it is rung.
    pub(crate) fn add_bell(&self) -> nix::Result<()> {
        let flags = EvFlags::EV_ADD | EvFlags::EV_CLEAR;
        self.change(event(0, EventFilter::EVFILT_USER, flags, FilterFlag::empty(), 0))
    }

    /// Rings the bell.
    pub(crate) fn ring(&self) -> nix::Result<()> {
        self.change(event(0, EventFilter::EVFILT_USER, EvFlags::empty(), FilterFlag::NOTE_TRIGGER, 0))
    }

    /// Takes events out, waiting for one until the deadline.
    pub(crate) fn take(&self, deadline: Option<Instant>) -> nix::Result<Vec<Event>> {
        /// Longer waits are refused by some kernels; who waits so long looks again.
        const LONGEST: u64 = 24 * 60 * 60;
        let nothing = event(0, EventFilter::EVFILT_USER, EvFlags::empty(), FilterFlag::empty(), 0);
        let mut events = [nothing; AT_ONCE];
        let timeout = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            libc::timespec {
                tv_sec: left.as_secs().min(LONGEST) as libc::time_t,
                tv_nsec: libc::c_long::from(left.subsec_nanos() as i32),
            }
        });
        let count = match self.0.kevent(&[], &mut events, timeout) {
            Err(Errno::EINTR) => 0,
            count => count?,
        };
        let taken = events[..count].iter().map(|event| match event.filter() {
            Ok(EventFilter::EVFILT_USER) => Event::Bell,
            _ => Event::Readable(event.udata() as u64),
        });
        Ok(taken.collect())
    }

    /// What is ready as long as events lie in the queue.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
