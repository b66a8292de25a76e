//! The client's side: one connection per server and process, which all threads call over.
//!
//! There is no thread that reads. Of those that wait for answers one has the receiver and reads for all: it hands the others' answers
//! to them, all that have come at once, and the receiver on when its own has come. So who calls alone sends, receives, and switches to
//! nobody.
//!
//! Where several threads call all the time, what costs is to wake them, and each of the writes. Whoever calls first gives way once
//! before it sends: those whose answers came together with its own put their next calls behind its, and all go in one write. It does so only as
//! long as that pays off.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::CallError;
use super::home::{self, Home};
use super::message::{GREETING, NUMBER, Outcome, Request, UNANSWERED};
use super::patience::{Alarm, CancelToken, Patience};
use crate::net::remote::{Caller, Link, LinkReceiver, LinkSender, Put, RemoteError};
use crate::sys::spin::Spin;
use crate::sys::{own, poller};
use crate::wire::codec::{Codec, CodecError, Wire};

/// How many calls may have no answer when another is started that nobody waits for yet.
const MOST_STARTED: usize = 1024;

/// Room for a request with few arguments.
const SHORT: usize = 64;

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
    /// Whether somebody has seen that the link is over: nobody is to begin with it.
    cut: AtomicBool,
    /// Taken when it is dropped.
    sender: Option<LinkSender>,
    state: Mutex<State>,
    /// Rung when an answer has come, or nobody reads, if somebody waits for room.
    room: Condvar,
    /// What giving way to other callers has brought.
    together: Spin,
}

struct State {
    /// Here while nobody reads.
    receiver: Option<LinkReceiver>,
    /// The calls that have no answer.
    waiting: HashMap<u64, Arc<Seat>>,
    next: u64,
    /// How many threads sleep until they are told that their answer has come, or that they are to read.
    asleep: usize,
    /// How many wait until fewer calls have no answer.
    queue: usize,
    /// Whether answers for several have come together lately.
    crowded: bool,
    gone: Option<RemoteError>,
}

/// Where the answer to a call comes.
#[derive(Default)]
pub(super) struct Seat(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    /// Who waits for it, if somebody does.
    thread: Option<Thread>,
    answer: Option<Vec<u8>>,
}

impl Seat {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of_this_thread() -> Self {
        Self(Mutex::new(Taken { thread: Some(thread::current()), answer: None }))
    }
}

impl State {
    /// Somebody who waits is to read, if the receiver is here. Who has not gone to sleep sees to that without being told.
    fn next_reader(&self) -> Option<Thread> {
        if self.receiver.is_none() || self.asleep == 0 {
            return None;
        }
        self.waiting.values().find_map(|seat| seat.lock().thread.clone())
    }

    /// A call gets its number.
    fn enter(&mut self, seat: &Arc<Seat>) -> Result<u64, CallError> {
        if let Some(why) = &self.gone {
            return Err(CallError::Unreachable(why.clone()));
        }
        self.next += 1;
        self.waiting.insert(self.next, Arc::clone(seat));
        Ok(self.next)
    }

    fn end(&mut self, why: RemoteError) {
        self.gone.get_or_insert(why);
        unpark(self.waiting.values().filter_map(|seat| seat.lock().thread.clone()));
    }
}

fn unpark(threads: impl IntoIterator<Item = Thread>) {
    threads.into_iter().for_each(|thread| thread.unpark());
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
    sender.send(&frame).map_err(CallError::Unreachable)?;
    Reply(receiver.recv_timeout(patience).map_err(CallError::Unreachable)?).value()
}

