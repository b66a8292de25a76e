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
//! # What every manager has
//!
//! Data: [`Dict`], [`List`], [`Set`], [`Value`] (and [`Namespace`]), [`Array`]. What waits: [`Queue`], [`Lock`], [`RLock`], [`Condition`],
//! [`Semaphore`], [`Event`], [`Barrier`]. Workers that several processes share: [`ManagedPool`]. All are made by [methods of the manager](Manager::dict), travel as all proxies do, and need no service of one's
//! own.
//!
//! - A change of nested data is a function that [runs at the server](Dict::update), so that nothing is lost between two processes.
//! - Whoever waits is served in the order of coming. A wait that ends by a [time limit](Proxy::with_timeout), or with its process, takes nothing.
//! - What a process holds is taken from it when it dies or is cut off: a lock passes on [with the news](LockError::Poisoned), permits come
//!   back, a barrier breaks. An item of a queue that had not come yet is back at its place.
//! - They are for processes of one program. To update data by a function, and to make objects, both sides are of one build; other builds
//!   that have the same types use what has a [name](Manager::register).
//!
//! Between processes of one machine, [`sync`](crate::sync), [`channel`](mod@crate::channel) and [`shm`](crate::shm) do the same without a server, and
//! much faster.
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
//! - A call whose time limit passes, which is [cancelled](Proxy::with_cancel), or whose caller is gone, is not done if it still waits for others to return. If it is being done, its method
//!   [learns of it](when_cancelled).
//! - A method knows [who calls](caller()), and can have something done [when that process is gone](Caller::when_gone).
//! - A method may return a [`Stream`], whose items come as they are read, and whose iterator stays at the server; or take one, whose iterator
//!   stays at the caller.
//! - Each method of a proxy has one beside it that [starts](Pending) the call and returns: a thread has many calls on their way, and waits for
//!   their results later.
//! - A method that panics fails alone, with its message ([`CallError::Panicked`]). The object stays as the panic left it, and can be used.
//! - An object lives as long as anybody has a proxy of it, or a [name](Manager::register) leads to it.
//!
//! # The life of a proxy
//!
//! ```text
//! created ──> held ──clone──> held (the same hold: one per process and proxy that came there)
//!              │  └─serialised──> travelling (a ticket at the server) ──decoded──> held in the other process
//!              ├─dropped──> released
//!              └─the server ends──> every call is `CallError::ServerGone`, or `Unreachable` if it could not be sent
//! ```
//!
//! A proxy that is [asked for by name](Manager::get_reconnecting) can find the way back to its object: to the same server, or the one that has taken its
//! place.
//!
//! Proxies are arguments, results, and items of channels. A process has one connection to each server, made when it
//! decodes its first proxy from there or [connects](Manager::connect), so that from then on its holds count. In the process of the server itself
//! calls are done on the spot. All its threads call over that connection, none waiting for the answers of
//! others. A proxy that is decoded when its server is gone is one whose calls say so.
//!
//! # Who dies when
//!
//! | what ends | what happens |
//! |---|---|
//! | a client that holds a lock, a permit, a place at a barrier | the next holder is told, the permit comes back, the barrier breaks: at once |
//! | a client, idle | its holds are released when the kernel closes its connection, which is at once |
//! | a client, in a call | the method is [told](when_cancelled), and its answer dropped; if its turn has not come, it is not done |
//! | a client, with a proxy on the way | the proxy can be decoded for [another minute](TRANSIT), or as long as others hold the object |
//! | the server, before it has read a call | the caller gets [`CallError::ServerGone`], and cannot know that it was not done |
//! | the server, in a call | the caller gets the same; what was done of it is gone with the objects |
//! | the server, before a call | the caller gets [`CallError::Unreachable`]; it was not done |
//! | the link, not the server | the same; to the server, it is the client that is gone |
//! | who started the manager | the server, too, and its clients see that |
//! | the [`Manager`] that started it, dropped | the server ends; what its methods are doing is cut off; objects are dropped |
//! | a [`Manager`] that connected to it, dropped | nothing, to the server |
//!
//! The server is a daemon in a process group of its own: the Ctrl-C of a terminal does not reach it.
//!
//! # From other machines
//!
//! A manager [listens](Builder::listen) where it is told to, beside its local socket, and others [connect](Manager::connect) there with the same
//! [key](crate::net::remote::AuthKey), and through TLS if it has a certificate. They find objects by name. What was got there travels as everything does:
//!
//! | the proxy goes to | how that reaches the object |
//! |---|---|
//! | a child, over a channel or a local socket | with the key, which goes along: it stays on the machine |
//! | a method of an object of the same server | on the spot |
//! | a method of another server, elsewhere | over the connection that its process has to the first one, if it has; the key does not go along |
//!
//! A program can also have the server [in its own process](Builder::serve).
//!
//! # Trust
//!
//! The server listens at a local socket, and takes processes of its own user, for whom the kernel vouches. They may call what they know, and
//! may make it run functions of the program by [`Manager::serve`] and [`Manager::create`]; they are told apart from other
//! builds of it, not from foes among the user's own processes.
//!
//! Those who come to where it listens, and know the key, may call, hold, and find by name. They may make objects, give names and end the server only if
//! the builder [says](Builder::allow_create) [so](Builder::allow_shutdown). Nothing that they send is code. What they send as a proxy may have the
//! server connect to wherever it says, without a key of the server's going there.

