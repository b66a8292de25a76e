//! Why there is no manager, and why a call has no result.

use crate::launch::{Panic, StartError};
use crate::net::remote::RemoteError;
use crate::process::JoinError;

use super::message::Fault;

/// Why a manager has not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// The process could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system refused what the start needs.
    #[error("cannot start a manager: {0}")]
    System(#[from] std::io::Error),
    /// The process could not listen for its clients.
    #[error("the manager cannot listen: {0}")]
    Listen(String),
    /// The process ended before it served.
    #[error("the manager ended before it served")]
    Ended(#[source] Option<Box<JoinError>>),
    /// There is no such server, or it does not let this process in.
    #[error("cannot connect to the manager: {0}")]
    Connect(#[source] RemoteError),
    /// The process is there, and could not be reached.
    #[error("the manager cannot be reached: {0}")]
    Unreachable(#[from] CallError),
}

/// Why a call of a proxy's method has no result.
///
/// The method's own errors are not among these: they are in the result.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The server has ended, or the way to it is cut, since the call was sent. It may have been done, or not.
    #[error("the server of the object is gone, and the call may have been done: {0}")]
    ServerGone(#[source] RemoteError),
    /// The server has ended, or cannot be reached. Nothing was sent.
    #[error("the server of the object cannot be reached: {0}")]
    Unreachable(#[source] RemoteError),
    /// There is no such object any more.
    #[error("the server has no such object: nobody held it, or the server is another than it was")]
    UnknownObject,
    /// The object is of another type, or another version of it, than the proxy.
    #[error(
        "the object is of another type than its proxy, or of another version: build both programs from one source"
    )]
    OtherService,
    /// The object has no such method: its program is another version.
    #[error("the object has no such method: build both programs from one source")]
    UnknownMethod,
    /// The method panicked. The object stays, as the panic left it.
    #[error("the method panicked: {}", .0.message)]
    Panicked(Panic),
    /// The method has not returned until the proxy's [time limit](super::Proxy::with_timeout). If it has begun it goes on, or ends
    /// when it [sees that nobody waits](super::is_cancelled).
    #[error("the method has not returned in time: it may go on at the server, and its result is dropped")]
    TimedOut,
    /// The call was [cancelled](super::Proxy::with_cancel) after it was sent. It may have been done, or not; if it is being done, the method
    /// [learns of it](super::is_cancelled).
    #[error("the call was cancelled, and may have been done")]
    Cancelled,
    /// Nobody waited any more for the call when its turn came, or it was cancelled before it was sent. It was not done.
    #[error("the call was given up before its turn came, and was not done")]
    NotBegun,
    /// The arguments could not be encoded. Nothing was sent.
    #[error("the arguments cannot be sent: {0}")]
    Encode(String),
    /// The server could not decode the arguments. The method was not called.
    #[error("the server cannot read the arguments: {0}")]
    Arguments(String),
    /// The method was called, and what it returned could not be sent.
    #[error("the result of the method cannot be sent: {0}")]
    Result(String),
    /// The method was called, and what it returned could not be decoded.
    #[error("the result of the method cannot be read: {0}")]
    Decode(String),
    /// What a [`Stream`](super::Stream) that is an argument ends with when its caller is gone, or has given the call up.
    #[error("the caller is gone or has given the call up, and feeds the stream no more")]
    CallerGone,
    /// No object is registered under the name.
    #[error("no object has the name `{0}`: register one first")]
    UnknownName(String),
    /// Another object is registered under the name.
    #[error("the name `{0}` is another object's: take another, or unregister it first")]
    NameTaken(String),
    /// The server does not do that, or the request is larger than is allowed.
    #[error("refused: {0}")]
    Refused(String),
}

impl CallError {
    /// Whether the server has ended, or cannot be reached.
    #[must_use]
    pub fn is_server_gone(&self) -> bool {
        matches!(self, Self::ServerGone(_) | Self::Unreachable(_))
    }

    /// Whether the time limit passed.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut)
    }

    /// Whether the call was cancelled by this process.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled | Self::NotBegun)
    }

    /// Whether it is certain that the method was not called.
    #[must_use]
    pub fn was_not_done(&self) -> bool {
        !matches!(
            self,
            Self::ServerGone(_)
                | Self::Panicked(_)
                | Self::TimedOut
                | Self::Cancelled
                | Self::CallerGone
                | Self::Result(_)
                | Self::Decode(_)
        )
    }
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::UnknownObject => Self::UnknownObject,
            Fault::OtherService => Self::OtherService,
            Fault::UnknownMethod => Self::UnknownMethod,
            Fault::Panicked(panic) => Self::Panicked(panic),
            Fault::Arguments(why) => Self::Arguments(why),
            Fault::Result(why) => Self::Result(why),
            Fault::UnknownName(name) => Self::UnknownName(name),
            Fault::NameTaken(name) => Self::NameTaken(name),
            Fault::Refused(why) => Self::Refused(why),
            Fault::NotBegun => Self::NotBegun,
            Fault::CallerGone => Self::CallerGone,
        }
    }
}
