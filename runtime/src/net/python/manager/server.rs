//! The server of a manager.

use std::collections::{HashMap, VecDeque};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_pickle::Value;

use super::super::builder::MAX_MESSAGE;
use super::super::socket::Socket;
use super::super::{AuthKey, Builder, Connection, Endpoint, Guest, Listener, PythonError};
use super::served::Served;
use super::{Dict, Queue, visit};

/// How long it does without clients when the system has no room for one.
const REST: Duration = Duration::from_millis(100);

/// How many clients may be there, and how many in their handshake, unless it is said.
const MAX_CONNECTIONS: usize = 1024;
const MAX_HANDSHAKES: usize = 128;

/// Serves queues and dictionaries to managers in Python: what `BaseManager.get_server()` is there.
///
/// It serves on threads of its own, one per connection, until it is dropped. Then clients get `EOFError` or
/// `ConnectionRefusedError`; what is in the queues stays there. See [the module](super).
#[derive(Debug)]
#[must_use = "dropping it ends it"]
pub struct ManagerServer {
    serving: Arc<Serving>,
    endpoint: Endpoint,
    /// Its other end belongs to the thread that listens.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

/// What is to be served: see [`ManagerServer::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct ServerBuilder {
    endpoint: Endpoint,
    settings: Builder,
    max_message: u64,
    max_connections: usize,
    max_handshakes: usize,
    objects: Vec<Object>,
}

struct Object {
    /// What Python calls its `typeid`.
    name: String,
    served: Arc<dyn Served>,
    /// How many proxies there are. It stays when there is none.
    references: AtomicU64,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.served.class())
    }
}

impl ServerBuilder {
    /// Serves a queue, as `register(name, callable=lambda: queue)` does.
    pub fn queue(self, name: impl Into<String>, queue: &Queue) -> Self {
        self.object(name.into(), queue.served())
    }

    /// Serves a dictionary, as `register(name, callable=lambda: dict, proxytype=DictProxy)` does.
    pub fn dict(self, name: impl Into<String>, dict: &Dict) -> Self {
        self.object(name.into(), dict.served())
    }

    /// How many bytes a request may have: 64 MiB, unless this says otherwise.
    pub fn max_message(mut self, bytes: u64) -> Self {
        (self.max_message, self.settings) = (bytes, self.settings.max_message(bytes));
        self
    }

    /// Whether clients before CPython 3.12 are let in, which know nothing but HMAC-MD5. They are, unless this says `false`.
    pub fn md5(mut self, allowed: bool) -> Self {
        self.settings = self.settings.md5(allowed);
        self
    }

    /// How many connections of clients that know the key there may be: 1,024, unless this says otherwise. Each thread of a client has one. For one more
    /// the client gets `EOFError`, and counts as [refused](ManagerServer::refusals).
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count;
        self
    }

    /// How many clients may be in their handshake: 128, unless this says otherwise. For one more the one that began first is given up, so that many
    /// who say nothing do not keep out one who does.
    pub fn max_handshakes(mut self, count: usize) -> Self {
        self.max_handshakes = count.max(1);
        self
    }

    /// How long a client may take for its handshake: 10 seconds, unless this says otherwise.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.settings = self.settings.handshake_timeout(timeout);
        self
    }

    fn object(mut self, name: String, served: Arc<dyn Served>) -> Self {
        self.objects.retain(|object| object.name != name);
        self.objects.push(Object { name, served, references: AtomicU64::new(0) });
        self
    }

    /// Begins to listen and to serve.
    ///
    /// # Errors
    /// As [`Builder::bind`]; when the system has no thread or descriptors left.
    pub fn start(self) -> Result<ManagerServer, PythonError> {
        let listener = self.settings.bind(self.endpoint)?;
        let endpoint = listener.endpoint().clone();
        let (stop, stopped) = UnixStream::pair()?;
        let serving = Arc::new(Serving {
            objects: self.objects,
            max_message: self.max_message,
            max_connections: self.max_connections,
            max_handshakes: self.max_handshakes,
            visits: Mutex::default(),
            one_ended: Condvar::new(),
            refusals: AtomicU64::new(0),
        });
        let shared = Arc::clone(&serving);
        let listen = move || shared.listen(&listener, &stopped);
        let thread = std::thread::Builder::new().name("python manager".into()).spawn(listen)?;
        Ok(ManagerServer { serving, endpoint, stop: Some(stop), thread: Some(thread) })
    }
}

