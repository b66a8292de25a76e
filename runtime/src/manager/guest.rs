//! Somebody who uses the objects of a server: what they hold, what they may do, and how it is done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::caller::Caller;
use super::home::Reader;
use super::inlet::Inlet;
use super::message::{Fault, NUMBER, Outcome, Request};
use super::object::{Invocation, MakerFn, guarded};
use super::server::Server;
use crate::sys::image;
use crate::wire::codec::{Codec, Wire};

/// What a guest may do beside calling, holding and finding objects.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Rights {
    /// Make objects, by functions of the program, and name them.
    pub(super) create: bool,
    /// End the server.
    pub(super) shutdown: bool,
}

impl Rights {
    pub(super) const ALL: Self = Self { create: true, shutdown: true };
}

pub(super) struct Guest {
    pub(super) caller: Caller,
    rights: Rights,
    /// Whether it is on this machine, and of the same user.
    private: bool,
    /// How often it holds which object; `None` when it is gone.
    held: Mutex<Option<HashMap<u64, u64>>>,
}

impl Guest {
    pub(super) fn new(caller: Caller, rights: Rights, private: bool) -> Self {
        Self { caller, rights, private, held: Mutex::new(Some(HashMap::new())) }
    }

    fn held(&self) -> MutexGuard<'_, Option<HashMap<u64, u64>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what is asked for, and writes how it went behind the number in the reply.
    pub(super) fn answer(&self, server: &Server, request: Request, arguments: &[u8], reply: &mut Vec<u8>) {
        let done = Wire::append(&Outcome::Done, reply).map_err(|error| Fault::Result(error.to_string()));
        let done = done.and_then(|()| self.perform(server, request, arguments, reply));
        if let Err(fault) = done {
            fail(fault, reply);
        }
    }

    fn perform(
        &self,
        server: &Server,
        request: Request,
        arguments: &[u8],
        reply: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let table = &server.table;
        let reader = &Reader::guest(self.private, server.number, self.caller.clone());
        match request {
            Request::Call { object, method } | Request::Tell { object, method } => {
                let object = table.object(object)?;
                // The last to have it may be this call, so that it drops it, too.
                guarded(move || object.call(&mut Invocation::new(method, arguments, reply, reader)))
            }
            Request::Create { build, maker } => {
                self.may_create()?;
                if build != image::build_id() {
                    return Err(Fault::Refused("the server runs another build of the program".into()));
                }
                let maker = image::function_at::<MakerFn>(maker)
                    .ok_or_else(|| Fault::Refused("the server has no such function".into()))?;
                let object = guarded(|| maker(arguments))?;
                let number = table.enter(object);
                self.note(server, number);
                Invocation::new(0, &[], reply, reader).returns(&number)
            }
            Request::Hold { object, service, ticket } => {
                table.hold(object, service, ticket)?;
                self.note(server, object);
                Ok(())
            }
            Request::Release { object } => {
                let held = self.held().as_mut().is_some_and(|held| {
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
                // What the server itself sends is for whoever gets the answer.
                let current = Reader::current();
                let sender = current.as_ref().and_then(|reader| reader.of_server(server.number));
                let sender = sender.unwrap_or(&self.caller);
                let ticket = table.ticket(object, sender.number())?;
                if sender.is_gone() {
                    server.end_tickets(sender.number());
                }
                Invocation::new(0, &[], reply, reader).returns(&ticket)
            }
            Request::Register { name, object } => {
                self.may_create()?;
                table.register(name, object)
            }
            Request::Unregister { name } => {
                self.may_create()?;
                let known = table.unregister(&name).is_some();
                Invocation::new(0, &[], reply, reader).returns(&known)
            }
            Request::Find { name, service } => {
                let object = table.find(name, service)?;
                self.note(server, object);
                Invocation::new(0, &[], reply, reader).returns(&object)
            }
            Request::Inlet => {
                let number = table.enter(Arc::new(Inlet::new(&self.caller)));
                self.note(server, number);
                Invocation::new(0, &[], reply, reader).returns(&number)
            }
            Request::Hello => Invocation::new(0, &[], reply, reader).returns(&server.number),
            Request::Cancel { .. } => Ok(()), // was seen to
            Request::Count => Invocation::new(0, &[], reply, reader).returns(&table.count()),
            Request::Shutdown if self.rights.shutdown => {
                server.end();
                Ok(())
            }
            Request::Shutdown => {
                let why = "the server does not end for those who come from elsewhere: see `Builder::allow_shutdown`";
                Err(Fault::Refused(why.into()))
            }
        }
    }

    fn may_create(&self) -> Result<(), Fault> {
        let why = "the server makes and names no objects for those who come from elsewhere: see `Builder::allow_create`";
        if self.rights.create { Ok(()) } else { Err(Fault::Refused(why.into())) }
    }

    /// The guest holds an object once more. If it is gone meanwhile, nobody does.
    pub(super) fn note(&self, server: &Server, object: u64) {
        let there = self.held().as_mut().map(|held| *held.entry(object).or_default() += 1);
        if there.is_none() {
            drop(server.table.release(object, 1));
        }
    }

    /// The guest is gone, and with it what it held.
    pub(super) fn leave(&self, server: &Server) {
        self.caller.leave();
        let held = self.held().take();
        for (object, holds) in held.into_iter().flatten() {
            drop(server.table.release(object, holds));
        }
    }
}

/// Writes that it failed behind the number in the reply.
pub(super) fn fail(fault: Fault, reply: &mut Vec<u8>) {
    reply.truncate(NUMBER);
    let _faults_are_plain = Wire::append(&Outcome::Failed(fault), reply);
}
