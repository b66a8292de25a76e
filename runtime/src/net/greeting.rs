//! How two processes meet: the listener's side makes a pipe and offers one end, the client takes it and says so.
//!
//! ```text
//! client                          listener
//!   | connect                        |
//!   |------------------------------->| who is it? make a pipe
//!   |       Hello { Welcome, .. }, an end of the pipe
//!   |<-------------------------------|
//!   | do its types fit?              |
//!   | TAKEN, or the socket is closed |
//!   |------------------------------->| the connection is accepted, or given up
//! ```
//!
//! The socket is closed thereafter. Neither waits without seeing whether the other is there, and the listener waits for nobody
//! in particular.

use std::any::type_name;
use std::io;

use serde::{Deserialize, Serialize};

use super::{Address, ConnectError};
use crate::channel::{self, Connection};
use crate::sys::channel::{Channel, Message};
use crate::wire::{envelope, parcel};

/// What a client says of the end that it has taken.
const TAKEN: &[u8] = b"taken";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a listener says first.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    version: String,
    verdict: Verdict,
}

#[derive(Debug, Serialize, Deserialize)]
enum Verdict {
    /// An end of a pipe comes along.
    Welcome {
        /// What the listener sends.
        sends: String,
        /// What it receives.
        receives: String,
    },
    NotAllowed,
}

impl Hello {
    fn new(verdict: Verdict) -> Self {
        Self { version: VERSION.to_owned(), verdict }
    }
}

/// Offers the client one end of a new pipe: the other end.
pub(super) fn offer<S, R>(client: &Channel, settings: &channel::Builder) -> io::Result<Connection<S, R>> {
    let (ours, theirs) = settings.pipe::<S, R>()?;
    let parcel = parcel::pack(&theirs).map_err(io::Error::other)?;
    let welcome = Verdict::Welcome { sends: type_name::<S>().into(), receives: type_name::<R>().into() };
    envelope::send(client, &Hello::new(welcome), &parcel, &[])?;
    Ok(ours)
}

/// Tells a client that it is not wanted.
pub(super) fn refuse(client: &Channel) -> io::Result<()> {
    envelope::send(client, &Hello::new(Verdict::NotAllowed), &Vec::new().into(), &[])
}

/// Whether a message says that the client took its end.
pub(super) fn is_taken(message: &Message) -> bool {
    message.bytes == TAKEN
}

/// Takes the end that the listener offers.
pub(super) fn take<S, R>(
    listener: &Channel,
    message: Message,
    address: &Address,
) -> Result<Connection<S, R>, ConnectError> {
    let protocol = |why: String| ConnectError::Protocol { address: address.clone(), why };
    let opened = envelope::open::<Hello>(message).map_err(|error| protocol(error.to_string()))?;
    let (hello, bytes, mut beside) = opened.into_parcel();
    if hello.version != VERSION {
        return Err(protocol(format!("it has version {}, and this is {VERSION}", hello.version)));
    }
    match hello.verdict {
        Verdict::NotAllowed => return Err(ConnectError::NotAllowed { address: address.clone() }),
        Verdict::Welcome { sends, receives } if sends != type_name::<R>() || receives != type_name::<S>() => {
            return Err(ConnectError::OtherTypes { address: address.clone(), sends, receives });
        }
        Verdict::Welcome { .. } => {}
    }
    let connection = parcel::unpack(&bytes, &mut beside).map_err(|error| protocol(error.to_string()))?;
    listener.send(&[TAKEN], &[]).map_err(|source| {
        if envelope::is_gone(&source) {
            ConnectError::Disconnected { address: address.clone() }
        } else {
            ConnectError::System { address: address.clone(), source }
        }
    })?;
    Ok(connection)
}
