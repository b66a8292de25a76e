//! The client's side: one connection per server and process, which all threads call over.
//!
//! There is no thread that reads. Of those that wait for answers one has the receiver and reads for all: it hands the others' answers
//! to them, and the receiver on when its own has come. So who calls alone sends, receives, and switches to nobody.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::CallError;
use super::home::{self, Home};
use super::message::{GREETING, NUMBER, Outcome, Request, UNANSWERED};
use crate::net::remote::{Caller, Link, LinkReceiver, LinkSender, RemoteError};
use crate::sys::{own, poller};
use crate::wire::codec::{Codec, CodecError, Wire};

/// The connections of this process, as long as anybody uses them.
static CONNECTIONS: Mutex<Vec<Weak<Connection>>> = Mutex::new(Vec::new());

/// The connection of this process to a server.
pub(super) fn connect(home: &Home) -> Result<Arc<Connection>, CallError> {
    if let Some(connection) = home.server.and_then(known) {
        return Ok(connection);
    }
    // Others need not wait while this one connects.
    let new = Arc::new(Connection::new(home)?);
    // But to the server a process is one: if another has connected meanwhile, that is its connection.
    let mut connections = CONNECTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let others: Vec<_> = connections.iter().filter_map(Weak::upgrade).collect();
    let connection = others.iter().find(|other| other.leads_to(new.home.server)).map(Arc::clone);
    let connection = connection.unwrap_or_else(|| {
        connections.push(Arc::downgrade(&new));
        Arc::clone(&new)
    });
    connections.retain(|connection| connection.strong_count() > 0);
    drop(connections);
    drop((others, new));
    Ok(connection)
}

fn known(server: u64) -> Option<Arc<Connection>> {
    let connections: Vec<_> = {
        let connections = CONNECTIONS.lock().unwrap_or_else(PoisonError::into_inner);
        connections.iter().filter_map(Weak::upgrade).collect()
    };
    connections.into_iter().find(|connection| connection.leads_to(Some(server)))
}

/// A connection to a server.
pub(super) struct Connection {
    home: Arc<Home>,
    /// Whether it goes over a local socket.
    private: bool,
    /// The process that made it. A copy of that has the socket, and must leave it alone.
    pid: u32,
    /// Taken when it is dropped.
    sender: Option<LinkSender>,
    state: Mutex<State>,
}

struct State {
    /// Here while nobody reads.
    receiver: Option<LinkReceiver>,
    waiting: HashMap<u64, Waiting>,
    next: u64,
    gone: Option<RemoteError>,
}

/// A call that has no answer, or one that nobody has taken.
enum Waiting {
    For(Thread),
    Came(Vec<u8>),
}

impl State {
    /// Somebody who waits is to read: the receiver is here.
    fn promote(&self) {
        let waits = self.waiting.values().find_map(|waiting| match waiting {
            Waiting::For(thread) => Some(thread),
            Waiting::Came(_) => None,
        });
        if let Some(thread) = waits {
            thread.unpark();
        }
    }

    fn end(&mut self, why: RemoteError) {
        self.gone.get_or_insert(why);
        for waiting in self.waiting.values() {
            if let Waiting::For(thread) = waiting {
                thread.unpark();
            }
        }
    }
}

/// An answer: what is behind its number.
pub(super) struct Reply(Vec<u8>);

impl Reply {
    pub(super) fn new(message: Vec<u8>) -> Self {
        Self(message)
    }

    pub(super) fn value<R: DeserializeOwned>(&self) -> Result<R, CallError> {
        let decode = |error: CodecError| CallError::Decode(error.to_string());
        let answer = self.0.get(NUMBER..).unwrap_or_default();
        let (outcome, rest) = Wire::decode_front::<Outcome>(answer).map_err(decode)?;
        match outcome {
            Outcome::Done => Wire::decode(rest).map_err(decode),
            Outcome::Failed(fault) => Err(fault.into()),
        }
    }
}

/// What writes the arguments behind the request.
pub(super) type Arguments<'a> = &'a dyn Fn(&mut Vec<u8>) -> Result<(), CodecError>;

/// Says hello: the number of the server.
fn greet(sender: &LinkSender, receiver: &mut LinkReceiver, patience: Duration) -> Result<u64, CallError> {
    let mut frame = GREETING.to_le_bytes().to_vec();
    Wire::append(&Request::Hello, &mut frame).map_err(|error| CallError::Encode(error.to_string()))?;
    sender.send(&frame).map_err(CallError::ServerGone)?;
    Reply(receiver.recv_timeout(patience).map_err(CallError::ServerGone)?).value()
}

impl Connection {
    fn new(home: &Home) -> Result<Self, CallError> {
        let Home { endpoint, limits, key, tls, .. } = home;
        let link = Link::connect_with(endpoint, key.as_ref(), limits, tls.as_ref());
        let (sender, mut receiver) = link.map_err(CallError::ServerGone)?.split();
        let server = Some(greet(&sender, &mut receiver, limits.handshake())?);
        if home.server.is_some() && home.server != server {
            return Err(CallError::UnknownObject); // another has taken its place
        }
        let home = Arc::new(Home { server, ..home.clone() });
        let private = matches!(sender.peer(), Caller::Local(_));
        let state = State { receiver: Some(receiver), waiting: HashMap::new(), next: GREETING, gone: None };
        Ok(Self { home, private, pid: own::pid(), sender: Some(sender), state: Mutex::new(state) })
    }

