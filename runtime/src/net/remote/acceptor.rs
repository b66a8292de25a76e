//! The side that listens.
//!
//! One thread accepts streams, and each stream gets a thread for its greeting, so nobody waits for anybody else's. Those that are greeted
//! wait in a queue for [`Acceptor::accept`]; they count as connections, so the queue is bounded. A stream that fails its greeting,
//! is slow, or is one too many is told why, ends, and is remembered among the [`Refusals`]; the acceptor is as before.
//!
//! When the acceptor is closed or dropped, the streams that are in their greeting end, and so do links that nobody took. Links that
//! were taken live on. When its process dies the kernel closes all of them.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::link::{Permit, check_user};
use super::timed::Timed;
#[cfg(feature = "rustls")]
use super::tls::TlsTalk;
use super::transport::Transport;
use super::{AuthKey, Caller, Endpoint, Limits, Link, RemoteError, TlsServer, greeting};
use crate::sys::poller::{self, Poller};
use crate::sys::stream::{Stream, StreamListening};

/// The token of the socket that listens.
const LISTENING: u64 = 0;

/// How long to leave new clients alone when the system has no descriptors for them.
const PAUSE: Duration = Duration::from_millis(50);

/// How many refusals are remembered.
const MEMORY: usize = 64;

/// What a greeting needs of a stack, and much more.
const STACK: usize = 256 << 10;

/// Listens at an [`Endpoint`] for clients, which [connect](Link::connect) to it. See [the module](super).
#[derive(Debug)]
pub struct Acceptor {
    shared: Arc<Shared>,
    endpoint: Endpoint,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    poller: Poller,
    key: Option<AuthKey>,
    tls: Option<TlsServer>,
    limits: Limits,
    /// How many links there are.
    connections: Arc<AtomicUsize>,
    state: Mutex<State>,
    /// Rung when a link is ready, or it is closed.
    ready: Condvar,
}

#[derive(Debug, Default)]
struct State {
    links: VecDeque<Link>,
    closed: bool,
    /// Those that are in their greeting, the first that began first.
    greeted: VecDeque<(u64, Arc<Stream>)>,
    next: u64,
    refusals: Refusals,
}

/// Those whom an [`Acceptor`] has not let in.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Refusals {
    /// How many there were.
    pub count: u64,
    /// The last of them, at most 64, the latest last.
    pub latest: VecDeque<Refusal>,
}

/// One whom an [`Acceptor`] has not let in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// Who it was, if it stayed long enough to be asked.
    pub peer: Option<Caller>,
    /// Why.
    pub error: RemoteError,
}

impl Refusals {
    fn add(&mut self, peer: Option<Caller>, error: RemoteError) {
        self.count += 1;
        if self.latest.len() == MEMORY {
            self.latest.pop_front();
        }
        self.latest.push_back(Refusal { peer, error });
    }
}

impl Acceptor {
    /// Listens at an endpoint. The key, if there is one, is asked of all clients; there may be none for an endpoint that is
    /// [local](Endpoint::is_local), where the kernel vouches for the user.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when somebody listens there already,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for an endpoint that cannot be one, or a port without a key; when the system
    /// refuses.
    pub fn bind(endpoint: &Endpoint, key: Option<AuthKey>, limits: Limits) -> io::Result<Self> {
        Self::bind_with(endpoint, key, limits, None)
    }

    /// Listens at an endpoint for clients that come through TLS. The key is asked of them there.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    #[cfg(feature = "rustls")]
    pub fn bind_tls(
        endpoint: &Endpoint,
        key: Option<AuthKey>,
        limits: Limits,
        tls: TlsServer,
    ) -> io::Result<Self> {
        Self::bind_with(endpoint, key, limits, Some(tls))
    }

    /// Listens, with TLS or without.
    pub(crate) fn bind_with(
        endpoint: &Endpoint,
        key: Option<AuthKey>,
        limits: Limits,
        tls: Option<TlsServer>,
    ) -> io::Result<Self> {
        if key.is_none() && !endpoint.is_local() {
            let why = format!("whoever reaches `{endpoint}` would be let in: listen there with a key");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let explain = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot listen at `{endpoint}`: {error}"))
        };
        let (listening, endpoint) = match endpoint {
            Endpoint::Tcp { host, port } => {
                let listening = StreamListening::bind_tcp(host, *port).map_err(explain)?;
                let port = listening.port()?.unwrap_or(*port);
                (listening, Endpoint::tcp(host, port))
            }
            Endpoint::Local(address) => {
                let address = address.absolute()?;
                let listening = StreamListening::bind_local(address.place()?).map_err(explain)?;
                (listening, Endpoint::Local(address))
            }
        };
        let poller = Poller::new()?;
        poller.add(listening.sentinel(), LISTENING)?;
        let shared = Arc::new(Shared {
            poller,
            key,
            tls,
            limits,
            connections: Arc::default(),
            state: Mutex::default(),
            ready: Condvar::new(),
        });
        let listener = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("acceptor".into()).spawn(move || listener.listen(&listening))?;
        Ok(Self { shared, endpoint, thread: Mutex::new(Some(thread)) })
    }

    /// Where it listens: with the port that it has, and an absolute path.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Waits for a client that has proved itself. Several threads may; each client goes to one of them.
    ///
    /// # Errors
    /// [`RemoteError::AcceptorClosed`] when it is closed.
    pub fn accept(&self) -> Result<Link, RemoteError> {
        self.accept_until(None)
    }

    /// Waits at most this long for a client.
    ///
    /// # Errors
    /// [`RemoteError::TimedOut`] if there was none; else as [`accept`](Self::accept).
    pub fn accept_timeout(&self, timeout: Duration) -> Result<Link, RemoteError> {
        self.accept_until(poller::deadline(Some(timeout)))
    }

