//! What stands for an object in other processes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::CallError;
use super::access::Access;
use super::again::{Again, Way};
use super::home::Home;
use super::inlet::Feeds;
use super::message::Request;
use super::patience::{CancelToken, Patience};
use super::pending::Pending;
use crate::wire::codec::{Codec, Wire};

/// Stands for an object at a server: what [`service`](macro@crate::service) makes for a type. See [the module](super).
pub trait Proxy: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// Another proxy of the object, whose calls end with [`CallError::TimedOut`] when they have not returned by then.
    ///
    /// The limit travels with the proxy.
    #[must_use]
    fn with_timeout(&self, limit: Duration) -> Self {
        let mut stub = self.stub().clone();
        stub.patience.limit = Some(limit);
        Self::from_stub(stub)
    }

    /// Another proxy of the object, whose calls end with [`CallError::Cancelled`] as soon as somebody cancels the token, from whichever thread. The
    /// server is told; the method goes on if it does not [look](super::is_cancelled), and is not done if its turn has not come.
    ///
    /// The token stays in this process: a proxy that arrives in another has none.
    ///
    /// ```
    /// use offspring::manager::{CancelToken, Proxy};
    ///
    /// #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// struct Sleeper;
    ///
    /// #[offspring::service]
    /// impl Sleeper {
    ///     pub fn sleep(&self) {
    ///         let sleeper = std::thread::current();
    ///         let _hook = offspring::manager::when_cancelled(move || sleeper.unpark());
    ///         while !offspring::manager::is_cancelled() {
    ///             std::thread::park();
    ///         }
    ///     }
    /// }
    ///
    /// #[offspring::main]
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let manager = offspring::Manager::start()?;
    ///     let sleeper = manager.serve(Sleeper)?;
    ///     let token = CancelToken::new();
    ///     let waits = sleeper.with_cancel(&token);
    ///     let sleeps = std::thread::spawn(move || waits.sleep());
    ///     token.cancel();
    ///     assert!(sleeps.join().unwrap().unwrap_err().is_cancelled());
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    fn with_cancel(&self, token: &CancelToken) -> Self {
        let mut stub = self.stub().clone();
        stub.patience.cancel = Some(token.clone());
        Self::from_stub(stub)
    }

    /// Which service it is of, and which version.
    #[doc(hidden)]
    fn service() -> u64;

    #[doc(hidden)]
    fn stub(&self) -> &Stub;

    #[doc(hidden)]
    fn from_stub(stub: Stub) -> Self;
}

/// What is in every proxy.
#[derive(Clone)]
pub struct Stub {
    hold: Arc<Hold>,
    patience: Patience,
    /// How the object is found again, if it is to be.
    again: Option<Arc<Again>>,
}

/// Keeps an object for this process, until drop.
pub(super) struct Hold {
    pub(super) home: Arc<Home>,
    pub(super) object: u64,
    pub(super) service: u64,
    /// Or why there is none.
    access: Mutex<Result<Access, CallError>>,
}

/// A proxy on its way.
#[derive(Serialize, Deserialize)]
struct Travelling {
    home: Home,
    object: u64,
    service: u64,
    ticket: u64,
    limit: Option<Duration>,
    again: Option<Way>,
}

impl Stub {
    /// Of an object that this process holds already.
    pub(super) fn held(access: Access, object: u64, service: u64) -> Self {
        let hold = Hold::new(access, object, service);
        Self { hold: Arc::new(hold), patience: Patience::default(), again: None }
    }

    /// Finds the object again by its name when the way to it is cut.
    pub(super) fn reconnecting(mut self, name: &str, limit: Duration) -> Self {
        let way = Way { name: name.into(), limit };
        self.again = Some(Arc::new(Again::new(way, Arc::clone(&self.hold))));
        self
    }

    /// Whether the object is at this server.
    pub(super) fn is_at(&self, home: &Home) -> bool {
        self.hold().home.server == home.server
    }

    pub(super) fn object(&self) -> u64 {
        self.hold().object
    }