mod access;
mod again;
mod caller;
mod client;
mod error;
mod guest;
mod home;
mod inlet;
mod message;
mod object;
mod patience;
mod pending;
mod proxy;
mod ready;
mod resident;
mod server;
mod serving;
mod stream;
mod table;
mod visit;

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use caller::{Caller, CancelHook, GoneHook, caller, is_cancelled, when_cancelled};
pub use error::{CallError, ManagerError};
pub use object::{Maker, Service};
pub use patience::CancelToken;
pub use pending::Pending;
pub use proxy::Proxy;
pub use ready::{
    AddPermitsError, Array, Barrier, BarrierError, BoundedSemaphore, Change, Condition, Dict, Event,
    GetError, Guard, Item, JoinableQueue, List, Lock, LockError, LockGuard, Lockable, ManagedPool,
    ManagedTaskError, Namespace, OutOfRange, Permit, PutError, Queue, QueueJoinError, RLock, RLockGuard,
    Semaphore, Set, TaskDoneError, Value,
};
pub use serving::Server;
pub use stream::Stream;
pub use table::TRANSIT;

// What the macro's expansions name, by way of `__private`.
#[doc(hidden)]
pub use message::Fault;
#[doc(hidden)]
pub use object::{Invocation, block_on, exclusively, fingerprint, shared};
#[doc(hidden)]
pub use proxy::Stub;

use access::Access;
use guest::Rights;
use home::Home;
use message::Request;
use object::MakerFn;
use patience::Patience;
use server::Door;

#[cfg(feature = "rustls")]
use crate::net::remote::TlsClient;
use crate::net::remote::{AuthKey, Endpoint, Limits, TlsServer};
use crate::process::{self, Child};
use crate::sys::image;
use crate::wire::codec::{Codec, Wire};

/// How long a server may take to end in order before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// A process that has objects for others: one that was [started](Self::start), which ends when this is dropped, or another's that
/// this one has [connected](Self::connect) to. See [the module](self).
#[doc(alias = "BaseManager")]
#[doc(alias = "SyncManager")]
pub struct Manager {
    access: Access,
    endpoint: Endpoint,
    child: Option<Child<()>>,
}

/// Settings for a manager.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start` or `serve`"]
pub struct Builder {
    name: String,
    limits: Limits,
    listen: Option<Endpoint>,
    key: Option<AuthKey>,
    tls: Option<TlsServer>,
    rights: Rights,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            name: "manager".into(),
            limits: Limits::new(),
            listen: None,
            key: None,
            tls: None,
            rights: Rights { create: false, shutdown: false },
        }
    }
}

impl Builder {
    /// The name of the process, in place of `manager`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How long calls and answers may be, how many processes may be connected, and how long one may be silent when its machine is asked
    /// whether it is there.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where it listens for processes that are not of this one's family, and on other machines: they [connect](Manager::connect) there. Port 0
    /// is one that is free, and [`Manager::endpoint`] says which.
    #[doc(alias = "address")]
    pub fn listen(mut self, endpoint: Endpoint) -> Self {
        self.listen = Some(endpoint);
        self
    }

    /// What those who come to where it [listens](Self::listen) have to know. A port needs a key.
    pub fn authkey(mut self, key: AuthKey) -> Self {
        self.key = Some(key);
        self
    }

    /// What it shows to those who come to where it [listens](Self::listen), through TLS.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, tls: TlsServer) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Whether those who come to where it [listens](Self::listen) may make objects there, and give and take names, if they are of the same
    /// build of the program: not, for who may say which function is to run can make the program do anything.
    pub fn allow_create(mut self, allow: bool) -> Self {
        self.rights.create = allow;
        self
    }

