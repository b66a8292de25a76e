//! The server's own process as a user of its objects: nothing goes over a link.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::CallError;
use super::caller::{self, Caller, Occasion};
use super::client::{Arguments, Reply};
use super::guest::{Guest, Rights};
use super::home::{self, Home};
use super::message::{NUMBER, Request};
use super::patience::{CancelToken, Patience};
use super::server::{STACK, Server};
use crate::net::remote::RemoteError;
use crate::sys::{own, runtime};

/// The servers of this process.
static RESIDENTS: Mutex<Vec<Weak<Resident>>> = Mutex::new(Vec::new());

/// The server with this number, if it is in this process.
pub(super) fn of(number: u64) -> Option<Arc<Resident>> {
    let residents: Vec<_> = {
        let residents = RESIDENTS.lock().unwrap_or_else(PoisonError::into_inner);
        residents.iter().filter_map(Weak::upgrade).collect()
    };
    residents.into_iter().find(|resident| resident.server.number == number && !resident.is_of_another())
}

/// The server's own process, to the server.
pub(super) struct Resident {
    pid: u32,
    home: Arc<Home>,
    server: Arc<Server>,
    guest: Guest,
}

impl Resident {
    pub(super) fn new(home: Home, server: Arc<Server>) -> Arc<Self> {
        let guest = Guest::new(Caller::resident(), Rights::ALL, true);
        let resident = Arc::new(Self { pid: own::pid(), home: Arc::new(home), server, guest });
        let mut residents = RESIDENTS.lock().unwrap_or_else(PoisonError::into_inner);
        residents.retain(|resident| resident.strong_count() > 0);
        residents.push(Arc::downgrade(&resident));
        resident
    }

    pub(super) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    pub(super) fn is_of_another(&self) -> bool {
        self.pid != own::pid()
    }

    pub(super) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Enters an object, which this process holds.
    pub(super) fn enter(&self, object: Arc<dyn super::object::Object>) -> u64 {
        let number = self.server.table.enter(object);
        self.guest.note(&self.server, number);
        number
    }

    pub(super) fn tell(&self, request: &Request, arguments: Option<Arguments<'_>>) {
        if let Ok(encoded) = Self::encode(arguments) {
            let _nobody_asked = caller::within(&self.guest.caller, || self.answer(request.clone(), &encoded));
        }
    }

    fn encode(arguments: Option<Arguments<'_>>) -> Result<Vec<u8>, CallError> {
        let mut encoded = Vec::new();
        if let Some(arguments) = arguments {
            let written = home::encoding(true, || arguments(&mut encoded));
            written.map_err(|error| CallError::Encode(error.to_string()))?;
        }
        Ok(encoded)
    }

    /// As [`Connection::call`](super::client::Connection::call).
    pub(super) fn call(
        self: &Arc<Self>,
        request: &Request,
        arguments: Option<Arguments<'_>>,
        patience: &Patience,
    ) -> Result<Reply, CallError> {
        if self.server.is_over() {
            return Err(CallError::Unreachable(RemoteError::Closed));
        }
        let encoded = Self::encode(arguments)?;
        let takes_time = matches!(request, Request::Call { .. } | Request::Create { .. });
        let is_patient = patience.limit.is_none() && patience.cancel.is_none();
        let reply = if is_patient || !takes_time {
            caller::within(&self.guest.caller, || self.answer(request.clone(), &encoded))
        } else {
            self.answer_in_time(request.clone(), encoded, patience)?
        };
        Ok(Reply::new(reply))
    }

    fn answer(&self, request: Request, arguments: &[u8]) -> Vec<u8> {
        let mut reply = vec![0; NUMBER];
        self.guest.answer(&self.server, request, arguments, &mut reply);
        reply
    }

    /// Has another thread do it, and waits for that as long as it may take.
    fn answer_in_time(
        self: &Arc<Self>,
        request: Request,
        arguments: Vec<u8>,
        patience: &Patience,
    ) -> Result<Vec<u8>, CallError> {
        let call = Arc::new(Occasion::default());
        let given_up = Arc::clone(&call);
        let _outer = caller::when_cancelled(move || given_up.happen(None).come());
        let (done, is_done) = channel();
        let cancelled = done.clone();
        let _hook = patience.cancel.as_ref().map(|token| {
            token.when_cancelled(move || {
                let _nobody_waits = cancelled.send(None);
            })
        });
        if patience.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(CallError::NotBegun);
        }
        let (resident, during) = (Arc::clone(self), Arc::clone(&call));
        let body = move || {
            let caller = resident.guest.caller.clone();
            let reply = caller::during(&caller, &during, || resident.answer(request, &arguments));
            let _nobody_waits = done.send(Some(reply));
        };
        runtime::thread("offspring-serve", STACK, body)
            .map_err(|error| CallError::Refused(format!("there is no thread for the call: {error}")))?;
        let answered = match patience.limit {
            Some(limit) => is_done.recv_timeout(limit).map_err(|_| CallError::TimedOut),
            None => is_done.recv().map_err(|_| CallError::Cancelled),
        };
        let answered = answered.and_then(|reply| reply.ok_or(CallError::Cancelled));
        if answered.is_err() {
            call.happen(None).come();
        }
        answered
    }
}
