//! What workers, producers and the server say to each other: each message is one of a [`Link`](crate::net::remote::Link).
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
//!
//! producer                                 server
//!   | Produce { types, who it is, what it has }  |
//!   |--------------------------------------->|
//!   |      Welcome { lease, known, next }    |  or OtherTypes, or Replaced
//!   |<---------------------------------------|
//!   | Put { first, tasks }                   |  said again over the next link if it has no answer: tasks before `next` are there
//!   |--------------------------------------->|  the tasks are there, and in the journal
//!   |      Have, or Refused                  |
//!   |<---------------------------------------|
//!   | WantResult, once for each that it waits for |
//!   |--------------------------------------->|
//!   |      Outcome { index, .. }             |
//!   |<---------------------------------------|
//!   | Got { index }, when it has been taken in |
//!   |--------------------------------------->|  the result is forgotten, also in the journal
//!   |      Forgot { index }                  |
//!   |<---------------------------------------|
//!   | Beat, as above; Bye, when it ends in order |
//!   |--------------------------------------->|  what it has not got is the server's
//! ```

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::TaskFailure;
use crate::wire::codec::{Codec, CodecError, Wire};

/// The number of a task, which no other task of a server has, not even after a restart with a journal.
pub(super) type Number = u64;

/// Which tasks the numbers are of: one number for all lives of a server with a journal, and one for each life of one without.
pub(super) type Epoch = u64;

/// The number of a task among those of one producer.
pub(super) type Index = u64;

/// What becomes of a task in the end: its result, encoded.
pub(super) type Outcome = Result<Vec<u8>, TaskFailure>;

/// A task or a result in a message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Encoded(#[serde(with = "crate::wire::bytes")] pub(super) Vec<u8>);

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
    Produce {
        types: Types,
        producer: Producer,
    },
    /// Tasks with indices from the first on, all or none.
    Put {
        first: Index,
        tasks: Vec<Encoded>,
    },
    /// One thread more waits for a result.
    WantResult,
    Got {
        index: Index,
    },
    Bye,
}

/// Who a producer is, and what it has.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Producer {
    pub(super) name: String,
    /// Which of all who ever had the name.
    pub(super) life: u64,
    /// Whether it has been here before.
    pub(super) again: bool,
    /// The index of its next task, as far as it knows.
    pub(super) next: Index,
    /// The results that it has in hand.
    pub(super) holds: Vec<Index>,
    /// The results that can be forgotten.
    pub(super) got: Vec<Index>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToProducer {
    Welcome {
        /// In milliseconds.
        lease: u64,
        /// Whether its tasks are known from before.
        known: bool,
        next: Index,
    },
    OtherTypes(Types),
    /// Another has its name now.
    Replaced,
    Have {
        next: Index,
    },
    Refused {
        first: Index,
        why: Refusal,
    },
    Outcome {
        index: Index,
        outcome: Result<Encoded, TaskFailure>,
    },
    Forgot {
        index: Index,
    },
    Closing,
}

/// Why tasks were not taken.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Refusal {
    Full,
    Journal(String),
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
    let _any = decode::<ToProducer>(bytes);
}
