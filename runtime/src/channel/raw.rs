//! Messages as they are, for the parts of this crate that encode and decode themselves.

use std::io;
use std::time::Instant;

use super::ends::{Patience, Raw};
use super::error::{RecvError, SendFailure};
use super::receiver::Receiver;
use super::ring::{Form, Which};
use super::sender::Sender;
use super::waiting::TOKEN;
use crate::wire::parcel::{Beside, Parcel};

impl<T> Sender<T> {
    /// Sends a parcel; waits while the channel is full.
    pub(crate) fn send_parcel(&self, parcel: &Parcel) -> Result<(), SendFailure> {
        self.end.send(parcel, Form::Value, Patience::Until(None))
    }

    /// Sends a parcel, if that can be done at once.
    pub(crate) fn try_send_parcel(&self, parcel: &Parcel) -> Result<(), SendFailure> {
        self.end.send(parcel, Form::Value, Patience::None)
    }

    /// Sends short messages without anything beside, of which this one buffer has one behind the other up to where each ends: how many of them
    /// could be sent at once, if the first could.
    pub(crate) fn try_send_all(&self, bytes: &[u8], ends: &[usize]) -> Result<usize, SendFailure> {
        self.end.send_all(bytes, ends, Form::Value)
    }

    /// Sends a parcel; waits while the channel is full, but not longer than until then.
    #[cfg(feature = "tracing")]
    pub(crate) fn send_parcel_until(&self, parcel: &Parcel, deadline: Instant) -> Result<(), SendFailure> {
        self.end.send(parcel, Form::Value, Patience::Until(Some(deadline)))
    }

    /// Wakes all who wait to receive, for a reason of their own that they see by now. Takes no lock: a process that was stopped with one in its hands
    /// is in nobody's way.
    pub(crate) fn wake_receivers(&self) -> io::Result<()> {
        let bell = &self.end.ring.side(Which::Senders).bell;
        bell.ring_for_all();
        if bell.somebody_lies_down() {
            // Where there is no room for a token there is something to read, which wakes as well.
            let _room = self.end.socket.try_send(&[&TOKEN], &[])?;
        }
        Ok(())
    }
}

impl<T> Receiver<T> {
    /// Receives a message as it is, if there is one. Where its handles cannot be received it comes without them.
    pub(crate) fn try_recv_raw<R>(&self, take: impl FnOnce(Raw<'_>, Beside) -> R) -> Result<R, RecvError> {
        self.end.receive_raw(Patience::None, take)
    }

    /// Receives a message as it is. Where its handles cannot be received it comes without them.
    pub(crate) fn recv_raw<R>(&self, take: impl FnOnce(Raw<'_>, Beside) -> R) -> Result<R, RecvError> {
        self.end.receive_raw(Patience::Until(None), take)
    }

    /// Receives short messages without anything beside, as they are, if there are any at once: puts them one behind the other, up to where each
    /// ends, until there are so many.
    pub(crate) fn try_recv_all(
        &self,
        bytes: &mut Vec<u8>,
        ends: &mut Vec<usize>,
        most: usize,
    ) -> io::Result<()> {
        self.end.receive_all(bytes, ends, most)
    }

    /// Waits until a message can be received, nothing more can come, it is over for another reason, or the deadline.
    ///
    /// Who makes it over for another reason [wakes](Sender::wake_receivers) those who wait.
    pub(crate) fn wait_until(&self, deadline: Option<Instant>, over: &dyn Fn() -> bool) -> io::Result<()> {
        let over = || self.end.ring.has_data() || over();
        self.end.view(Which::Receivers).wait(&over, deadline).map(drop)
    }
}