impl Connection {
    fn new(home: &Home) -> Result<Self, CallError> {
        let Home { endpoint, limits, key, tls, .. } = home;
        let link = Link::connect_with(endpoint, key.as_ref(), limits, tls.as_ref());
        let (sender, mut receiver) = link.map_err(CallError::Unreachable)?.split();
        let server = Some(greet(&sender, &mut receiver, limits.handshake())?);
        if home.server.is_some() && home.server != server {
            return Err(CallError::UnknownObject); // another has taken its place
        }
        let home = Arc::new(Home { server, ..home.clone() });
        let private = matches!(sender.peer(), Caller::Local(_));
        let state = State {
            receiver: Some(receiver),
            waiting: HashMap::new(),
            next: GREETING,
            asleep: 0,
            queue: 0,
            crowded: false,
            gone: None,
        };
        Ok(Self {
            home,
            private,
            pid: own::pid(),
            cut: AtomicBool::new(false),
            sender: Some(sender),
            state: Mutex::new(state),
            room: Condvar::new(),
            together: Spin::new(Duration::ZERO),
        })
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
        let is_over = || self.cut.load(Ordering::Relaxed) || self.lock().gone.is_some();
        self.home.server == server && !self.is_of_another() && !is_over()
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
        patience: &Patience,
    ) -> Result<Reply, CallError> {
        let deadline = poller::deadline(patience.limit);
        let alarm = Alarm::of(patience)?;
        let frame = self.frame(request, arguments)?;
        let seat = Arc::new(Seat::of_this_thread());
        let mut state = self.lock();
        if alarm.as_ref().is_some_and(Alarm::is_rung) {
            return Err(CallError::NotBegun);
        }
        let alone = state.waiting.is_empty() && !state.crowded;
        let number = state.enter(&seat)?;
        drop(state);
        self.send(frame, number, alone)?;
        self.wait(&seat, number, deadline, alarm.as_ref())
    }

