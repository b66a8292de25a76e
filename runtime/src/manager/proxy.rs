//! What stands for an object in other processes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::CallError;
use super::access::Access;
use super::home::Home;
use super::message::Request;
use crate::wire::codec::{Codec, Wire};

/// Stands for an object at a server: what [`service`](macro@crate::service) makes for a type. See [the module](super).
pub trait Proxy: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// Another proxy of the object, whose calls end with [`CallError::TimedOut`] when they have not returned by then.
    ///
    /// The limit travels with the proxy.
    #[must_use]
    fn with_timeout(&self, limit: Duration) -> Self {
        let mut stub = self.stub().clone();
        stub.limit = Some(limit);
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
    limit: Option<Duration>,
}

/// Keeps an object for this process, until drop.
struct Hold {
    home: Arc<Home>,
    object: u64,
    service: u64,
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
}

impl Stub {
    /// Of an object that this process holds already.
    pub(super) fn held(access: Access, object: u64, service: u64) -> Self {
        let home = Arc::clone(access.home());
        Self { hold: Arc::new(Hold { home, object, service, access: Mutex::new(Ok(access)) }), limit: None }
    }

    /// Whether the object is at this server.
    pub(super) fn is_at(&self, home: &Home) -> bool {
        self.hold.home.server == home.server
    }

    pub(super) fn object(&self) -> u64 {
        self.hold.object
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
        let access = self.hold.access()?;
        let request = Request::Call { object: self.hold.object, method };
        access.call(&request, Some(&|frame| Wire::append(arguments, frame)), self.limit)?.value()
    }

    /// Calls a method that takes no time: before the next call of this process is. Nobody learns what it returned, nor whether it was called.
    pub fn tell<A: Serialize>(&self, method: u32, arguments: &A) {
        if let Ok(access) = self.hold.access() {
            let request = Request::Tell { object: self.hold.object, method };
            access.tell(&request, Some(&|frame| Wire::append(arguments, frame)));
        }
    }

    /// Reads a proxy of a service, as it is written.
    ///
    /// # Errors
    /// When it is of another service, or another version of it.
    pub fn decode<'de, P: Proxy, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Travelling { home, object, service, ticket, limit } = Travelling::deserialize(deserializer)?;
        if service != P::service() {
            return Err(de::Error::custom(CallError::OtherService));
        }
        let access = take(&home, object, service, ticket);
        // If there was a way already, its key may be known, which need not have travelled.
        let home = access.as_ref().map_or_else(|_| Arc::new(home), |access| Arc::clone(access.home()));
        let hold = Hold { home, object, service, access: Mutex::new(access) };
        Ok(Self { hold: Arc::new(hold), limit })
    }
}

/// Holds an object at its server.
fn take(home: &Home, object: u64, service: u64, ticket: u64) -> Result<Access, CallError> {
    let access = Access::find(home)?;
    access.call(&Request::Hold { object, service, ticket }, None, None)?.value::<()>()?;
    Ok(access)
}

impl Hold {
    fn access(&self) -> Result<Access, CallError> {
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
        let Hold { home, object, service, .. } = &*self.hold;
        let request = Request::Ticket { object: *object };
        let ticket = self.hold.access().and_then(|access| access.call(&request, None, None)?.value());
        let ticket =
            ticket.map_err(|error| ser::Error::custom(format_args!("a proxy cannot travel: {error}")))?;
        let travelling = Travelling {
            home: home.to_travel(),
            object: *object,
            service: *service,
            ticket,
            limit: self.limit,
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
