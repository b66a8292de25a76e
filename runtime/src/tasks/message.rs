//! What a worker and the server say to each other: each message is one of a [`Link`](crate::net::remote::Link).
//!
//! ```text
//! worker                                   server
//!   | Hello { types, what it holds }         |
//!   |--------------------------------------->|
//!   |      Welcome { epoch, lease }          |  or OtherTypes
//!   |<---------------------------------------|
//!   | Want, once for each task that it waits for |
//!   |--------------------------------------->|
//!   |      Task { number, .. }               |  now it is leased
//!   |<---------------------------------------|
//!   | Done { number, .. }, or GiveBack       |
//!   |--------------------------------------->|  the result is in the queue, and in the journal
//!   |      Receipt { number, .. }            |
//!   |<---------------------------------------|
//!   | Beat, when it has said nothing for a third of the lease
//!   |--------------------------------------->|
//!   |      Closing                           |  it is over: do not come back
//!   |<---------------------------------------|
//! ```

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::wire::codec::{Codec, CodecError, Wire};

/// The number of a task, which no other task of a server has, not even after a restart with a journal.
pub(super) type Number = u64;

/// Which tasks the numbers are of: one number for all lives of a server with a journal, and one for each life of one without.
pub(super) type Epoch = u64;

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToServer {
    Hello {
        types: Types,
        /// The tasks that it works on since an earlier link.
        holds: Vec<(Epoch, Number)>,
    },
    /// One thread more waits for a task.
    Want,
    /// A task is not going to be done here. `lost` says that something went wrong.
    GiveBack {
        epoch: Epoch,
        number: Number,
        lost: bool,
    },
    Done {
        epoch: Epoch,
        number: Number,
        #[serde(with = "crate::wire::bytes")]
        result: Vec<u8>,
    },
    Beat,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToWorker {
    Welcome {
        epoch: Epoch,
        /// In milliseconds.
        lease: u64,
    },
    OtherTypes(Types),
    Task {
        number: Number,
        #[serde(with = "crate::wire::bytes")]
        task: Vec<u8>,
    },
    Receipt {
        epoch: Epoch,
        number: Number,
        receipt: Receipt,
    },
    Closing,
}

/// What became of a result that a worker [put](super::WorkerResults::put).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Receipt {
    /// It is the task's result.
    Taken,
    /// The task had been given to another worker, whose result came first; or it had come from here already, over a link that was cut.
    AlreadyDone,
    /// The server does not know the task: it was restarted without a journal.
    Unknown,
}

/// The names of the types of tasks and results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Types {
    pub(super) task: String,
    pub(super) result: String,
}

impl Types {
    pub(super) fn of<T, R>() -> Self {
        Self { task: std::any::type_name::<T>().into(), result: std::any::type_name::<R>().into() }
    }
}

/// Values that travel hold no handles: that is an error of the value.
pub(super) fn encode<M: Serialize + ?Sized>(message: &M) -> Result<Vec<u8>, CodecError> {
    Wire::encode(message)
}

pub(super) fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, CodecError> {
    Wire::decode(bytes)
}

/// One of the messages above, which hold nothing that could not be encoded.
pub(super) fn frame<M: Serialize>(message: &M) -> Vec<u8> {
    encode(message).expect("a message of ours can be encoded")
}

/// Reads what a peer that has been let in may send, whatever it is: for fuzzers.
#[cfg(fuzzing)]
pub(crate) fn read_anything(bytes: &[u8]) {
    let _any = decode::<ToServer>(bytes);
    let _any = decode::<ToWorker>(bytes);
}