    /// Sends a request, whose answer is [waited](Self::wait) for later: where it comes, and its number. Waits while too many have none, as long as
    /// the caller has patience.
    pub(super) fn start(
        self: &Arc<Self>,
        request: &Request,
        arguments: Option<Arguments<'_>>,
        patience: &Patience,
        deadline: Option<Instant>,
    ) -> Result<(Arc<Seat>, u64), CallError> {
        let frame = self.frame(request, arguments)?;
        let seat = Arc::new(Seat::default());
        let mut state = self.room(patience, deadline)?;
        if patience.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(CallError::NotBegun);
        }
        let number = state.enter(&seat)?;
        drop(state);
        self.send(frame, number, true)?;
        Ok((seat, number))
    }

    /// A request as it is sent, but for its number.
    fn frame(&self, request: &Request, arguments: Option<Arguments<'_>>) -> Result<Vec<u8>, CallError> {
        let encode = |error: CodecError| CallError::Encode(error.to_string());
        let mut frame = Vec::with_capacity(SHORT);
        frame.extend_from_slice(&UNANSWERED.to_le_bytes());
        Wire::append(request, &mut frame).map_err(encode)?;
        if let Some(arguments) = arguments {
            // May call, too: proxies among them do.
            home::encoding(self.private, || arguments(&mut frame)).map_err(encode)?;
        }
        Ok(frame)
    }

    /// Sends a call; not alone, with those that others send at the same time.
    fn send(&self, mut frame: Vec<u8>, number: u64, alone: bool) -> Result<(), CallError> {
        frame[..NUMBER].copy_from_slice(&number.to_le_bytes());
        let sent = match &self.sender {
            Some(sender) if alone => sender.send(&frame),
            Some(sender) => self.send_with_others(sender, &frame),
            None => Err(RemoteError::Closed),
        };
        if let Err(error @ RemoteError::TooLarge { .. }) = sent {
            self.give_up(number);
            return Err(CallError::Refused(error.to_string()));
        }
        // What it said before it ended is still to be read: an answer may be among it, or why it ended.
        Ok(())
    }

    fn send_with_others(&self, sender: &LinkSender, frame: &[u8]) -> Result<(), RemoteError> {
        if sender.put(frame)? == Put::First {
            let length = sender.outbox_len();
            let _together_or_alone =
                self.together.after_giving_way(|| (sender.outbox_len() > length).then_some(()));
            sender.flush()?;
        }
        Ok(())
    }

    /// Waits for the answer to a call.
    pub(super) fn wait(
        &self,
        seat: &Seat,
        number: u64,
        deadline: Option<Instant>,
        alarm: Option<&Alarm<'_>>,
    ) -> Result<Reply, CallError> {
        {
            let mut seat = seat.lock();
            if seat.answer.is_none() && seat.thread.is_none() {
                seat.thread = Some(thread::current());
            }
        }
        loop {
            if let Some(message) = seat.lock().answer.take() {
                return Ok(Reply(message));
            }
            let mut state = self.lock();
            if !state.waiting.contains_key(&number) {
                continue; // it has come
            }
            if let Some(why) = state.gone.clone() {
                state.waiting.remove(&number);
                return Err(CallError::ServerGone(why));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let is_cancelled = alarm.is_some_and(Alarm::is_rung);
            if is_cancelled || left.is_some_and(|left| left.is_zero()) {
                drop(state);
                self.give_up(number);
                self.tell(&Request::Cancel { call: number }, None);
                return Err(if is_cancelled { CallError::Cancelled } else { CallError::TimedOut });
            }
            if let Some(receiver) = state.receiver.take() {
                drop(state);
                self.read(receiver, Some(number), deadline, alarm);
                continue;
            }
            state.asleep += 1;
            drop(state);
            match left {
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
            self.lock().asleep -= 1;
        }
    }

    /// Waits until not too many calls have no answer.
    fn room(
        self: &Arc<Self>,
        patience: &Patience,
        deadline: Option<Instant>,
    ) -> Result<MutexGuard<'_, State>, CallError> {
        let is_full = |state: &State| state.waiting.len() >= MOST_STARTED && state.gone.is_none();
        let mut state = self.lock();
        if !is_full(&state) {
            return Ok(state);
        }
        drop(state);
        let alarm = Alarm::of(patience)?;
        let waiting = Arc::downgrade(self);
        let _hook = patience.cancel.as_ref().map(|token| {
            token.when_cancelled(move || {
                if let Some(connection) = waiting.upgrade() {
                    drop(connection.lock()); // who waits is asleep, or has not looked yet
                    connection.room.notify_all();
                }
            })
        });
        state = self.lock();
        while is_full(&state) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if alarm.as_ref().is_some_and(Alarm::is_rung) {
                return Err(CallError::NotBegun);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Err(CallError::TimedOut);
            }
            if let Some(receiver) = state.receiver.take() {
                drop(state);
                self.read(receiver, None, deadline, alarm.as_ref());
                state = self.lock();
                continue;
            }
            state.queue += 1;
            state = match left {
                Some(left) => self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.room.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.queue -= 1;
        }
        Ok(state)
    }

    /// Reads for all until the answer has come, or any, if there is no number; until the deadline has passed; or until the link is over.
    fn read(
        &self,
        mut receiver: LinkReceiver,
        number: Option<u64>,
        deadline: Option<Instant>,
        alarm: Option<&Alarm<'_>>,
    ) {
        let mut message = Vec::new();
        let mut has_come = false;
        while !has_come {
            let mut came = match (alarm, deadline) {
                (Some(alarm), deadline) => alarm.recv(&mut receiver, &mut message, deadline),
                (None, None) => receiver.recv_into(&mut message),
                (None, Some(deadline)) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    receiver.recv_timeout_into(&mut message, left)
                }
            };
            let mut answered = Vec::new();
            let mut state = self.lock();
            while came.is_ok() {
                let Some(other) = message.first_chunk::<NUMBER>().map(|bytes| u64::from_le_bytes(*bytes))
                else {
                    came = Err(RemoteError::Protocol { why: "an answer without a number".into() });
                    break;
                };
                // Nobody waits any more for what comes too late.
                if let Some(seat) = state.waiting.remove(&other) {
                    let mut seat = seat.lock();
                    seat.answer = Some(std::mem::take(&mut message));
                    if Some(other) == number {
                        has_come = true;
                    } else {
                        answered.extend(seat.thread.take());
                    }
                }
                if !receiver.has_message() {
                    break;
                }
                came = receiver.recv_into(&mut message); // which is there
            }
            state.crowded = !answered.is_empty();
            if state.queue > 0 {
                self.room.notify_all();
            }
            has_come |= number.is_none();
            match came {
                Ok(()) if !has_come => {
                    drop(state);
                    unpark(answered);
                    continue;
                }
                Ok(()) | Err(RemoteError::TimedOut) => state.receiver = Some(receiver),
                Err(why) => state.end(why),
            }
            let reader = state.next_reader();
            drop(state);
            unpark(answered);
            unpark(reader);
            break;
        }
    }

    /// Whether the link is over, seen from outside: who reads may not have come to its end, where answers may be.
    pub(super) fn is_cut(&self) -> bool {
        if self.sender.as_ref().is_some_and(LinkSender::is_over) {
            self.cut.store(true, Ordering::Relaxed);
        }
        self.cut.load(Ordering::Relaxed) || self.lock().gone.is_some()
    }

    /// Waits no longer for an answer.
    fn give_up(&self, number: u64) {
        let mut state = self.lock();
        state.waiting.remove(&number);
        let reader = state.next_reader(); // this thread may have been the one that was to read
        drop(state);
        unpark(reader);
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
