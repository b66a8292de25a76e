//! One client of a server, from the time it is connected until it is gone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::caller::{self, Caller, Consequences, Occasion};
use super::guest::{Guest, Rights, fail};
use super::message::{Fault, Method, NUMBER, Request, UNANSWERED};
use super::server::Server;
use crate::net::remote::{self, Link, LinkReceiver, LinkSender, Put, RemoteError};
use crate::wire::codec::{Codec, Wire};

/// How many threads one client may keep busy. One more reads what it says, sees when it is gone, and refuses further calls.
const MAX_THREADS: usize = 1024;

/// How long an answer may wait for those behind it, as long as calls are quick, so that they are sent together. Before a call that is
/// known to take long, none waits; when one does unexpectedly, they wait until the overseer sees it.
const PATIENCE: Duration = Duration::from_micros(100);

/// How many methods that take long are remembered.
const SLOW: usize = 64;

pub(super) struct Visit {
    guest: Guest,
    sender: LinkSender,
    state: Mutex<State>,
    /// How many calls have begun.
    begun: AtomicU64,
    /// What the overseer saw of that when it looked last.
    seen: AtomicU64,
}

struct State {
    /// Here while nobody reads.
    receiver: Option<LinkReceiver>,
    threads: usize,
    /// What each of them does.
    calls: Vec<Arc<Occasion>>,
    /// The methods that have lately taken so long that another thread went on reading.
    slow: Vec<Method>,
}

impl State {
    /// Whether there is a request that has been read already.
    fn has_request(&self) -> bool {
        self.receiver.as_ref().is_some_and(LinkReceiver::has_message)
    }

    /// A call is over.
    fn learn(&mut self, method: Method) {
        let known = self.slow.iter().position(|other| *other == method);
        match (known, self.receiver.is_none()) {
            (None, true) => {
                if self.slow.len() == SLOW {
                    self.slow.remove(0);
                }
                self.slow.push(method);
            }
            (Some(place), false) => {
                self.slow.swap_remove(place);
            }
            (None, false) | (Some(_), true) => {}
        }
    }
}

impl Visit {
    pub(super) fn new(number: u64, link: Link, rights: Rights) -> Self {
        let (sender, receiver) = link.split();
        let private = matches!(sender.peer(), remote::Caller::Local(_));
        let guest = Guest::new(Caller::new(number, sender.peer(), rights.create), rights, private);
        let state = State { receiver: Some(receiver), threads: 0, calls: Vec::new(), slow: Vec::new() };
        let (begun, seen) = Default::default();
        Self { guest, sender, state: Mutex::new(state), begun, seen }
    }

    pub(super) fn number(&self) -> u64 {
        self.guest.caller.number()
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody reads since the overseer looked last, because of one and the same call.
    pub(super) fn is_kept_waiting(&self) -> bool {
        let begun = self.begun();
        let same = self.seen.swap(begun, Ordering::Relaxed) == begun;
        let state = self.lock();
        same && begun > 0 && state.receiver.is_some() && state.threads <= MAX_THREADS
    }

    /// Reads, and does what is read, until another reads or the client is gone.
    pub(super) fn attend(&self, server: &Server) {
        let call = Arc::new(Occasion::default());
        {
            let mut state = self.lock();
            state.threads += 1;
            state.calls.push(Arc::clone(&call));
        }
        // Who has read until now is in a call that takes long, and has answers that wait.
        self.flush();
        let (mut message, mut reply, mut waits_since) = (Vec::new(), Vec::new(), None::<Instant>);
        loop {
            let mut state = self.lock();
            // Whoever is to wait has answered everything.
            if waits_since.is_some() && !state.has_request() {
                drop(state);
                self.flush();
                waits_since = None;
                continue;
            }
            let Some(mut receiver) = state.receiver.take() else { break };
            drop(state);
            let came = receiver.recv_into(&mut message);
            let request = came.ok().and_then(|()| {
                let (number, rest) = message.split_first_chunk::<NUMBER>()?;
                let (request, arguments) = Wire::decode_front::<Request>(rest).ok()?;
                Some((u64::from_le_bytes(*number), request, arguments))
            });
            // Who says what is no request is as good as gone.
            let Some((number, request, arguments)) = request else {
                self.leave(server);
                break;
            };
            reply.clear();
            reply.extend_from_slice(&number.to_le_bytes());
            match request {
                Request::Call { .. } | Request::Create { .. } => {
                    let method = request.method();
                    call.begin(number);
                    self.begun.fetch_add(1, Ordering::Relaxed);
                    let (is_one_too_many, is_slow) = {
                        let mut state = self.lock();
                        state.receiver = Some(receiver);
                        (state.threads > MAX_THREADS, state.slow.contains(&method))
                    };
                    server.begins();
                    if is_slow && waits_since.take().is_some() {
                        self.flush();
                    }
                    if is_one_too_many {
                        let why = format!("the server does {MAX_THREADS} calls of this process already");
                        fail(Fault::Refused(why), &mut reply);
                    } else {
                        caller::during(&self.guest.caller, &call, || {
                            self.guest.answer(server, request, arguments, &mut reply);
                        });
                    }
                    call.end();
                    self.lock().learn(method);
                }
                Request::Cancel { call } => {
                    let mut state = self.lock();
                    let happened: Vec<_> = state.calls.iter().map(|other| other.happen(Some(call))).collect();
                    state.receiver = Some(receiver);
                    drop(state);
                    self.flush();
                    // This may take a while.
                    happened.into_iter().for_each(Consequences::come);
                }
                // In their order: what is held before it is released.
                request => {
                    caller::during(&self.guest.caller, &call, || {
                        self.guest.answer(server, request, arguments, &mut reply);
                    });
                    self.lock().receiver = Some(receiver);
                }
            }
            if number != UNANSWERED {
                self.send(&mut reply, &mut waits_since);
            }
        }
        let mut state = self.lock();
        state.threads -= 1;
        state.calls.retain(|other| !Arc::ptr_eq(other, &call));
        drop(state);
        self.flush();
    }

    /// Sends an answer, or lets it wait for the next, if that is about to be there and none has waited long.
    fn send(&self, reply: &mut Vec<u8>, waits_since: &mut Option<Instant>) {
        let may_wait =
            self.lock().has_request() && waits_since.get_or_insert_with(Instant::now).elapsed() < PATIENCE;
        let pass_on = |reply: &[u8]| {
            if may_wait {
                self.sender.put(reply).map(|put| put == Put::Sent)
            } else {
                self.sender.send(reply).map(|()| true)
            }
        };
        let mut sent = pass_on(reply);
        if let Err(error @ RemoteError::TooLarge { .. }) = sent {
            fail(Fault::Result(error.to_string()), reply);
            sent = pass_on(reply);
        }
        if sent.unwrap_or(true) {
            *waits_since = None;
        }
    }

    /// Sends the answers that wait.
    fn flush(&self) {
        let _who_reads_sees_that_it_is_gone = self.sender.flush();
    }

    /// The client is gone, and with it what it held.
    fn leave(&self, server: &Server) {
        let calls = self.lock().calls.clone();
        self.sender.shutdown();
        // Calls that wait take nothing for nobody, and then what it has is taken from it.
        let happened: Vec<_> = calls.iter().map(|call| call.happen(None)).collect();
        happened.into_iter().for_each(Consequences::come);
        self.guest.leave(server);
        server.forget(self);
    }

    /// The server ends.
    pub(super) fn end(&self) {
        self.sender.shutdown();
    }

    /// Nobody can attend to the client.
    pub(super) fn send_away(&self, server: &Server) {
        self.lock().receiver = None;
        self.leave(server);
    }
}
