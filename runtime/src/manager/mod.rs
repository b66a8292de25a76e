//! Objects that live in one process and are used from others: a [`Manager`] has them, and **proxies** stand for them.
//!
//! ```
//! #[derive(Default, serde::Serialize, serde::Deserialize)]
//! struct Counter {
//!     value: u64,
//! }
//!
//! #[offspring::service]
//! impl Counter {
//!     /// One at a time.
//!     pub fn incr(&mut self, by: u64) -> u64 {
//!         self.value += by;
//!         self.value
//!     }
//!     /// Many at once.
//!     pub fn get(&self) -> u64 {
//!         self.value
//!     }
//! }
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let manager = offspring::Manager::start()?;
//!     let counter = manager.serve(Counter::default())?; // a `CounterProxy`
//!     let children = [1, 2, 3].map(|by| {
//!         offspring::spawn(|counter: CounterProxy, by: u64| counter.incr(by).unwrap(), (counter.clone(), by))
//!     });
//!     for child in children {
//!         child?.join()?;
//!     }
//!     assert_eq!(counter.get()?, 6);
//!     Ok(())
//! }
//! ```
//!
//! # What is promised
//!
//! - A call that returns `Ok` was done, once. One whose error [says so](CallError::was_not_done) was not done. Others may have been: nothing
//!   is ever done twice, for nothing is sent again.
//! - Methods with `&mut self` of one object are done one at a time, in any order; those with `&self` beside each other. A method that
//!   waits keeps nobody from calling other objects, or other `&self` methods of this one.
//! - What a method returns arrives whole, its own `Result` included: `fail(&self) -> Result<u64, MyError>` becomes
//!   `Result<Result<u64, MyError>, CallError>`. The outer error is that of the way there, the inner the object's own; they are not made one,
//!   because who retries, and when, differs.
//! - A call whose time limit passes, or whose caller is gone, is not done if it still waits for others to return. If it is being done, its method
//!   [learns of it](when_cancelled).
//! - A method knows [who calls](caller()), and can have something done [when that process is gone](Caller::when_gone).
//! - A method that panics fails alone, with its message ([`CallError::Panicked`]). The object stays as the panic left it, and can be used.
//! - An object lives as long as anybody has a proxy of it, or a [name](Manager::register) leads to it.
//!
//! # The life of a proxy
//!
//! ```text
//! created ──> held ──clone──> held (the same hold: one per process and proxy that came there)
//!              │  └─serialised──> travelling (a ticket at the server) ──decoded──> held in the other process
//!              ├─dropped──> released
//!              └─the server ends──> every call is `CallError::ServerGone`
//! ```
//!
//! Proxies are arguments, results, and items of channels. A process has one connection to each server, made when it
//! decodes its first proxy from there, so that from then on its holds count. All its threads call over that connection, none waiting for the answers of
//! others. A proxy that is decoded when its server is gone is one whose calls say so.
//!
//! # Who dies when
//!
//! | what ends | what happens |
//! |---|---|
//! | a client, idle | its holds are released when the kernel closes its connection, which is at once |
//! | a client, in a call | the method is [told](when_cancelled), and its answer dropped; if its turn has not come, it is not done |
//! | a client, with a proxy on the way | the proxy can be decoded for [another minute](TRANSIT), or as long as others hold the object |
//! | the server, before it has read a call | the caller gets [`CallError::ServerGone`]; it was not done |
//! | the server, in a call | the caller gets the same; what was done of it is gone with the objects |
//! | who started the manager | the server, too, and its clients see that |
//! | the [`Manager`], dropped | the server ends; what its methods are doing is cut off; objects are dropped |
//!
//! The server is a daemon in a process group of its own: the Ctrl-C of a terminal does not reach it.
//!
//! # Trust
//!
//! The server listens at a local socket, and takes processes of its own user, for whom the kernel vouches. Clients may call what they know, and
//! may make it run functions of the program by [`Manager::serve`] and [`Manager::create`]; they are told apart from other
//! builds of it, not from foes among the user's own processes.

mod caller;
mod client;
mod error;
mod message;
mod object;
mod proxy;
mod server;
mod table;
mod visit;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use caller::{Caller, CancelHook, GoneHook, caller, is_cancelled, when_cancelled};
pub use error::{CallError, ManagerError};
pub use object::{Maker, Service};
pub use proxy::Proxy;
pub use table::TRANSIT;

// What the macro's expansions name, by way of `__private`.
#[doc(hidden)]
pub use message::Fault;
#[doc(hidden)]
pub use object::{Invocation, exclusively, fingerprint, shared};
#[doc(hidden)]
pub use proxy::Stub;

use client::{Connection, Home};
use message::Request;
use object::MakerFn;

use crate::net::remote::{Endpoint, Limits};
use crate::process::{self, Child};
use crate::sys::image;
use crate::wire::codec::{Codec, Wire};

/// How long a server may take to end in order before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// A process that has objects for others. See [the module](self).
///
/// The process ends when this is dropped.
#[doc(alias = "BaseManager")]
#[doc(alias = "SyncManager")]
pub struct Manager {
    connection: Arc<Connection>,
    home: Home,
    child: Child<()>,
}

/// Settings for a manager.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct Builder {
    name: String,
    limits: Limits,
}

impl Default for Builder {
    fn default() -> Self {
        Self { name: "manager".into(), limits: Limits::new() }
    }
}

