//! Arguments that come one after the other: an iterator that stays at the caller, and a [`Stream`](super::Stream) of what it yields at the method.
//!
//! A server calls nobody. So the caller makes an [`Inlet`] there, an object that passes items on, before it sends the call; the stream among the
//! arguments is a proxy of it. A thread of the caller asks the inlet, over and over, how many items are wanted, which is answered when the method
//! asks for some, and brings with the next question what the iterator has yielded. The iterator has a thread of its own, as that of a result
//! has: what was said there of how far it runs ahead, and of what is slow, holds here.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::CallError;
use super::access::Access;
use super::caller::{Caller, GoneHook, is_cancelled, when_cancelled};
use super::home::Reader;
use super::message::{Fault, Request};
use super::object::{Invocation, Object};
use super::patience::Patience;
use super::proxy::{Proxy, Stub};
use super::server::STACK;
use super::stream::{Batch, Items, MOST, SERVICE as SOURCE, Shared, TAKE};
use super::table::TRANSIT;
use crate::sys::{poller, runtime};

/// What inlets have in place of a service's number.
const SERVICE: u64 = SOURCE + 1;

// The methods of an inlet beside that by which items are taken.
/// Brings items, and returns how many are wanted then; 0: none any more.
const FEED: u32 = 1;
/// Nothing comes any more, or nothing is wanted.
const CLOSE: u32 = 2;
/// The stream has arrived at the method.
const OPEN: u32 = 3;

thread_local! {
    /// The call whose arguments this thread writes.
    static WRITING: RefCell<Option<(Access, Vec<Stub>)>> = const { RefCell::new(None) };
}

/// The streams among the arguments of a call.
#[derive(Default)]
pub(super) struct Feeds(Mutex<Vec<Stub>>);

impl Feeds {
    fn lock(&self) -> MutexGuard<'_, Vec<Stub>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the arguments of the call.
    pub(super) fn writing<R>(&self, access: &Access, action: impl FnOnce() -> R) -> R {
        struct Restore<'a>(&'a Feeds, Option<(Access, Vec<Stub>)>);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                let _at_the_end_of_a_thread = WRITING.try_with(|writing| {
                    let written = writing.replace(self.1.take());
                    self.0.lock().extend(written.into_iter().flat_map(|(_, feeds)| feeds));
                });
            }
        }
        let before = WRITING.try_with(|writing| writing.replace(Some((access.clone(), Vec::new()))));
        let _restore = Restore(self, before.ok().flatten());
        action()
    }

    /// What came of the call: with an error of it, nothing more is fed.
    pub(super) fn settle<R>(&self, done: Result<R, CallError>) -> Result<R, CallError> {
        if done.is_err() {
            for inlet in self.lock().drain(..) {
                inlet.tell(CLOSE, &(None::<Fault>,));
            }
        }
        done
    }
}

/// Makes an inlet for a stream among the arguments that this thread writes, if it writes some.
pub(super) fn open() -> Option<Result<InletProxy, CallError>> {
    let access = WRITING.with_borrow(|writing| writing.as_ref().map(|(access, _)| access.clone()))?;
    let made = access.call(&Request::Inlet, None, &Patience::default()).and_then(|reply| reply.value());
    Some(made.map(|object| InletProxy(Stub::held(access, object, SERVICE))))
}

impl InletProxy {
    /// The stream has arrived: what the method reads it by.
    pub(super) fn arrived(self) -> Stub {
        self.0.tell(OPEN, &());
        self.0
    }

    /// Has an iterator feed it, from the time when the method asks for the first item.
    pub(super) fn feed<T: Serialize + 'static>(self, items: Items<T>, reader: Reader) -> io::Result<()> {
        let inlet = self.0.clone();
        runtime::thread("offspring-feed", STACK, move || {
            let shared = Arc::new(Shared::default());
            if let Err(why) = feed(&self.0, &shared, items, reader) {
                self.0.tell(CLOSE, &(why,));
            }
            shared.close();
        })?;
        WRITING.with_borrow_mut(|writing| writing.as_mut().map(|(_, feeds)| feeds.push(inlet)));
        Ok(())
    }
}

/// The method reads no more.
pub(super) fn close(inlet: &Stub) {
    inlet.tell(CLOSE, &(None::<Fault>,));
}

/// Brings to an inlet what is wanted, until nothing is. When that fails, why, if the method is to know.
fn feed<T: Serialize + 'static>(
    inlet: &Stub,
    shared: &Arc<Shared>,
    items: Items<T>,
    reader: Reader,
) -> Result<(), Option<Fault>> {
    let mut idle = Some((items, reader));
    let mut batch = Batch::default();
    loop {
        let wanted: u32 = inlet.call(FEED, &(&batch,)).map_err(|error| match error {
            CallError::Refused(why) => Some(Fault::Result(why)),
            _ => None,
        })?;
        if wanted == 0 {
            return Ok(());
        }
        if let Some((items, reader)) = idle.take() {
            let shared = Arc::clone(shared);
            runtime::thread("offspring-stream", STACK, move || shared.yield_all(items, &reader)).map_err(
                |error| Some(Fault::Refused(format!("there is no thread for the stream: {error}"))),
            )?;
        }
        batch = shared.take(wanted);
    }
}

