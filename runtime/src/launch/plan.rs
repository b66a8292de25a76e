//! What is to be started, and what came of it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::StartError;
use super::identity::Identity;
use super::method::{StartMethod, start_method};
use super::order::{Adopt, Life, Order, Role, Target};
use crate::sys::channel::{Channel, Message};
use crate::sys::exec::Group;
use crate::sys::process::{Handle, Signal};
use crate::sys::{Borrowed, Object, ambient, borrow, image, lifeline, poller};
use crate::wire::envelope;
use crate::wire::parcel::Parcel;

/// A process to be.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) method: StartMethod,
    pub(crate) target: Target,
    /// The value; a copy of this process lets go of what travels beside it.
    pub(crate) parcel: &'a Mutex<Parcel>,
    pub(crate) identity: Identity,
    pub(crate) detached: bool,
    pub(crate) own_group: bool,
    pub(crate) standard: [Stream; 3],
    /// The far ends of those of them that are pipes, which a copy of this process lets go of.
    pub(crate) far_ends: &'a Mutex<Streams>,
    pub(crate) environment: &'a Environment,
    pub(crate) directory: Option<&'a PathBuf>,
}

/// Where a standard stream of the child goes.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Where the parent's goes.
    Inherit,
    /// To this object.
    To(Object),
}

/// The parent's ends of the pipes to a child.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) stdin: Option<Object>,
    pub(crate) stdout: Option<Object>,
    pub(crate) stderr: Option<Object>,
}

/// A process that was just made. Unless it is kept, it is ended: a start that fails leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Newborn(Option<Handle>);

impl Newborn {
    pub(crate) fn new(handle: Handle) -> Self {
        Self(Some(handle))
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.as_ref().is_some_and(Handle::has_ended)
    }

    /// Nothing can fail any more.
    pub(crate) fn keep(mut self) -> Handle {
        self.0.take().expect("it is taken once, here")
    }
}

impl Drop for Newborn {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            end(handle);
        }
    }
}

/// Makes a child end, and reaps it.
pub(crate) fn end(handle: &Handle) {
    let ended = handle.signal(Signal::Kill).and_then(|()| poller::wait(&[handle.sentinel()], None));
    let reaped = ended.and_then(|_| handle.try_reap());
    debug_assert!(reaped.is_ok(), "a child of ours can be killed and reaped: {reaped:?}");
}

/// A process that was made and has its order.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) newborn: Newborn,
    pub(crate) channel: Channel,
    /// What it said before it was known to exist.
    pub(crate) early: Vec<Message>,
    /// It is known to have come by the guard.
    pub(crate) ready: bool,
}

/// Changes to the environment of a child.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) clear: bool,
    /// `None` removes the variable.
    pub(crate) changes: BTreeMap<OsString, Option<OsString>>,
}

impl Environment {
    /// The environment of the child, given that of this process.
    pub(crate) fn resolve(&self) -> Vec<(OsString, OsString)> {
        let mut resolved: Vec<(OsString, OsString)> =
            if self.clear { Vec::new() } else { std::env::vars_os().collect() };
        if !self.changes.is_empty() {
            resolved.retain(|(name, _)| !self.changes.contains_key(name));
            let set = |(name, value): (&OsString, &Option<OsString>)| Some((name.clone(), value.clone()?));
            resolved.extend(self.changes.iter().filter_map(set));
        }
        resolved
    }

    /// The environment of the child, if it is another than that of this process.
    pub(crate) fn changed(&self) -> Option<Vec<(OsString, OsString)>> {
        (self.clear || !self.changes.is_empty()).then(|| self.resolve())
    }

    /// Refuses names and values that no environment can hold.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let holds = |text: &OsStr, byte| text.as_encoded_bytes().contains(&byte);
        for (name, value) in &self.changes {
            if name.is_empty() || holds(name, b'=') || holds(name, 0) {
                return Err(StartError::Invalid(format!("{name:?} cannot name an environment variable")));
            }
            if value.as_ref().is_some_and(|value| holds(value, 0)) {
                return Err(StartError::Invalid(format!(
                    "the value of environment variable {name:?} holds a zero byte"
                )));
            }
        }
        Ok(())
    }
}

/// What goes along with an order, besides the value.
#[derive(Debug, Default)]
pub(crate) struct Handover<'a> {
    pub(crate) standard: Option<[Option<Borrowed<'a>>; 3]>,
    pub(crate) directory: Option<Borrowed<'a>>,
    pub(crate) adopt: Option<Adopt>,
}

impl Plan<'_> {
    /// Sends the order. A child that has died already is found out when it is waited for.
    pub(crate) fn give_order(&self, channel: &Channel, handover: Handover<'_>) -> Result<(), StartError> {
        let Handover { standard, directory, adopt } = handover;
        let life = Life {
            target: self.target.clone(),
            identity: self.identity.clone(),
            start_method: start_method(),
            detached: self.detached,
            own_group: self.own_group,
            standard: standard.map(|streams| streams.map(|stream| stream.is_some())),
            directory: directory.is_some(),
            adopt,
        };
        let lifeline = (!self.detached).then(lifeline::end).transpose();
        let lifeline = lifeline.map_err(StartError::system("make the lifeline"))?;
        let surroundings = standard.into_iter().flatten().flatten().chain(directory);
        let objects: Vec<Borrowed<'_>> = surroundings.chain(lifeline.as_deref().map(borrow)).collect();
        let order = Order { build: image::build_id().to_vec(), role: Role::Process(Box::new(life)) };
        let parcel = self.parcel.lock().unwrap_or_else(PoisonError::into_inner);
        match envelope::send(channel, &order, &parcel, &objects) {
            Err(error) if envelope::is_gone(&error) => Ok(()),
            sent => sent.map_err(StartError::system("hand the arguments over")),
        }
    }

    /// The process group of a child that is executed.
    pub(crate) fn group(&self) -> Group {
        match (self.detached, self.own_group) {
            (true, _) => Group::Session,
            (false, true) => Group::Own,
            (false, false) => Group::Inherit,
        }
    }

    /// The standard streams as objects, for a process that is executed: `None` keeps the parent's.
    pub(crate) fn redirected(&self) -> [Option<Borrowed<'_>>; 3] {
        self.standard.each_ref().map(|stream| match stream {
            Stream::Inherit => None,
            Stream::To(object) => Some(borrow(object)),
        })
    }

    /// The standard streams as objects, the parent's own included: `None` for one that is closed.
    pub(crate) fn all_standard(&self) -> [Option<Borrowed<'_>>; 3] {
        let mut number = 0..;
        self.standard.each_ref().map(|stream| match (stream, number.next()) {
            (Stream::To(object), _) => Some(borrow(object)),
            (Stream::Inherit, number) => number.and_then(ambient::standard),
        })
    }

    /// The directory that the child begins in, if it is not the parent's own.
    pub(crate) fn open_directory(&self) -> Result<Option<Object>, StartError> {
        let Some(path) = self.directory else { return Ok(None) };
        let refused = |source| StartError::Directory { path: path.clone(), source };
        ambient::directory(path).map(Some).map_err(refused)
    }
}