    /// Whether those who come to where it [listens](Self::listen) may [end it](Manager::shutdown): not.
    pub fn allow_shutdown(mut self, allow: bool) -> Self {
        self.rights.shutdown = allow;
        self
    }

    fn door(&self) -> Option<Door> {
        let endpoint = self.listen.clone()?;
        Some(Door { endpoint, key: self.key.clone(), tls: self.tls.clone(), rights: self.rights })
    }

    /// Starts a process with the server, and waits until it serves.
    ///
    /// # Errors
    /// [`ManagerError::Listen`] when it cannot listen where it is to; see [`ManagerError`].
    pub fn start(&self) -> Result<Manager, ManagerError> {
        let home = Home::fresh(self.limits.clone())?;
        let (ready, is_ready) = crate::channel::<Result<Endpoint, String>>()?;
        let child = process::target(server::main, (home.clone(), self.door(), ready));
        let child = child.name(self.name.clone()).daemon(true).start()?;
        let endpoint = match is_ready.recv() {
            Ok(Ok(endpoint)) => endpoint,
            Ok(Err(why)) => return Err(ManagerError::Listen(why)),
            Err(_it_ended) => {
                return Err(ManagerError::Ended(child.join().err().map(Box::new)));
            }
        };
        Ok(Manager { access: Access::find(&home)?, endpoint, child: Some(child) })
    }

    /// Has the server in this very process, on threads of its own: see [`Server`].
    ///
    /// # Errors
    /// [`ManagerError::Listen`] when it cannot listen where it is to.
    #[doc(alias = "get_server")]
    pub fn serve(&self) -> Result<Server, ManagerError> {
        Server::open(Home::fresh(self.limits.clone())?, self.door())
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

    /// Connects to a manager that [listens](Builder::listen) somewhere. The server is not this process's: it goes on when this is dropped.
    ///
    /// ```
    /// use offspring::Manager;
    /// use offspring::net::remote::{AuthKey, Endpoint};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Counter { value: u64 }
    /// # #[offspring::service]
    /// # impl Counter {
    /// #     pub fn incr(&mut self, by: u64) -> u64 { self.value += by; self.value }
    /// # }
    ///
    /// #[offspring::main]
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let key = AuthKey::random();
    ///     let there = Manager::builder().listen(Endpoint::tcp("127.0.0.1", 0)).authkey(key.clone()).start()?;
    ///     there.register("visitors", &there.serve(Counter::default())?)?;
    ///
    ///     // On another machine:
    ///     let manager = Manager::connect(there.endpoint(), Some(&key))?;
    ///     let visitors: CounterProxy = manager.get("visitors")?;
    ///     assert_eq!(visitors.incr(1)?, 1);
    ///     // Its own children can use it, too.
    ///     assert_eq!(offspring::spawn(|visitors: CounterProxy| visitors.incr(1).unwrap(), (visitors,))?.join()?, 2);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ManagerError::Connect`] with [`NotListening`](crate::net::remote::RemoteError::NotListening) when nobody is there,
    /// [`WrongKey`](crate::net::remote::RemoteError::WrongKey) when it has another.
    pub fn connect(endpoint: &Endpoint, key: Option<&AuthKey>) -> Result<Self, ManagerError> {
        Self::connect_with(endpoint, key, &Limits::new())
    }

    /// Connects to a manager, with other limits than the defaults.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_with(
        endpoint: &Endpoint,
        key: Option<&AuthKey>,
        limits: &Limits,
    ) -> Result<Self, ManagerError> {
        let (endpoint, limits) = (endpoint.clone(), limits.clone());
        Self::visit(Home { server: None, endpoint, limits, key: key.cloned(), tls: None })
    }

    /// Connects to a manager through TLS.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); [`Tls`](crate::net::remote::RemoteError::Tls) when it shows another certificate.
    #[cfg(feature = "rustls")]
    pub fn connect_tls(
        endpoint: &Endpoint,
        key: Option<&AuthKey>,
        limits: &Limits,
        tls: &TlsClient,
    ) -> Result<Self, ManagerError> {
        let (endpoint, limits, tls) = (endpoint.clone(), limits.clone(), Some(tls.clone()));
        Self::visit(Home { server: None, endpoint, limits, key: key.cloned(), tls })
    }

    fn visit(home: Home) -> Result<Self, ManagerError> {
        let access = Access::find(&home).map_err(|error| match error {
            CallError::ServerGone(why) | CallError::Unreachable(why) => ManagerError::Connect(why),
            other => ManagerError::Unreachable(other),
        })?;
        Ok(Self { access, endpoint: home.endpoint, child: None })
    }