    /// Calls a method: what it returned.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn call<A: Serialize, R: DeserializeOwned>(
        &self,
        method: u32,
        arguments: &A,
    ) -> Result<R, CallError> {
        let call = |hold: &Hold, access: &Access| {
            let request = Request::Call { object: hold.object, method };
            let feeds = Feeds::default();
            let arguments = |frame: &mut Vec<u8>| feeds.writing(access, || Wire::append(arguments, frame));
            let reply = access.call(&request, Some(&arguments), &self.patience);
            feeds.settle(reply.and_then(|reply| reply.value()))
        };
        match &self.again {
            None => call(&self.hold, &self.hold.access()?),
            Some(again) => again.call(&self.patience, call),
        }
    }

    /// Calls a method whose result is waited for later.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn start<A: Serialize, R: DeserializeOwned>(
        &self,
        method: u32,
        arguments: &A,
    ) -> Result<Pending<R>, CallError> {
        let start = |hold: &Hold, access: &Access| {
            let request = Request::Call { object: hold.object, method };
            let feeds = Feeds::default();
            let arguments = |frame: &mut Vec<u8>| feeds.writing(access, || Wire::append(arguments, frame));
            let started = feeds.settle(access.start(&request, Some(&arguments), &self.patience))?;
            Ok((started, feeds))
        };
        let started = match &self.again {
            None => start(&self.hold, &self.hold.access()?),
            Some(again) => again.call(&self.patience, start),
        };
        started.map(|(started, feeds)| Pending::new(started, feeds))
    }

    /// Calls a method that takes no time: before the next call of this process is. Nobody learns what it returned, nor whether it was called.
    pub fn tell<A: Serialize>(&self, method: u32, arguments: &A) {
        let hold = self.hold();
        if let Ok(access) = hold.access() {
            let request = Request::Tell { object: hold.object, method };
            access.tell(&request, Some(&|frame| Wire::append(arguments, frame)));
        }
    }

    /// Reads a proxy of a service, as it is written.
    ///
    /// # Errors
    /// When it is of another service, or another version of it.
    pub fn decode<'de, P: Proxy, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Travelling { home, object, service, ticket, limit, again } =
            Travelling::deserialize(deserializer)?;
        if service != P::service() {
            return Err(de::Error::custom(CallError::OtherService));
        }
        let access = take(&home, object, service, ticket);
        // If there was a way already, its key may be known, which need not have travelled.
        let home = access.as_ref().map_or_else(|_| Arc::new(home), |access| Arc::clone(access.home()));
        let hold = Hold { home, object, service, access: Mutex::new(access) };
        let hold = Arc::new(hold);
        let again = again.map(|way| Arc::new(Again::new(way, Arc::clone(&hold))));
        Ok(Self { hold, patience: Patience { limit, cancel: None }, again })
    }

    /// What keeps the object now.
    fn hold(&self) -> Arc<Hold> {
        self.again.as_ref().map_or_else(|| Arc::clone(&self.hold), |again| again.hold())
    }
}

/// Holds an object at its server.
fn take(home: &Home, object: u64, service: u64, ticket: u64) -> Result<Access, CallError> {
    let access = Access::find(home)?;
    let patience = Patience::default();
    access.call(&Request::Hold { object, service, ticket }, None, &patience)?.value::<()>()?;
    Ok(access)
}

impl Hold {
    /// Of an object that this process holds already.
    pub(super) fn new(access: Access, object: u64, service: u64) -> Self {
        let home = Arc::clone(access.home());
        Self { home, object, service, access: Mutex::new(Ok(access)) }
    }

    pub(super) fn access(&self) -> Result<Access, CallError> {
        let mut access = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*access, Ok(access) if access.is_of_another()) {
            // This process is a copy of that which held it, and holds for itself from now on. The original does as before.
            *access = take(&self.home, self.object, self.service, 0);
        }
        access.clone()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let access = self.access.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Ok(access) = access {
            if !access.is_of_another() {
                access.tell(&Request::Release { object: self.object }, None);
            }
        }
    }
}

impl Serialize for Stub {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hold = self.hold();
        let Hold { home, object, service, .. } = &*hold;
        let request = Request::Ticket { object: *object };
        let ticket =
            hold.access().and_then(|access| access.call(&request, None, &Patience::default())?.value());
        let ticket =
            ticket.map_err(|error| ser::Error::custom(format_args!("a proxy cannot travel: {error}")))?;
        let travelling = Travelling {
            home: home.to_travel(),
            object: *object,
            service: *service,
            ticket,
            limit: self.patience.limit,
            again: self.again.as_ref().map(|again| again.way().clone()),
        };
        travelling.serialize(serializer)
    }
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("server", &self.hold.home.endpoint)
            .field("object", &self.hold.object)
            .finish_non_exhaustive()
    }
}
