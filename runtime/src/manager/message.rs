//! What goes over the link between a client and a server.
//!
//! A message is a number, eight bytes with the lowest first, then a [`Request`] and its arguments, or an [`Outcome`] and its result. An
//! answer has the number of its request; answers come in any order. Requests with the number [`UNANSWERED`] have none.

use serde::{Deserialize, Serialize};

use crate::launch::Panic;

/// The number of requests that are not answered.
pub(super) const UNANSWERED: u64 = 0;

/// The number of the first request of a connection.
pub(super) const GREETING: u64 = 1;

/// How many bytes the number has.
pub(super) const NUMBER: usize = 8;

/// What a client wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Calls a method. Its arguments follow.
    Call { object: u64, method: u32 },
    /// Calls a method that takes no time, before anything else is read. Its arguments follow; what it returns goes nowhere.
    Tell { object: u64, method: u32 },
    /// Makes an object by a function of the same build, and holds it. The function's arguments follow. Answered with the object.
    Create { build: Vec<u8>, maker: u64 },
    /// Holds an object. A ticket is given back.
    Hold { object: u64, service: u64, ticket: u64 },
    /// Gives a hold up.
    Release { object: u64 },
    /// Keeps an object until the ticket is given back. Answered with the ticket.
    Ticket { object: u64 },
    /// Names an object.
    Register { name: String, object: u64 },
    /// Forgets a name. Answered with whether it was one.
    Unregister { name: String },
    /// Holds the object with a name. Answered with the object.
    Find { name: String, service: u64 },
    /// Answered with the number of objects.
    Count,
    /// Ends the server.
    Shutdown,
    /// Nobody waits any more for the answer to a call.
    Cancel { call: u64 },
    /// What a client says first. Answered with the number of the server.
    Hello,
    /// Makes what passes on the items of a stream that is an argument, and holds it. Answered with the object.
    Inlet,
}

/// What takes about as long each time: a method of an object, or what makes objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Of {
        object: u64,
        method: u32,
    },
    Maker(u64),
    /// A request that is done at once.
    None,
}

impl Request {
    pub(super) fn method(&self) -> Method {
        match *self {
            Self::Call { object, method } => Method::Of { object, method },
            Self::Create { maker, .. } => Method::Maker(maker),
            _ => Method::None,
        }
    }
}

/// How it went.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// The result follows.
    Done,
    Failed(Fault),
}

/// Why there is no result.
#[derive(Debug, Serialize, Deserialize)]
pub enum Fault {
    /// There is no object with the number.
    UnknownObject,
    /// The object is of another service than the proxy.
    OtherService,
    /// The object has no method with the number.
    UnknownMethod,
    /// Code of the user's panicked.
    Panicked(Panic),
    /// The arguments cannot be decoded.
    Arguments(String),
    /// The result cannot be encoded, or is too long.
    Result(String),
    /// Nothing has the name.
    UnknownName(String),
    /// Something else has the name.
    NameTaken(String),
    /// The server does not do that.
    Refused(String),
    /// Nobody waited any more for a call that had not begun.
    NotBegun,
    /// Who feeds a stream is gone, or has given up.
    CallerGone,
}
