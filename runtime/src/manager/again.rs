//! The way back to an object that has a name, when the link to its server was cut or another has taken the server's place.
//!
//! A call that was not sent for sure, or that the server says it has not done, is sent once there is a way again. A call that was sent and has
//! no answer may have been done: that is an error of the call, and only the next one looks for the way. So nothing is done twice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::CallError;
use super::access::Access;
use super::home::Home;
use super::message::Request;
use super::patience::Patience;
use super::proxy::Hold;
use crate::net::remote::RemoteError;
use crate::sys::poller;

/// How long the first attempts are apart.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// How long the others are.
const PAUSE: Duration = Duration::from_millis(250);

/// How an object is found again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Way {
    pub(super) name: String,
    /// How long it may take.
    pub(super) limit: Duration,
}

pub(super) struct Again {
    way: Way,
    hold: Mutex<Arc<Hold>>,
}

impl Again {
    pub(super) fn new(way: Way, hold: Arc<Hold>) -> Self {
        Self { way, hold: Mutex::new(hold) }
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Hold>> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What keeps the object.
    pub(super) fn hold(&self) -> Arc<Hold> {
        Arc::clone(&self.lock())
    }

    /// Calls; again if it was not done because the way was cut, until the time is over.
    pub(super) fn call<R>(
        &self,
        patience: &Patience,
        call: impl Fn(&Hold, &Access) -> Result<R, CallError>,
    ) -> Result<R, CallError> {
        let deadline = poller::deadline(Some(self.way.limit));
        let is_over = || deadline.is_some_and(|deadline| deadline <= Instant::now());
        let mut pause = FIRST_PAUSE;
        let mut hold = self.hold();
        loop {
            let done = hold.access().and_then(|access| {
                if access.is_cut() {
                    return Err(CallError::Unreachable(RemoteError::Closed));
                }
                call(&hold, &access)
            });
            let Err(error) = done else { return done };
            if !is_cut(&error) || is_over() {
                return Err(error);
            }
            hold = loop {
                match self.find(&hold) {
                    Ok(hold) => break hold,
                    Err(error) if !is_cut(&error) || is_over() => return Err(error),
                    Err(_not_yet) => {}
                }
                if patience.cancel.as_ref().is_some_and(|token| rest(token, pause)) {
                    return Err(CallError::NotBegun);
                }
                if patience.cancel.is_none() {
                    thread::sleep(pause);
                }
                pause = (pause * 2).min(PAUSE);
            };
        }
    }

    /// Connects anew, and finds the object, unless another thread has meanwhile.
    fn find(&self, lost: &Arc<Hold>) -> Result<Arc<Hold>, CallError> {
        let current = self.hold();
        if !Arc::ptr_eq(&current, lost) {
            return Ok(current);
        }
        // Whichever server is there now.
        let access = Access::find(&Home { server: None, ..Home::clone(&lost.home) })?;
        let request = Request::Find { name: self.way.name.clone(), service: lost.service };
        let object = access.call(&request, None, &Patience::of(self.way.limit))?.value()?;
        let found = Arc::new(Hold::new(access, object, lost.service));
        let mut hold = self.lock();
        if !Arc::ptr_eq(&hold, lost) {
            return Ok(Arc::clone(&hold));
        }
        let before = std::mem::replace(&mut *hold, Arc::clone(&found));
        drop(hold);
        drop(before);
        Ok(found)
    }
}

/// Waits: whether somebody has cancelled meanwhile.
fn rest(token: &super::CancelToken, pause: Duration) -> bool {
    let (rings, is_rung) = std::sync::mpsc::channel();
    let _hook = token.when_cancelled(move || {
        let _nobody_waits = rings.send(());
    });
    is_rung.recv_timeout(pause).is_ok()
}

/// Whether a call was not done because its object was out of reach, which may be over soon.
fn is_cut(error: &CallError) -> bool {
    match error {
        CallError::UnknownObject | CallError::UnknownName(_) => true,
        CallError::Unreachable(why) => !matches!(
            why,
            RemoteError::WrongKey
                | RemoteError::KeyNeeded
                | RemoteError::NoKey
                | RemoteError::OtherVersion { .. }
                | RemoteError::OtherUser
                | RemoteError::Protocol { .. }
                | RemoteError::Tls(_)
                | RemoteError::InvalidEndpoint { .. }
        ),
        _ => false,
    }
}