    fn accept_until(&self, deadline: Option<Instant>) -> Result<Link, RemoteError> {
        let ready = &self.shared.ready;
        let mut state = self.shared.state();
        loop {
            if state.closed {
                return Err(RemoteError::AcceptorClosed);
            }
            if let Some(link) = state.links.pop_front() {
                return Ok(link);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                None => ready.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return Err(RemoteError::TimedOut),
                Some(left) => ready.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    /// Who was not let in, and why: for logs, and to see whether somebody tries.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        self.shared.state().refusals.clone()
    }

    /// How many links there are: those that were accepted and have not been dropped, and those that wait to be accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Takes no more clients. Who waits in [`accept`](Self::accept) returns. Links that were accepted live on.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Takes no more clients, and waits until its place is free for others.
    pub(crate) fn clear_out(&self) {
        self.shared.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _its_panic_was_printed = thread.join();
        }
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.clear_out();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let links = std::mem::take(&mut state.links);
        for (_, stream) in state.greeted.drain(..) {
            let _is_gone_anyway = stream.shut_down(Shutdown::Both);
        }
        drop(state);
        drop(links);
        self.ready.notify_all();
        let _rings_already = self.poller.ring();
    }

    /// Accepts streams until it is closed. The socket is this thread's alone: greetings that go on for a moment do not keep it open.
    fn listen(self: &Arc<Self>, listening: &StreamListening) {
        while !self.state().closed {
            let wait = match self.accept_all(listening) {
                Ok(()) => None,
                Err(_no_descriptors) => Instant::now().checked_add(PAUSE),
            };
            if wait.is_none() && self.watch(listening).is_err() {
                self.close();
            }
            let _woken_or_not = self.poller.wait(wait);
        }
    }

    /// Has the poller report the next who comes.
    fn watch(&self, listening: &StreamListening) -> io::Result<()> {
        self.poller.remove(listening.sentinel())?;
        self.poller.add(listening.sentinel(), LISTENING)
    }

    fn accept_all(self: &Arc<Self>, listening: &StreamListening) -> io::Result<()> {
        while let Some(stream) = listening.accept()? {
            self.begin(stream);
        }
        Ok(())
    }

    /// Has a stream greeted by a thread of its own.
    fn begin(self: &Arc<Self>, stream: Stream) {
        let stream = Arc::new(stream);
        let Some(number) = self.enter(&stream) else { return };
        let shared = Arc::clone(self);
        let greet = move || shared.greet(number, &stream);
        let thread = std::thread::Builder::new().name("greeting".into()).stack_size(STACK).spawn(greet);
        if let Err(error) = thread {
            self.leave(number, Err((None, RemoteError::system(error))));
        }
    }

    /// Counts a stream among those in their greeting, in the place of the first if there are too many. `None` when it is closed.
    fn enter(&self, stream: &Arc<Stream>) -> Option<u64> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        if state.greeted.len() >= self.limits.max_handshakes {
            if let Some((_, first)) = state.greeted.pop_front() {
                let _is_gone_anyway = first.shut_down(Shutdown::Both);
            }
        }
        state.next += 1;
        let number = state.next;
        state.greeted.push_back((number, Arc::clone(stream)));
        Some(number)
    }

    fn greet(&self, number: u64, stream: &Arc<Stream>) {
        let deadline = poller::deadline(Some(self.limits.handshake_timeout));
        let origin = stream.origin().map_err(RemoteError::of_stream);
        let caller = origin.as_ref().ok().map(|origin| Caller::from(*origin));
        let mut talk = Timed::new(stream, deadline);
        let (key, limit) = (self.key.as_ref(), self.limits.max_message);
        let admit = || {
            check_user(origin?)?;
            Permit::take(&self.connections, self.limits.max_connections)
        };
        let greeted = match &self.tls {
            None => greeting::as_server(&mut talk, key, limit, admit)
                .map(|(limit, permit)| (Transport::Plain(Arc::clone(stream)), limit, permit)),
            #[cfg(feature = "rustls")]
            Some(tls) => tls.connection().and_then(|connection| {
                let mut talk = TlsTalk::new(connection, Timed::new(stream, deadline));
                let (limit, permit) = greeting::as_server(&mut talk, key, limit, admit)?;
                Ok((Transport::tls(Arc::clone(stream), talk.into_connection()), limit, permit))
            }),
            #[cfg(not(feature = "rustls"))]
            Some(never) => match *never {},
        };
        if greeted.is_err() {
            // Closed at once, a stream with something unread in it would take along what was said last.
            let _is_gone_anyway = stream.shut_down(Shutdown::Write);
            let _slow_or_gone = talk.outlast();
        }
        let link = greeted
            .and_then(|(transport, limit, permit)| Link::new(transport, &self.limits, limit, Some(permit)));
        self.leave(number, link.map_err(|error| (caller, error)));
    }

    /// A greeting is over.
    fn leave(&self, number: u64, outcome: Result<Link, (Option<Caller>, RemoteError)>) {
        let mut state = self.state();
        let place = state.greeted.iter().position(|(other, _)| *other == number);
        let was_given_up = place.and_then(|place| state.greeted.remove(place)).is_none();
        match outcome {
            _ if state.closed => {}
            Ok(_) if was_given_up => state.refusals.add(None, RemoteError::TooMany),
            Ok(link) => {
                state.links.push_back(link);
                self.ready.notify_one();
            }
            Err((peer, _)) if was_given_up => state.refusals.add(peer, RemoteError::TooMany),
            Err((peer, error)) => state.refusals.add(peer, error),
        }
    }
}
