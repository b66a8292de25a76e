//! A server in the process that asks for it.

use std::fmt;
use std::sync::Arc;

use super::access::Access;
use super::home::Home;
use super::message::Request;
use super::object::{fingerprint, served};
use super::patience::Patience;
use super::proxy::{Proxy, Stub};
use super::resident::Resident;
use super::server::{self, Door};
use super::{CallError, Maker, ManagerError, Service};
use crate::net::remote::{Endpoint, Refusals, RemoteError};
use crate::sys::runtime;

/// A server of objects in this very process, on threads of its own: see [`Builder::serve`](super::Builder::serve). It ends when this is dropped.
///
/// Calls of this process's own proxies go over no link. Objects need not be what serde can encode.
///
/// ```
/// use offspring::Manager;
/// use offspring::net::remote::{AuthKey, Endpoint};
///
/// struct Clock(std::time::Instant);
///
/// #[offspring::service]
/// impl Clock {
///     pub fn millis(&self) -> u128 {
///         self.0.elapsed().as_millis()
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let key = AuthKey::random();
///     let builder = Manager::builder().listen(Endpoint::tcp("127.0.0.1", 0)).authkey(key.clone());
///     let server = builder.allow_shutdown(true).serve()?;
///     server.register("clock", &server.serve(Clock(std::time::Instant::now())))?;
///
///     let client = |there: Endpoint, key: AuthKey| {
///         let manager = Manager::connect(&there, Some(&key)).unwrap();
///         let clock: ClockProxy = manager.get("clock").unwrap();
///         clock.millis().unwrap();
///         manager.shutdown().unwrap();
///     };
///     let child = offspring::spawn(client, (server.endpoint().clone(), key))?;
///     server.serve_forever(); // until a client that may ends it
///     child.join()?;
///     Ok(())
/// }
/// ```
pub struct Server {
    resident: Arc<Resident>,
}

impl Server {
    pub(super) fn open(home: Home, door: Option<Door>) -> Result<Self, ManagerError> {
        let resident =
            server::Server::open(home, door).map_err(|why| ManagerError::Listen(why.to_string()))?;
        let server = Self { resident };
        let overseen = Arc::clone(server.resident.server());
        runtime::thread("offspring-oversee", server::STACK, move || overseen.oversee())?;
        Ok(server)
    }

    fn access(&self) -> Access {
        Access::Here(Arc::clone(&self.resident))
    }

    /// Where others [connect](super::Manager::connect) to: where it listens, with its real port; one of this machine if it was not told to.
    #[must_use]
    #[doc(alias = "address")]
    pub fn endpoint(&self) -> &Endpoint {
        self.resident.server().endpoint()
    }

    /// Has an object: a proxy of it.
    pub fn serve<T: Service>(&self, object: T) -> T::Proxy {
        let number = self.resident.enter(served(object));
        T::Proxy::from_stub(Stub::held(self.access(), number, fingerprint::<T>()))
    }

    pub(super) fn create<F, A>(
        &self,
        function: F,
        arguments: A,
    ) -> Result<<F::Service as Service>::Proxy, CallError>
    where
        F: Maker<A>,
    {
        if self.resident.server().is_over() {
            return Err(CallError::Unreachable(RemoteError::Closed));
        }
        Ok(self.serve(function.make(arguments)))
    }

    pub(super) fn home(&self) -> &Home {
        self.resident.home()
    }

    /// Lets a name lead to an object, which lives as long as it does: see [`get`](Self::get).
    ///
    /// # Errors
    /// [`CallError::NameTaken`] when it leads to another; [`CallError::Refused`] for an object of another server.
    pub fn register<P: Proxy>(&self, name: &str, proxy: &P) -> Result<(), CallError> {
        super::register(&self.access(), name, proxy)
    }

    /// Lets a name lead nowhere: whether it led anywhere.
    ///
    /// # Errors
    /// When the server has ended.
    pub fn unregister(&self, name: &str) -> Result<bool, CallError> {
        self.access().call(&Request::Unregister { name: name.into() }, None, &Patience::default())?.value()
    }

    /// A proxy of the object that a name leads to.
    ///
    /// # Errors
    /// [`CallError::UnknownName`], [`CallError::OtherService`] when it is an object of another type.
    pub fn get<P: Proxy>(&self, name: &str) -> Result<P, CallError> {
        super::get(&self.access(), name)
    }

    /// How many objects there are.
    #[must_use]
    #[doc(alias = "number_of_objects")]
    pub fn objects(&self) -> usize {
        self.resident.server().table.count()
    }

    /// Who was not let in where it listens, and why: for logs, and to see whether somebody tries.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        self.resident.server().refusals()
    }

    /// Waits until a client that [may](super::Builder::allow_shutdown) has ended the server, or for ever.
    pub fn serve_forever(self) {
        self.resident.server().wait();
    }

    /// Ends the server: clients see that it is gone, objects are dropped. Calls that are being done are [told](super::when_cancelled), and
    /// go on until they return; what they return goes nowhere. What dropping it does, too.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.resident.is_of_another() {
            return; // a copy of the process that has the server
        }
        let server = self.resident.server();
        server.end();
        server.wait();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("endpoint", self.endpoint()).finish_non_exhaustive()
    }
}
