//! Waiting for the other side of a channel: spin or give way, nap, deep sleep. See [`super::bell`] for why none of it hangs.

use std::io;
use std::time::{Duration, Instant};

use super::ring::{Ring, Side, Which};
use crate::process::wait::BeforeSleep;
use crate::sys::channel::{Channel, Peeked};
use crate::sys::poller;
use crate::sys::spin::Spin;

/// How long a nap is at most.
const NAP: Duration = Duration::from_millis(5);

/// The message that wakes those in deep sleep.
pub(super) const TOKEN: [u8; 8] = [1, 0, 0, 0, 0, 0, 0, 0];

/// What waiting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// There is what was waited for, perhaps.
    Ready,
    TimedOut,
    /// The other side is gone.
    Gone,
}

/// One side's view of a channel: what it waits with.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) ring: &'a Ring,
    pub(super) socket: &'a Channel,
    /// Which side this is.
    pub(super) ours: Which,
    pub(super) spin: &'a Spin,
}

impl View<'_> {
    fn theirs(&self) -> &Side {
        self.ring.side(self.ours.other())
    }

    /// Waits until there is something, the other side is gone, or the deadline.
    pub(super) fn wait(&self, there_is: &dyn Fn() -> bool, deadline: Option<Instant>) -> io::Result<Waited> {
        let over = || there_is() || self.ring.is_closed();
        let origin = self.ring.cpu_of(self.ours.other());
        if self.spin.until_from(origin, || over().then_some(())).is_some() {
            return Ok(Waited::Ready);
        }
        // Most naps are short: no clock is read for the first.
        let first =
            deadline.map_or(NAP, |deadline| deadline.saturating_duration_since(Instant::now()).min(NAP));
        self.theirs().bell.nap_for(over, Some(first))?;
        if over() {
            return Ok(Waited::Ready);
        }
        let soon = Instant::now() + NAP;
        loop {
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(Waited::TimedOut);
            }
            if now >= soon {
                break;
            }
            let until = deadline.map_or(soon, |deadline| deadline.min(soon));
            self.theirs().bell.nap(over, Some(until))?;
            if over() {
                return Ok(Waited::Ready);
            }
        }
        let _lying = self.theirs().bell.lie_down();
        loop {
            match self.before_sleep(&over)? {
                BeforeSleep::Ready => {
                    let gone = !over() && self.socket.is_closed()?;
                    return Ok(if gone && !over() { Waited::Gone } else { Waited::Ready });
                }
                BeforeSleep::Sleep => {
                    // Who wakes without the locks may have been between: its token is among those that were just taken.
                    if over() {
                        return Ok(Waited::Ready);
                    }
                    poller::wait(&[self.socket.sentinel()], deadline)?;
                }
                BeforeSleep::Busy => {
                    let soon = Instant::now() + NAP;
                    let until = deadline.map_or(soon, |deadline| deadline.min(soon));
                    self.theirs().bell.nap(over, Some(until))?;
                }
            }
            if over() {
                return Ok(Waited::Ready);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(Waited::TimedOut);
            }
        }
    }

    /// Makes the socket tell of the next change, for one who is counted as lying down.
    ///
    /// Both locks are held while it looks and asks, so that nobody is between token and change: whoever changes something
    /// from then on sees the question first.
    pub(super) fn before_sleep(&self, there_is: &dyn Fn() -> bool) -> io::Result<BeforeSleep> {
        let Some(_theirs) = self.ring.try_lock(self.ours.other())? else { return Ok(BeforeSleep::Busy) };
        if there_is() {
            return Ok(BeforeSleep::Ready);
        }
        let Some(_ours) = self.ring.try_lock(self.ours)? else { return Ok(BeforeSleep::Busy) };
        let bell = &self.theirs().bell;
        loop {
            match self.socket.peek()? {
                Peeked::Empty => break,
                Peeked::Closed => return Ok(BeforeSleep::Ready),
                Peeked::Message(token) if token == u64::from_ne_bytes(TOKEN) => {
                    if bell.others_lie_down() {
                        bell.ask(); // it may have been theirs
                    }
                    self.socket.try_receive()?;
                }
                // Objects of a message whose sender has died before it sent it, or of one that has just been received.
                Peeked::Message(_) => {
                    self.socket.try_receive()?;
                }
            }
        }
        bell.ask();
        Ok(BeforeSleep::Sleep)
    }
}

/// Before a change, with the lock of the side that makes it held: wakes the other side's deep sleepers.
///
/// `behind_objects` when objects have just been sent: who receives those takes the tokens before them out of the socket, perhaps before
/// the sleepers have seen them. So there is always one behind objects while anybody sleeps.
pub(super) fn send_token(side: &Side, socket: &Channel, behind_objects: bool) -> io::Result<()> {
    let asked = side.bell.wants_token();
    if asked.is_none() && !(behind_objects && side.bell.somebody_lies_down()) {
        return Ok(());
    }
    // Where there is no room for it, there is something to read: that wakes as well, and the question stays.
    if let (true, Some(asked)) = (socket.try_send(&[&TOKEN], &[])?, asked) {
        side.bell.answer(asked);
    }
    Ok(())
}