    pub(super) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Whether it was made by a process that this one is a copy of.
    pub(super) fn is_of_another(&self) -> bool {
        self.pid != own::pid()
    }

    /// Whether it leads to this server, and can be used.
    fn leads_to(&self, server: Option<u64>) -> bool {
        self.home.server == server && !self.is_of_another() && self.lock().gone.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request that is not answered.
    pub(super) fn tell(&self, request: &Request, arguments: Option<Arguments<'_>>) {
        let mut frame = UNANSWERED.to_le_bytes().to_vec();
        let written = Wire::append(request, &mut frame).and_then(|()| {
            arguments.map_or(Ok(()), |arguments| home::encoding(self.private, || arguments(&mut frame)))
        });
        if let (Some(sender), Ok(())) = (&self.sender, written) {
            let _who_calls_next_sees_it = sender.send(&frame);
        }
    }

    /// Sends a request, and waits for its answer.
    pub(super) fn call(
        &self,
        request: &Request,
        arguments: Option<Arguments<'_>>,
        limit: Option<Duration>,
    ) -> Result<Reply, CallError> {
        let deadline = poller::deadline(limit);
        let encode = |error: CodecError| CallError::Encode(error.to_string());
        let mut frame = vec![0; NUMBER];
        Wire::append(request, &mut frame).map_err(encode)?;
        if let Some(arguments) = arguments {
            // May call, too: proxies among them do.
            home::encoding(self.private, || arguments(&mut frame)).map_err(encode)?;
        }
        let number = {
            let mut state = self.lock();
            if let Some(why) = &state.gone {
                return Err(CallError::ServerGone(why.clone()));
            }
            state.next += 1;
            let number = state.next;
            state.waiting.insert(number, Waiting::For(thread::current()));
            number
        };
        frame[..NUMBER].copy_from_slice(&number.to_le_bytes());
        let sent = self.sender.as_ref().map_or(Err(RemoteError::Closed), |sender| sender.send(&frame));
        match sent {
            Ok(()) => {}
            Err(error @ RemoteError::TooLarge { .. }) => {
                self.give_up(number);
                return Err(CallError::Refused(error.to_string()));
            }
            // What it said before it ended is still to be read: an answer may be among it, or why it ended.
            Err(_it_is_gone) => {}
        }
        self.wait(number, deadline)
    }

    fn wait(&self, number: u64, deadline: Option<Instant>) -> Result<Reply, CallError> {
        loop {
            let mut state = self.lock();
            if let Some(Waiting::Came(_)) = state.waiting.get(&number) {
                if let Some(Waiting::Came(message)) = state.waiting.remove(&number) {
                    return Ok(Reply(message));
                }
            }
            if let Some(why) = state.gone.clone() {
                state.waiting.remove(&number);
                return Err(CallError::ServerGone(why));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                drop(state);
                self.give_up(number);
                self.tell(&Request::Cancel { call: number }, None);
                return Err(CallError::TimedOut);
            }
            if let Some(receiver) = state.receiver.take() {
                drop(state);
                if let Some(message) = self.read(receiver, number, deadline) {
                    return Ok(Reply(message));
                }
                continue;
            }
            drop(state);
            match left {
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
        }
    }

    /// Reads for all until the answer has come, the deadline has passed, or the link is over.
    fn read(&self, mut receiver: LinkReceiver, number: u64, deadline: Option<Instant>) -> Option<Vec<u8>> {
        loop {
            let mut message = Vec::new();
            let came = match deadline {
                None => receiver.recv_into(&mut message),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    receiver.recv_timeout_into(&mut message, left)
                }
            };
            match came.map(|()| message.first_chunk::<NUMBER>().map(|bytes| u64::from_le_bytes(*bytes))) {
                Ok(Some(other)) if other == number => {
                    let mut state = self.lock();
                    state.receiver = Some(receiver);
                    state.waiting.remove(&number);
                    state.promote();
                    return Some(message);
                }
                Ok(Some(other)) => {
                    // Nobody waits any more for what comes too late.
                    if let Some(waiting) = self.lock().waiting.get_mut(&other) {
                        if let Waiting::For(thread) = std::mem::replace(waiting, Waiting::Came(message)) {
                            thread.unpark();
                        }
                    }
                }
                Ok(None) => {
                    let why = RemoteError::Protocol { why: "an answer without a number".into() };
                    self.lock().end(why);
                    return None;
                }
                Err(RemoteError::TimedOut) => {
                    self.lock().receiver = Some(receiver);
                    return None;
                }
                Err(why) => {
                    self.lock().end(why);
                    return None;
                }
            }
        }
    }

    /// Waits no longer for an answer.
    fn give_up(&self, number: u64) {
        let mut state = self.lock();
        state.waiting.remove(&number);
        if state.receiver.is_some() {
            state.promote(); // this thread may have been the one that was to read
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_of_another() {
            // Dropping it would end the link of the original.
            std::mem::forget(self.sender.take());
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("sender", &self.sender).finish_non_exhaustive()
    }
}
