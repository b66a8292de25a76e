//! What parent and child say to each other around a start.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use super::error::Panic;
use super::identity::Identity;
use super::method::StartMethod;
use crate::sys::ambient::Ambient;

/// The first and only thing that a parent says to a new process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The build that sends this; only the same one may follow it.
    pub(crate) build: Vec<u8>,
    pub(crate) role: Role,
}

/// What the new process is to be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    /// A forkserver; the object is the page of births.
    ForkServer,
    /// A process class or a function; the payload is its value.
    Process(Box<Life>),
}

/// All that a process needs to know to begin.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Life {
    pub(crate) target: Target,
    pub(crate) identity: Identity,
    /// The program's start method, for children of this child.
    pub(crate) start_method: StartMethod,
    /// Outlives its parent.
    pub(crate) detached: bool,
    /// Leads a process group of its own.
    pub(crate) own_group: bool,
    /// The objects of the message begin with the standard streams: these are open, the others closed. `None`: keep
    /// those that are there.
    pub(crate) standard: Option<[bool; 3]>,
    /// The next object is the directory to begin in. Then comes the lifeline, unless it is detached; those behind it are
    /// attached to the value.
    pub(crate) directory: bool,
    /// What a process that is cloned from the forkserver has to take on; others have inherited it.
    pub(crate) adopt: Option<Adopt>,
}

/// The starter's surroundings, for a process that was not executed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Adopt {
    /// Limits, masks and the like, when they may not be those that the process has.
    pub(crate) ambient: Option<Ambient>,
    /// The environment, when it is not the one that the process has.
    pub(crate) environment: Option<Vec<(OsString, OsString)>>,
}

/// What is to be run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Target {
    /// The class of this key.
    Class(String),
    /// The function at this offset in the image, for processes of one build.
    Function(u64),
}

/// What comes back over the channel.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// From the forkserver: this process was made; the object is its handle.
    Born(u32),
    /// From the forkserver: the system refused, with this error.
    NotBorn(i32),
    /// The guard was reached.
    Ready,
    /// `run` returned; the payload is its output.
    Done,
    /// It did not.
    Failed(Failure),
}

/// Why a child that was started has no output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// `run` panicked.
    Panicked(Panic),
    /// The value could not be decoded.
    Argument(String),
    /// The output could not be encoded.
    Output(String),
    /// The child does not know the class.
    UnknownClass(String),
    /// The child is another build of the program.
    OtherBuild,
    /// The process could not be set up.
    Setup(String),
}