/// Passes the items of a stream on, from those who call to the method that they call.
pub(super) struct Inlet {
    shared: Arc<Passing>,
    /// Sees to the end of the caller.
    _gone: GoneHook,
}

struct Passing {
    state: Mutex<State>,
    /// Rung at each change.
    changed: Condvar,
    /// By when the stream has to be at its method.
    arrives_by: Option<Instant>,
}

#[derive(Default)]
struct State {
    /// How many items the method waits for.
    wanted: u32,
    /// How many it may get at most with the next batch.
    promised: u32,
    batch: Option<Batch>,
    has_arrived: bool,
    /// Whether nothing comes, or is read, any more; and why, if it was said.
    closed: bool,
    why: Option<Fault>,
}

impl Passing {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, why: Option<Fault>) {
        let mut state = self.lock();
        state.closed = true;
        state.why = state.why.take().or(why);
        drop(state);
        self.changed.notify_all();
    }

    fn arrive(&self) {
        self.lock().has_arrived = true;
        self.changed.notify_all();
    }

    /// What the method does: waits for items.
    fn take(&self, most: u32) -> Result<Batch, Fault> {
        let mut state = self.lock();
        state.wanted = most.clamp(1, MOST);
        self.changed.notify_all();
        loop {
            if let Some(batch) = state.batch.take() {
                return Ok(batch);
            }
            if state.closed || is_cancelled() {
                return Err(state.why.take().unwrap_or(Fault::CallerGone));
            }
            state = self.wait(state);
        }
    }

    /// What the caller does: brings items, and waits until some are wanted.
    fn feed(&self, batch: Batch) -> Result<u32, Fault> {
        let mut state = self.lock();
        if batch.count() > state.promised || state.batch.is_some() {
            return Err(Fault::Refused("the stream was sent more than it asked for".into()));
        }
        state.promised = 0;
        let is_last = batch.is_last();
        if is_last || batch.count() > 0 {
            state.batch = Some(batch);
            state.wanted = 0;
            self.changed.notify_all();
        }
        while !state.closed && !is_last {
            if is_cancelled() {
                return Err(Fault::NotBegun);
            }
            if state.wanted > 0 {
                state.promised = std::mem::take(&mut state.wanted);
                return Ok(state.promised);
            }
            state = match self.arrives_by.filter(|_| !state.has_arrived) {
                None => self.wait(state),
                Some(end) => {
                    let left = end.saturating_duration_since(Instant::now());
                    // Its call was never done, and nobody has waited for what came of it.
                    state.closed = left.is_zero();
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        Ok(0)
    }
}

impl Inlet {
    /// For a stream of this caller's.
    pub(super) fn new(caller: &Caller) -> Self {
        let (state, changed) = Default::default();
        let shared = Arc::new(Passing { state, changed, arrives_by: poller::deadline(Some(TRANSIT)) });
        let left = Arc::clone(&shared);
        Self { shared, _gone: caller.when_gone(move || left.close(None)) }
    }
}

impl Object for Inlet {
    fn call(&self, call: &mut Invocation<'_>) -> Result<(), Fault> {
        let waking = Arc::clone(&self.shared);
        let _hook = when_cancelled(move || {
            let _state = waking.lock(); // who waits is asleep, or has not looked yet
            waking.changed.notify_all();
        });
        match call.method() {
            TAKE => {
                let (most,) = call.arguments::<(u32,)>()?;
                call.returns(&self.shared.take(most)?)
            }
            FEED => {
                let (batch,) = call.arguments::<(Batch,)>()?;
                call.returns(&self.shared.feed(batch)?)
            }
            CLOSE => {
                let (why,) = call.arguments::<(Option<Fault>,)>()?;
                self.shared.close(why);
                call.returns(&())
            }
            OPEN => {
                self.shared.arrive();
                call.returns(&())
            }
            _ => Err(Fault::UnknownMethod),
        }
    }

    fn service(&self) -> u64 {
        SERVICE
    }
}

/// What a stream among arguments travels as.
#[derive(Clone)]
pub(super) struct InletProxy(Stub);

impl Proxy for InletProxy {
    fn service() -> u64 {
        SERVICE
    }

    fn stub(&self) -> &Stub {
        &self.0
    }

    fn from_stub(stub: Stub) -> Self {
        Self(stub)
    }
}

impl Serialize for InletProxy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for InletProxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Stub::decode::<Self, D>(deserializer).map(Self)
    }
}
