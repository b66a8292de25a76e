//! Results that come one after the other: an iterator that stays at the server, and a [`Stream`] of what it yields at the caller.
//!
//! A thread of the server takes items from the iterator, up to as many as the caller has asked for last, and as fit in some room. The caller asks
//! for one, then for twice as many as it got, and so on up to a limit; an answer has what is there, at least one, and never waits for more. So
//! the first item comes at once, an iterator that is slow delays nothing that it has yielded, and one that never ends fills no memory.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

use super::CallError;
use super::caller::{is_cancelled, when_cancelled};
use super::home::Reader;
use super::message::Fault;
use super::object::{Invocation, Object, guarded};
use super::proxy::{Proxy, Stub};
use super::resident;
use super::server::STACK;
use crate::sys::runtime;
use crate::wire::codec::{Codec, Wire};

/// How many items may be on their way at most.
const MOST: u32 = 1024;

/// How many bytes of items wait for the caller, after which the iterator waits.
const ROOM: usize = 64 << 10;

/// What streams have in place of a service's number; what they are of is in the signature of the method.
const SERVICE: u64 = 0x7374_7265_616d_2e31;

/// What a method returns for its caller to read one by one, while the iterator stays at the server.
///
/// ```
/// use offspring::manager::Stream;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Numbers;
///
/// #[offspring::service]
/// impl Numbers {
///     pub fn squares(&self) -> Stream<u64> {
///         Stream::new((1..).map(|number| number * number))
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let numbers = manager.serve(Numbers)?;
///     let squares: Result<Vec<u64>, _> = numbers.squares()?.skip(2).take(3).collect();
///     assert_eq!(squares?, [9, 16, 25]);
///     Ok(())
/// }
/// ```
///
/// At the caller it is an iterator. An error ends it: of the way there, or a panic of the iterator, behind all that it had yielded. What the
/// items say themselves, as in `Stream<Result<..>>`, is theirs.
///
/// The iterator runs some items ahead of who reads, on a thread of its own. It is dropped when it has ended, when the stream is dropped, and when
/// the caller's process is gone; one that waits for something in `next` then, when that returns.
#[doc(alias = "IteratorProxy")]
pub struct Stream<T>(Mutex<Side<T>>);

/// An iterator that goes to its thread.
type Items<T> = Box<dyn Iterator<Item = T> + Send>;

enum Side<T> {
    /// Where it was made.
    Source(Items<T>),
    /// Where it is read.
    Reading(Reading<T>),
    Over,
}

impl<T> Stream<T> {
    /// Of what an iterator yields.
    pub fn new<I>(items: I) -> Self
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        Self(Mutex::new(Side::Source(Box::new(items.into_iter()))))
    }

    fn side(&self) -> MutexGuard<'_, Side<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: DeserializeOwned> Iterator for Stream<T> {
    type Item = Result<T, CallError>;

    fn next(&mut self) -> Option<Self::Item> {
        let side = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let next = match side {
            Side::Source(items) => items.next().map(Ok),
            Side::Reading(reading) => reading.next(),
            Side::Over => None,
        };
        if !matches!(next, Some(Ok(_))) {
            *side = Side::Over;
        }
        next
    }
}

impl<T> fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(..)")
    }
}

impl<T: Serialize + 'static> Serialize for Stream<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reader = Reader::current();
        let here = reader.as_ref().and_then(Reader::server).and_then(resident::of);
        let (Some(reader), Some(here)) = (reader, here) else {
            return Err(ser::Error::custom("a stream is what a method returns: collect it, or send a proxy"));
        };
        let mut side = self.side();
        if !matches!(*side, Side::Source(_)) {
            return Err(ser::Error::custom("a stream is read where it came to: collect it"));
        }
        let Side::Source(items) = std::mem::replace(&mut *side, Side::Over) else {
            unreachable!("it is one")
        };
        drop(side);
        let object = here.enter(Arc::new(Source::new(items, reader)));
        Stub::held(super::access::Access::Here(here), object, SERVICE).serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Stream<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = Stub::decode::<SourceProxy, D>(deserializer)?;
        Ok(Self(Mutex::new(Side::Reading(Reading::new(source)))))
    }
}

/// A stream at its caller.
struct Reading<T> {
    source: Stub,
    items: VecDeque<T>,
    /// How many to ask for next.
    wanted: u32,
    end: Option<End>,
}

impl<T: DeserializeOwned> Reading<T> {
    fn next(&mut self) -> Option<Result<T, CallError>> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Some(Ok(item));
            }
            match self.end.take() {
                Some(End::Over) => return None,
                Some(End::Failed(fault)) => return Some(Err(fault.into())),
                None => {}
            }
            if let Err(error) = self.ask() {
                return Some(Err(error));
            }
        }
    }

    fn ask(&mut self) -> Result<(), CallError> {
        let Batch { count, items, end } = self.source.call(0, &(self.wanted,))?;
        let mut rest = &items[..];
        for _ in 0..count {
            let (item, behind) =
                Wire::decode_front(rest).map_err(|error| CallError::Decode(error.to_string()))?;
            self.items.push_back(item);
            rest = behind;
        }
        self.end = end;
        self.wanted = count.saturating_mul(2).clamp(1, MOST);
        Ok(())
    }
}

