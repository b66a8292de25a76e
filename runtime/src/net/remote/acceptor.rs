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
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::link::Permit;
use super::{AuthKey, Endpoint, Limits, Link, RemoteError};
use crate::sys::poller::Poller;
use crate::sys::stream::{Stream, StreamListening};

/// The token of the socket that listens.
const LISTENING: u64 = 0;

/// How long to leave new clients alone when the system has no descriptors for them.
const PAUSE: Duration = Duration::from_millis(50);

/// Listens at an [`Endpoint`] for clients, which [connect](Link::connect) to it. See [the module](super).
#[derive(Debug)]
pub struct Acceptor {
    shared: Arc<Shared>,
    endpoint: Endpoint,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    listening: StreamListening,
    poller: Poller,
    key: Option<AuthKey>,
    limits: Limits,
    /// One more than there are connections.
    permits: Arc<()>,
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
}

impl Acceptor {
    /// Listens at an endpoint. The key, if there is one, is asked of all clients.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when somebody listens there already,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for an endpoint that cannot be one; when the system refuses.
    pub fn bind(endpoint: &Endpoint, key: Option<AuthKey>, limits: Limits) -> io::Result<Self> {
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
        let permits = Arc::new(());
        let state = Mutex::default();
        let shared =
            Arc::new(Shared { listening, poller, key, limits, permits, state, ready: Condvar::new() });
        let listener = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("acceptor".into()).spawn(move || listener.listen())?;
        Ok(Self { shared, endpoint, thread: Some(thread) })
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
        let mut state = self.shared.state();
        loop {
            if state.closed {
                return Err(RemoteError::AcceptorClosed);
            }
            if let Some(link) = state.links.pop_front() {
                return Ok(link);
            }
            state = self.shared.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits at most this long for a client.
    ///
    /// # Errors
    /// [`RemoteError::TimedOut`] if there was none; else as [`accept`](Self::accept).
    pub fn accept_timeout(&self, timeout: Duration) -> Result<Link, RemoteError> {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.shared.state();
        loop {
            if state.closed {
                return Err(RemoteError::AcceptorClosed);
            }
            if let Some(link) = state.links.pop_front() {
                return Ok(link);
            }
            let left =
                deadline.map_or(timeout, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Err(RemoteError::TimedOut);
            }
            state = self.shared.ready.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes no more clients. Who waits in [`accept`](Self::accept) returns. Links that were accepted live on.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            let _its_panic_was_printed = thread.join();
        }
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

    /// Accepts streams until it is closed.
    fn listen(self: &Arc<Self>) {
        while !self.state().closed {
            let wait = match self.accept_all() {
                Ok(()) => None,
                Err(_no_descriptors) => Instant::now().checked_add(PAUSE),
            };
            if wait.is_none() && self.watch().is_err() {
                self.close();
            }
            let _woken_or_not = self.poller.wait(wait);
        }
    }

    /// Has the poller report the next who comes.
    fn watch(&self) -> io::Result<()> {
        self.poller.remove(self.listening.sentinel())?;
        self.poller.add(self.listening.sentinel(), LISTENING)
    }

    fn accept_all(self: &Arc<Self>) -> io::Result<()> {
        while let Some(stream) = self.listening.accept()? {
            self.greet(stream);
        }
        Ok(())
    }

    fn greet(&self, stream: Stream) {
        let _ = &self.key;
        let permit = Permit(Arc::clone(&self.permits));
        if Arc::strong_count(&self.permits) - 1 > self.limits.max_connections {
            return;
        }
        if let Ok(link) = Link::new(stream, &self.limits, self.limits.max_message, Some(permit)) {
            let mut state = self.state();
            if !state.closed {
                state.links.push_back(link);
                self.ready.notify_one();
            }
        }
    }
}
