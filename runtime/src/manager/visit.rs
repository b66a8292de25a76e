//! One client of a server, from the time it is connected until it is gone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::caller::{self, Caller, Consequences, Occasion};
use super::message::{Fault, NUMBER, Outcome, Request, UNANSWERED};
use super::object::{Invocation, MakerFn, guarded};
use super::server::Server;
use crate::net::remote::{Link, LinkReceiver, LinkSender, RemoteError};
use crate::sys::image;
use crate::wire::codec::{Codec, Wire};

/// How many threads one client may keep busy. One more reads what it says, sees when it is gone, and refuses further calls.
const MAX_THREADS: usize = 1024;

pub(super) struct Visit {
    caller: Caller,
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
    /// How often the client holds which object; `None` when it is gone.
    held: Option<HashMap<u64, u64>>,
}

impl Visit {
    pub(super) fn new(number: u64, link: Link) -> Self {
        let (sender, receiver) = link.split();
        let caller = Caller::new(number, sender.peer());
        let state =
            State { receiver: Some(receiver), threads: 0, calls: Vec::new(), held: Some(HashMap::new()) };
        let (begun, seen) = Default::default();
        Self { caller, sender, state: Mutex::new(state), begun, seen }
    }

    pub(super) fn number(&self) -> u64 {
        self.caller.number()
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
                        Self::fail(Fault::Refused(why), &mut reply);
                        self.send(number, &mut reply);
                    } else {
                        caller::during(&self.caller, &call, || {
                            self.answer(server, number, request, arguments, &mut reply);
                        });
                    }
                    call.end();
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
                    self.answer(server, number, request, arguments, &mut reply);
                    self.lock().receiver = Some(receiver);
                }
            }
        }
        let mut state = self.lock();
        state.threads -= 1;
        state.calls.retain(|other| !Arc::ptr_eq(other, &call));
    }

    fn answer(&self, server: &Server, number: u64, request: Request, arguments: &[u8], reply: &mut Vec<u8>) {
        let done = Wire::append(&Outcome::Done, reply).map_err(|error| Fault::Result(error.to_string()));
        let done = done.and_then(|()| self.perform(server, request, arguments, reply));
        if let Err(fault) = done {
            Self::fail(fault, reply);
        }
        self.send(number, reply);
    }

    fn send(&self, number: u64, reply: &mut Vec<u8>) {
        if number == UNANSWERED {
            return;
        }
        if let Err(error @ RemoteError::TooLarge { .. }) = self.sender.send(reply) {
            Self::fail(Fault::Result(error.to_string()), reply);
            let _it_may_be_gone = self.sender.send(reply);
        }
    }

    fn fail(fault: Fault, reply: &mut Vec<u8>) {
        reply.truncate(NUMBER);
        let _faults_are_plain = Wire::append(&Outcome::Failed(fault), reply);
    }

    fn perform(
        &self,
        server: &Server,
        request: Request,
        arguments: &[u8],
        reply: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let table = &server.table;
        match request {
            Request::Call { object, method } => {
                let object = table.object(object)?;
                // The last to have it may be this call, so that it drops it, too.
                guarded(move || object.call(&mut Invocation::new(method, arguments, reply)))
            }
            Request::Create { build, maker } => {
                if build != image::build_id() {
                    return Err(Fault::Refused("the server runs another build of the program".into()));
                }
                let maker = image::function_at::<MakerFn>(maker)
                    .ok_or_else(|| Fault::Refused("the server has no such function".into()))?;
                let object = guarded(|| maker(arguments))?;
                let number = table.enter(object);
                self.note(server, number);
                Invocation::new(0, &[], reply).returns(&number)
            }
            Request::Hold { object, service, ticket } => {
                table.hold(object, service, ticket)?;
                self.note(server, object);
                Ok(())
            }
            Request::Release { object } => {
                let held = self.lock().held.as_mut().is_some_and(|held| {
                    let Some(count) = held.get_mut(&object) else { return false };
                    *count -= 1;
                    if *count == 0 {
                        held.remove(&object);
                    }
                    true
                });
                if held {
                    drop(table.release(object, 1));
                }
                Ok(())
            }
            Request::Ticket { object } => {
                let ticket = table.ticket(object, self.number())?;
                Invocation::new(0, &[], reply).returns(&ticket)
            }
            Request::Register { name, object } => table.register(name, object),
            Request::Unregister { name } => {
                let known = table.unregister(&name).is_some();
                Invocation::new(0, &[], reply).returns(&known)
            }
            Request::Find { name, service } => {
                let object = table.find(name, service)?;
                self.note(server, object);
                Invocation::new(0, &[], reply).returns(&object)
            }
            Request::Cancel { .. } => Ok(()), // was seen to
            Request::Count => Invocation::new(0, &[], reply).returns(&table.count()),
            Request::Shutdown => {
                server.end();
                Ok(())
            }
        }
    }

    /// The client holds an object once more. If it is gone meanwhile, nobody does.
    fn note(&self, server: &Server, object: u64) {
        let there = self.lock().held.as_mut().map(|held| *held.entry(object).or_default() += 1);
        if there.is_none() {
            drop(server.table.release(object, 1));
        }
    }

    /// The client is gone, and with it what it held.
    fn leave(&self, server: &Server) {
        let (held, calls) = {
            let mut state = self.lock();
            (state.held.take(), state.calls.clone())
        };
        self.sender.shutdown();
        // Calls that wait take nothing for nobody, and then what it has is taken from it.
        for call in &calls {
            call.happen(None).come();
        }
        self.caller.leave();
        for (object, holds) in held.into_iter().flatten() {
            drop(server.table.release(object, holds));
        }
        server.forget(self);
    }

    /// Nobody can attend to the client.
    pub(super) fn send_away(&self, server: &Server) {
        self.lock().receiver = None;
        self.leave(server);
    }
}