impl ManagerServer {
    /// Describes a server at an endpoint, for clients that know the key.
    pub fn builder(endpoint: impl Into<Endpoint>, key: impl Into<AuthKey>) -> ServerBuilder {
        let settings = Builder::new().authkey(key);
        ServerBuilder {
            endpoint: endpoint.into(),
            settings,
            max_message: MAX_MESSAGE,
            max_connections: MAX_CONNECTIONS,
            max_handshakes: MAX_HANDSHAKES,
            objects: Vec::new(),
        }
    }

    /// Where it listens: with its port, if that was to be any.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How many clients were not let in: with another key, or that spoke no protocol of Python, one too many, or for
    /// which the system had no thread or descriptor left.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.serving.refusals.load(Ordering::Relaxed)
    }

    /// How many connections there are: one per thread of a client that has called a method.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.serving.visits().connections.len()
    }
}

/// Ends all connections. When it returns, no client gets or puts anything any more.
impl Drop for ManagerServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _it_has_told_of_its_panic = thread.join();
        }
        self.serving.end();
    }
}

/// What the threads of a server share.
#[derive(Debug)]
pub(super) struct Serving {
    objects: Vec<Object>,
    pub(super) max_message: u64,
    max_connections: usize,
    max_handshakes: usize,
    visits: Mutex<Visits>,
    one_ended: Condvar,
    refusals: AtomicU64,
}

#[derive(Debug, Default)]
struct Visits {
    is_over: bool,
    next: u64,
    /// In their handshake, the first in front.
    guests: VecDeque<(u64, Arc<Socket>)>,
    /// How many threads there are that listen to guests or connections.
    threads: usize,
    connections: HashMap<u64, Arc<Connection>>,
}

/// A thread of the server for one client, and its place among the guests until it is let in.
struct Reception {
    serving: Arc<Serving>,
    number: u64,
}

impl Reception {
    /// With one too many the first guest is given up; `None` when the server has ended.
    fn new(serving: &Arc<Serving>, guest: &Guest) -> Option<Self> {
        let mut visits = serving.visits();
        if visits.is_over {
            return None;
        }
        if visits.guests.len() >= serving.max_handshakes {
            if let Some((_, first)) = visits.guests.pop_front() {
                let _it_may_be_gone = first.shutdown();
            }
        }
        visits.next += 1;
        visits.threads += 1;
        let number = visits.next;
        visits.guests.push_back((number, Arc::clone(guest.socket())));
        Some(Self { serving: Arc::clone(serving), number })
    }

    fn receive(&self, guest: Guest) {
        let serving = &*self.serving;
        let Ok(connection) = guest.authenticate().map(Arc::new) else { return serving.refuse() };
        let Some(visit) = serving.enter(self.number, &connection) else { return };
        // However it ended: the client is gone, or has been told.
        let _its_end = visit::serve(serving, &connection);
        let _it_may_be_gone = connection.shutdown();
        drop(visit);
    }
}

impl Drop for Reception {
    fn drop(&mut self) {
        let mut visits = self.serving.visits();
        visits.guests.retain(|(number, _)| *number != self.number);
        visits.threads -= 1;
        drop(visits);
        self.serving.one_ended.notify_all();
    }
}

/// A connection that is being served.
struct Visit<'a> {
    serving: &'a Serving,
    number: u64,
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.serving.visits().connections.remove(&self.number);
    }
}

