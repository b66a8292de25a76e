//! One client of a server, from the time it is connected until it is gone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::caller::{self, Caller, Consequences, Occasion};
use super::guest::{Guest, Rights, fail};
use super::message::{Fault, NUMBER, Request, UNANSWERED};
use super::server::Server;
use crate::net::remote::{self, Link, LinkReceiver, LinkSender, RemoteError};
use crate::wire::codec::{Codec, Wire};

/// How many threads one client may keep busy. One more reads what it says, sees when it is gone, and refuses further calls.
const MAX_THREADS: usize = 1024;

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
}

impl Visit {
    pub(super) fn new(number: u64, link: Link, rights: Rights) -> Self {
        let (sender, receiver) = link.split();
        let private = matches!(sender.peer(), remote::Caller::Local(_));
        let guest = Guest::new(Caller::new(number, sender.peer(), rights.create), rights, private);
        let state = State { receiver: Some(receiver), threads: 0, calls: Vec::new() };
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
        let (mut message, mut reply) = (Vec::new(), Vec::new());
        loop {
            let Some(mut receiver) = self.lock().receiver.take() else { break };
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
                    call.begin(number);
                    self.begun.fetch_add(1, Ordering::Relaxed);
                    let is_one_too_many = {
                        let mut state = self.lock();
                        state.receiver = Some(receiver);
                        state.threads > MAX_THREADS
                    };
                    server.begins();
                    if is_one_too_many {
                        let why = format!("the server does {MAX_THREADS} calls of this process already");
                        fail(Fault::Refused(why), &mut reply);
                    } else {
                        caller::during(&self.guest.caller, &call, || {
                            self.guest.answer(server, request, arguments, &mut reply);
                        });
                    }
                    call.end();
                    self.send(number, &mut reply);
                }
                Request::Cancel { call } => {
                    let mut state = self.lock();
                    let happened: Vec<_> = state.calls.iter().map(|other| other.happen(Some(call))).collect();
                    state.receiver = Some(receiver);
                    drop(state);
                    // This may take a while.
                    happened.into_iter().for_each(Consequences::come);
                }
                // In their order: what is held before it is released.
                request => {
                    caller::during(&self.guest.caller, &call, || {
                        self.guest.answer(server, request, arguments, &mut reply);
                    });
                    self.send(number, &mut reply);
                    self.lock().receiver = Some(receiver);
                }
            }
        }
        let mut state = self.lock();
        state.threads -= 1;
        state.calls.retain(|other| !Arc::ptr_eq(other, &call));
    }

    fn send(&self, number: u64, reply: &mut Vec<u8>) {
        if number == UNANSWERED {
            return;
        }
        if let Err(error @ RemoteError::TooLarge { .. }) = self.sender.send(reply) {
            fail(Fault::Result(error.to_string()), reply);
            let _it_may_be_gone = self.sender.send(reply);
        }
    }

    /// The client is gone, and with it what it held.
    fn leave(&self, server: &Server) {
        let calls = self.lock().calls.clone();
        self.sender.shutdown();
        // Calls that wait take nothing for nobody, and then what it has is taken from it.
        for call in &calls {
            call.happen(None).come();
        }
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
