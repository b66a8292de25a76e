//! What stands for an object in other processes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::CallError;
use super::client::{self, Connection, Home};
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
    home: Home,
    object: u64,
    service: u64,
    /// Or why there is none.
    connection: Mutex<Result<Arc<Connection>, CallError>>,
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
    /// Of an object that the connection holds already.
    pub(super) fn held(home: Home, connection: Arc<Connection>, object: u64, service: u64) -> Self {
        let connection = Mutex::new(Ok(connection));
        Self { hold: Arc::new(Hold { home, object, service, connection }), limit: None }
    }

    pub(super) fn home(&self) -> &Home {
        &self.hold.home
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
        let connection = self.hold.connection()?;
        let request = Request::Call { object: self.hold.object, method };
        connection.call(&request, Some(&|frame| Wire::append(arguments, frame)), self.limit)?.value()
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
        let connection = take(&home, object, service, ticket);
        let hold = Hold { home, object, service, connection: Mutex::new(connection) };
        Ok(Self { hold: Arc::new(hold), limit })
    }
}

/// Holds an object at its server.
fn take(home: &Home, object: u64, service: u64, ticket: u64) -> Result<Arc<Connection>, CallError> {
    let connection = client::connect(home)?;
    connection.call(&Request::Hold { object, service, ticket }, None, None)?.value::<()>()?;
    Ok(connection)
}

impl Hold {
    fn connection(&self) -> Result<Arc<Connection>, CallError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*connection, Ok(connection) if connection.is_of_another()) {
            // This process is a copy of that which held it, and holds for itself from now on. The original does as before.
            *connection = take(&self.home, self.object, self.service, 0);
        }
        connection.clone()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let connection = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Ok(connection) = connection {
            if !connection.is_of_another() {
                connection.tell(&Request::Release { object: self.object });
            }
        }
    }
}

impl Serialize for Stub {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Hold { home, object, service, .. } = &*self.hold;
        let request = Request::Ticket { object: *object };
        let ticket =
            self.hold.connection().and_then(|connection| connection.call(&request, None, None)?.value());
        let ticket =
            ticket.map_err(|error| ser::Error::custom(format_args!("a proxy cannot travel: {error}")))?;
        let travelling =
            Travelling { home: home.clone(), object: *object, service: *service, ticket, limit: self.limit };
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