    /// Where others [connect](Self::connect) to: where it listens, with its real port; one of this machine if it was not told to.
    #[must_use]
    #[doc(alias = "address")]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
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
        let reply = self.access.call(
            &request,
            Some(&|frame| Wire::append(&arguments, frame)),
            &Patience::default(),
        )?;
        let object = reply.value::<u64>()?;
        let service = object::fingerprint::<F::Service>();
        Ok(Proxy::from_stub(Stub::held(self.access.clone(), object, service)))
    }

    fn home(&self) -> &Home {
        self.access.home()
    }

    /// Lets a name lead to an object, which lives as long as it does: see [`get`](Self::get).
    ///
    /// # Errors
    /// [`CallError::NameTaken`] when it leads to another; see [`CallError`].
    pub fn register<P: Proxy>(&self, name: &str, proxy: &P) -> Result<(), CallError> {
        register(&self.access, name, proxy)
    }

    /// Lets a name lead nowhere: whether it led anywhere.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn unregister(&self, name: &str) -> Result<bool, CallError> {
        self.access.call(&Request::Unregister { name: name.into() }, None, &Patience::default())?.value()
    }

    /// A proxy of the object that a name leads to.
    ///
    /// # Errors
    /// [`CallError::UnknownName`], [`CallError::OtherService`] when it is an object of another type; see [`CallError`].
    pub fn get<P: Proxy>(&self, name: &str) -> Result<P, CallError> {
        get(&self.access, name)
    }

    /// A proxy of the object that a name leads to, which finds it again: when the link was cut, or another server has taken the place of this one.
    ///
    /// A call that was not done for sure is then sent again, for at most as long as the limit, also while nobody is there or the name leads nowhere yet. One
    /// that was sent, and has no answer, may have been done: it is [`CallError::ServerGone`], and the next one connects anew. So nothing is
    /// done twice. To the server, a process that has connected anew is another [caller](caller()): it does not have what the former held.
    ///
    /// It finds again when it has travelled, too.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_reconnecting<P: Proxy>(&self, name: &str, limit: Duration) -> Result<P, CallError> {
        Ok(P::from_stub(self.get::<P>(name)?.stub().clone().reconnecting(name, limit)))
    }

    /// How many objects there are.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "number_of_objects")]
    pub fn objects(&self) -> Result<usize, CallError> {
        self.access.call(&Request::Count, None, &Patience::default())?.value()
    }

    /// The process of the server, if this one has started it.
    #[must_use]
    pub fn process(&self) -> Option<&Child<()>> {
        self.child.as_ref()
    }

    /// Ends the server: objects are dropped, calls that are being done are cut off. Dropping the manager does that to one that this process has
    /// started, too.
    ///
    /// # Errors
    /// [`CallError::Refused`] from a server that was connected to, and [does not allow it](Builder::allow_shutdown).
    pub fn shutdown(mut self) -> Result<(), CallError> {
        if let Some(child) = self.child.take() {
            self.end(&child);
            return Ok(());
        }
        match self
            .access
            .call(&Request::Shutdown, None, &Patience::default())
            .and_then(|reply| reply.value::<()>())
        {
            Err(error) if !error.is_server_gone() => Err(error),
            _it_ends => Ok(()),
        }
    }

    fn end(&self, child: &Child<()>) {
        if self.access.is_of_another() {
            return; // a copy of the process that has the manager
        }
        let _it_may_be_gone = self.access.call(&Request::Shutdown, None, &Patience::of(GRACE));
        if !matches!(child.wait_timeout(GRACE), Ok(Some(_))) {
            let _it_may_be_gone = child.kill();
            let _it_has_been_killed = child.wait();
        }
    }
}

/// Lets a name lead to an object.
fn register<P: Proxy>(access: &Access, name: &str, proxy: &P) -> Result<(), CallError> {
    let stub = proxy.stub();
    if !stub.is_at(access.home()) {
        return Err(CallError::Refused("the object is another manager's".into()));
    }
    let request = Request::Register { name: name.into(), object: stub.object() };
    access.call(&request, None, &Patience::default())?.value()
}

/// A proxy of the object that a name leads to.
fn get<P: Proxy>(access: &Access, name: &str) -> Result<P, CallError> {
    let service = P::service();
    let object =
        access.call(&Request::Find { name: name.into(), service }, None, &Patience::default())?.value()?;
    Ok(P::from_stub(Stub::held(access.clone(), object, service)))
}

impl Drop for Manager {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            self.end(&child);
        }
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("endpoint", &self.endpoint)
            .field("pid", &self.child.as_ref().map(Child::pid))
            .finish_non_exhaustive()
    }
}