impl Serving {
    fn visits(&self) -> MutexGuard<'_, Visits> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(self: Arc<Self>, listener: &Listener, stopped: &UnixStream) {
        loop {
            match crate::wait(&[&stopped.as_fd(), listener], None) {
                Ok(ready) if ready.contains(&0) => return,
                Ok(_) => {}
                Err(_) => self.rest(stopped),
            }
            let guest = match listener.try_next() {
                Ok(Some(guest)) => guest,
                Ok(None) => continue,
                Err(_) => {
                    self.rest(stopped);
                    continue;
                }
            };
            let Some(reception) = Reception::new(&self, &guest) else { return };
            let serve = move || reception.receive(guest);
            if std::thread::Builder::new().name("python visit".into()).spawn(serve).is_err() {
                // The guest is gone with the closure that was to serve it.
                self.rest(stopped);
            }
        }
    }

    /// The system has no descriptors or threads left: until others end, an attempt now and then is enough.
    fn rest(&self, stopped: &UnixStream) {
        self.refuse();
        let _there_is_always_the_next_attempt = crate::wait(&[&stopped.as_fd()], Some(REST));
    }

    fn refuse(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }

    /// A guest is let in, if there is room and the server has not ended.
    fn enter(&self, number: u64, connection: &Arc<Connection>) -> Option<Visit<'_>> {
        let mut visits = self.visits();
        visits.guests.retain(|(other, _)| *other != number);
        if visits.is_over {
            return None;
        }
        if visits.connections.len() >= self.max_connections {
            self.refuse();
            return None;
        }
        visits.connections.insert(number, Arc::clone(connection));
        Some(Visit { serving: self, number })
    }

    fn end(&self) {
        let mut visits = self.visits();
        visits.is_over = true;
        for connection in visits.connections.values() {
            let _it_may_be_gone = connection.shutdown();
        }
        for (_, guest) in &visits.guests {
            let _it_may_be_gone = guest.shutdown();
        }
        while visits.threads > 0 {
            visits = self.one_ended.wait(visits).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The object of an identity, which is its place, from 1 on.
    fn object(&self, ident: &str) -> Result<&Object, String> {
        let place = usize::from_str_radix(ident, 16).ok().and_then(|number| number.checked_sub(1));
        let object = place.and_then(|place| self.objects.get(place));
        object.ok_or_else(|| format!("KeyError: {ident:?}"))
    }

    pub(super) fn find(&self, ident: &Value) -> Result<&dyn Served, String> {
        match ident {
            Value::String(ident) => Ok(&*self.object(ident)?.served),
            other => Err(format!("KeyError: {other}")),
        }
    }

    /// One more reference to the object of a name: its identity and methods.
    pub(super) fn create(&self, name: &str) -> Result<(String, Value), String> {
        let place = self.objects.iter().position(|object| object.name == name);
        let place = place.ok_or_else(|| format!("KeyError: {name:?}: no object of this name is served"))?;
        let ident = format!("{:x}", place + 1);
        self.count(&ident, 1)?;
        let methods = self.methods(&ident)?;
        Ok((ident, methods))
    }

    pub(super) fn methods(&self, ident: &str) -> Result<Value, String> {
        let methods = self.object(ident)?.served.methods();
        Ok(Value::Tuple(methods.iter().map(|method| Value::String((*method).to_owned())).collect()))
    }

    /// More or less references.
    pub(super) fn count(&self, ident: &str, change: i64) -> Result<Value, String> {
        let references = &self.object(ident)?.references;
        let changed = references
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |present| present.checked_add_signed(change));
        changed.map_err(|_| format!("AssertionError: Id {ident} has refcount 0, not 1+"))?;
        Ok(Value::None)
    }

    /// How many objects have references.
    pub(super) fn referenced(&self) -> usize {
        self.objects.iter().filter(|object| object.references.load(Ordering::Relaxed) > 0).count()
    }

    pub(super) fn debug_info(&self) -> String {
        let line = |(place, object): (usize, &Object)| {
            let references = object.references.load(Ordering::Relaxed);
            format!("  {:x}:       refcount={references}\n    {}", place + 1, object.served.describe())
        };
        self.objects.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
    }
}