impl<T> Reading<T> {
    fn new(source: Stub) -> Self {
        Self { source, items: VecDeque::new(), wanted: 1, end: None }
    }
}

/// Some items, one behind the other.
#[derive(Serialize, Deserialize)]
struct Batch {
    count: u32,
    #[serde(with = "crate::wire::bytes")]
    items: Vec<u8>,
    end: Option<End>,
}

/// Why nothing follows.
#[derive(Serialize, Deserialize)]
enum End {
    Over,
    Failed(Fault),
}

/// An iterator at its server.
struct Source<T> {
    shared: Arc<Shared>,
    /// The iterator, until the first item is asked for, and for whom it is.
    idle: Mutex<Option<(Items<T>, Reader)>>,
}

/// What an iterator's thread has with those who ask.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Rung at each change.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What has been yielded, encoded.
    items: VecDeque<Vec<u8>>,
    bytes: usize,
    /// How many there may be.
    most: usize,
    end: Option<End>,
    /// Whether nobody wants more.
    dropped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for an item: whether it is still wanted.
    fn has_room(&self) -> bool {
        let mut state = self.lock();
        while !state.dropped && (state.items.len() >= state.most || state.bytes >= ROOM) {
            state = self.wait(state);
        }
        !state.dropped
    }

    /// What the thread does.
    fn yield_all<T: Serialize>(&self, mut items: Items<T>, reader: &Reader) {
        let mut end = None;
        while end.is_none() && self.has_room() {
            let next = guarded(|| {
                let Some(item) = items.next() else { return Ok(None) };
                let encoded = reader.encoding(|| Wire::encode(&item));
                encoded.map(Some).map_err(|error| Fault::Result(error.to_string()))
            });
            match next {
                Ok(Some(item)) => {
                    let mut state = self.lock();
                    state.bytes += item.len();
                    state.items.push_back(item);
                }
                Ok(None) => end = Some(End::Over),
                Err(fault) => end = Some(End::Failed(fault)),
            }
            self.changed.notify_all();
        }
        // Its destructor may panic, too.
        let _printed_by_the_hook = guarded(|| {
            drop(items);
            Ok(())
        });
        self.lock().end = end;
        self.changed.notify_all();
    }

    /// Takes what there is, at least one item or the end.
    fn take(&self, most: u32) -> Batch {
        let mut state = self.lock();
        state.most = usize::try_from(most.clamp(1, MOST)).unwrap_or(usize::MAX);
        self.changed.notify_all();
        while state.items.is_empty() && state.end.is_none() && !is_cancelled() {
            state = self.wait(state);
        }
        let taken = state.items.len().min(state.most);
        let items: Vec<_> = state.items.drain(..taken).collect();
        let items = items.concat();
        state.bytes -= items.len();
        let end = if state.items.is_empty() { state.end.take() } else { None };
        drop(state);
        self.changed.notify_all();
        Batch { count: u32::try_from(taken).unwrap_or(u32::MAX), items, end }
    }
}

impl<T: Serialize + 'static> Source<T> {
    fn new(items: Items<T>, reader: Reader) -> Self {
        Self { shared: Arc::default(), idle: Mutex::new(Some((items, reader))) }
    }

    /// Has the iterator run on a thread, from the first time on.
    fn start(&self) -> Result<(), Fault> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((items, reader)) = idle else { return Ok(()) };
        let shared = Arc::clone(&self.shared);
        runtime::thread("offspring-stream", STACK, move || shared.yield_all(items, &reader))
            .map_err(|error| Fault::Refused(format!("there is no thread for the stream: {error}")))
    }
}

impl<T: Serialize + 'static> Object for Source<T> {
    fn call(&self, call: &mut Invocation<'_>) -> Result<(), Fault> {
        let (most,) = call.arguments::<(u32,)>()?;
        if is_cancelled() {
            return Err(Fault::NotBegun);
        }
        self.start()?;
        let waking = Arc::clone(&self.shared);
        let _hook = when_cancelled(move || {
            let _state = waking.lock(); // who waits is asleep, or has not looked yet
            waking.changed.notify_all();
        });
        call.returns(&self.shared.take(most))
    }

    fn service(&self) -> u64 {
        SERVICE
    }
}

impl<T> Drop for Source<T> {
    fn drop(&mut self) {
        self.shared.lock().dropped = true;
        self.shared.changed.notify_all();
    }
}

/// What a stream travels as.
#[derive(Clone)]
struct SourceProxy(Stub);

impl Proxy for SourceProxy {
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

impl Serialize for SourceProxy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SourceProxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Stub::decode::<Self, D>(deserializer).map(Self)
    }
}