impl Builder {
    /// The name of the process, in place of `manager`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How long calls and answers may be, and how many processes may be connected.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Starts the process, and waits until it serves.
    ///
    /// # Errors
    /// See [`ManagerError`].
    pub fn start(&self) -> Result<Manager, ManagerError> {
        let home = Home { endpoint: Endpoint::fresh(), limits: self.limits.clone() };
        let (ready, is_ready) = crate::channel::<Result<(), String>>()?;
        let child = process::target(server::main, (home.clone(), ready));
        let child = child.name(self.name.clone()).daemon(true).start()?;
        match is_ready.recv() {
            Ok(Ok(())) => {}
            Ok(Err(why)) => return Err(ManagerError::Listen(why)),
            Err(_it_ended) => {
                return Err(ManagerError::Ended(child.join().err().map(Box::new)));
            }
        }
        let connection = client::connect(&home)?;
        Ok(Manager { connection, home, child })
    }
}

impl Manager {
    /// Starts a process for objects.
    ///
    /// # Errors
    /// See [`ManagerError`].
    pub fn start() -> Result<Self, ManagerError> {
        Builder::default().start()
    }

    /// Settings for a manager.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Moves an object to the server: a proxy of it.
    ///
    /// # Errors
    /// [`CallError::Encode`] or [`CallError::Refused`] when it cannot get there; see [`CallError`].
    pub fn serve<T>(&self, object: T) -> Result<T::Proxy, CallError>
    where
        T: Service + Serialize + DeserializeOwned,
    {
        self.create(std::convert::identity::<T>, (object,))
    }

    /// Makes an object at the server, by a function or a closure that captures nothing: a proxy of it. The arguments are a tuple, as for
    /// [`spawn`](crate::spawn).
    ///
    /// ```
    /// use std::collections::VecDeque;
    ///
    /// struct Log(VecDeque<String>, usize);
    ///
    /// #[offspring::service]
    /// impl Log {
    ///     pub fn add(&mut self, line: String) {
    ///         self.0.push_back(line);
    ///         self.0.truncate(self.1);
    ///     }
    ///     pub fn len(&self) -> usize {
    ///         self.0.len()
    ///     }
    /// }
    ///
    /// #[offspring::main]
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let manager = offspring::Manager::start()?;
    ///     let log = manager.create(|size: usize| Log(VecDeque::new(), size), (2,))?;
    ///     for line in ["one", "two", "three"] {
    ///         log.add(line.into())?;
    ///     }
    ///     assert_eq!(log.len()?, 2);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`CallError::Panicked`] with what the function panicked with; see [`CallError`].
    #[allow(clippy::needless_pass_by_value)] // as `spawn` takes them
    pub fn create<F, A>(
        &self,
        _function: F,
        arguments: A,
    ) -> Result<<F::Service as Service>::Proxy, CallError>
    where
        F: Maker<A>,
        A: Serialize + DeserializeOwned + 'static,
    {
        let maker = image::offset_of(object::make::<F, A> as MakerFn).ok_or_else(|| {
            CallError::Refused("the function is in no part of the program that the server has, too".into())
        })?;
        let request = Request::Create { build: image::build_id().to_vec(), maker };
        let reply = self.connection.call(&request, Some(&|frame| Wire::append(&arguments, frame)), None)?;
        let object = reply.value::<u64>()?;
        let service = object::fingerprint::<F::Service>();
        Ok(Proxy::from_stub(Stub::held(self.home.clone(), Arc::clone(&self.connection), object, service)))
    }

    /// Lets a name lead to an object, which lives as long as it does: see [`get`](Self::get).
    ///
    /// # Errors
    /// [`CallError::NameTaken`] when it leads to another; see [`CallError`].
    pub fn register<P: Proxy>(&self, name: &str, proxy: &P) -> Result<(), CallError> {
        let stub = proxy.stub();
        if stub.home() != &self.home {
            return Err(CallError::Refused("the object is another manager's".into()));
        }
        let request = Request::Register { name: name.into(), object: stub.object() };
        self.connection.call(&request, None, None)?.value()
    }

    /// Lets a name lead nowhere: whether it led anywhere.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn unregister(&self, name: &str) -> Result<bool, CallError> {
        self.connection.call(&Request::Unregister { name: name.into() }, None, None)?.value()
    }

    /// A proxy of the object that a name leads to.
    ///
    /// # Errors
    /// [`CallError::UnknownName`], [`CallError::OtherService`] when it is an object of another type; see [`CallError`].
    pub fn get<P: Proxy>(&self, name: &str) -> Result<P, CallError> {
        let service = P::service();
        let request = Request::Find { name: name.into(), service };
        let object = self.connection.call(&request, None, None)?.value()?;
        Ok(P::from_stub(Stub::held(self.home.clone(), Arc::clone(&self.connection), object, service)))
    }

    /// How many objects there are.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "number_of_objects")]
    pub fn objects(&self) -> Result<usize, CallError> {
        self.connection.call(&Request::Count, None, None)?.value()
    }

    /// The process of the server.
    #[must_use]
    pub fn process(&self) -> &Child<()> {
        &self.child
    }

    /// Ends the server: objects are dropped, calls that are being done are cut off. What dropping the manager does, too.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        if self.connection.is_of_another() {
            return; // a copy of the process that has the manager
        }
        let _it_may_be_gone = self.connection.call(&Request::Shutdown, None, Some(GRACE));
        if !matches!(self.child.wait_timeout(GRACE), Ok(Some(_))) {
            let _it_may_be_gone = self.child.kill();
            let _it_has_been_killed = self.child.wait();
        }
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").field("pid", &self.child.pid()).finish_non_exhaustive()
    }
}
