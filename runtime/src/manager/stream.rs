//! Results that come one after the other: an iterator that stays at the server, and a [`Stream`] of what it yields at the caller. Arguments that do
//! are the same the other way round: see [`inlet`].
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
use super::inlet::{self, InletProxy};
use super::message::Fault;
use super::object::{Invocation, Object, guarded};
use super::proxy::{Proxy, Stub};
use super::resident;
use super::server::STACK;
use crate::sys::runtime;
use crate::wire::codec::{Codec, Wire};

/// How many items may be on their way at most.
pub(super) const MOST: u32 = 1024;

/// How many bytes of items wait for the caller, after which the iterator waits.
const ROOM: usize = 64 << 10;

/// What streams have in place of a service's number; what they are of is in the signature of the method.
pub(super) const SERVICE: u64 = 0x7374_7265_616d_2e31;

/// The method by which items are taken: how many at most, and a [`Batch`] of them.
pub(super) const TAKE: u32 = 0;

/// What a method returns for its caller to read one by one, while the iterator stays at the server; or takes, and reads while the iterator stays
/// at the caller.
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
/// the other process is gone; one that waits for something in `next` then, when that returns.
///
/// # As an argument
///
/// ```
/// use offspring::CallError;
/// use offspring::manager::Stream;
///
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Total(u64);
///
/// #[offspring::service]
/// impl Total {
///     pub fn add_all(&mut self, numbers: Stream<u64>) -> Result<u64, String> {
///         for number in numbers {
///             self.0 += number.map_err(|error: CallError| error.to_string())?;
///         }
///         Ok(self.0)
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let total = manager.serve(Total::default())?;
///     assert_eq!(total.add_all(Stream::new(1..=1000))??, 500_500);
///     Ok(())
/// }
/// ```
///
/// The iterator is asked for the first item when the method asks, and runs as far ahead of it as of any reader. The method may return before it
/// has read all, and keep the stream. When the caller dies, gives the call up, or gets an error of it, the stream ends with
/// [`CallError::CallerGone`], behind all that had come. A stream can be sent once, and from where it was made. While it is open it keeps a thread of the
/// server busy, and two of the caller.
#[doc(alias = "IteratorProxy")]
pub struct Stream<T>(Mutex<Side<T>>);

/// An iterator that goes to its thread.
pub(super) type Items<T> = Box<dyn Iterator<Item = T> + Send>;

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

    /// The iterator, which goes on elsewhere.
    fn take(&self) -> Result<Items<T>, &'static str> {
        let mut side = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *side, Side::Over) {
            Side::Source(items) => Ok(items),
            other => {
                *side = other;
                Err("a stream is sent once, and read where it came to: collect it")
            }
        }
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
        if let Some(inlet) = inlet::open() {
            let inlet =
                inlet.map_err(|error| ser::Error::custom(format_args!("a stream cannot travel: {error}")))?;
            let items = self.take().map_err(ser::Error::custom)?;
            let written = Carried::Inlet(inlet.clone()).serialize(serializer)?;
            let fed = inlet.feed(items, Reader::of_this_thread());
            fed.map_err(|error| {
                ser::Error::custom(format_args!("there is no thread for a stream: {error}"))
            })?;
            return Ok(written);
        }
        let reader = Reader::current();
        let here = reader.as_ref().and_then(Reader::server).and_then(resident::of);
        let (Some(reader), Some(here)) = (reader, here) else {
            return Err(ser::Error::custom(
                "a stream is what a method takes or returns: collect it, or send a proxy",
            ));
        };
        let items = self.take().map_err(ser::Error::custom)?;
        let object = here.enter(Arc::new(Source::new(items, reader)));
        let source = Stub::held(super::access::Access::Here(here), object, SERVICE);
        Carried::Source(SourceProxy(source)).serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Stream<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reading = match Carried::deserialize(deserializer)? {
            Carried::Source(source) => Reading::new(source.0, false),
            Carried::Inlet(inlet) => Reading::new(inlet.arrived(), true),
        };
        Ok(Self(Mutex::new(Side::Reading(reading))))
    }
}

/// A stream on its way.
#[derive(Serialize, Deserialize)]
enum Carried {
    /// Of an iterator at the server.
    Source(SourceProxy),
    /// Of one at the caller.
    Inlet(InletProxy),
}

/// A stream where it is read.
struct Reading<T> {
    source: Stub,
    /// Whether somebody feeds it, and is to know when nobody reads any more.
    is_fed: bool,
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
        let Batch { count, items, end } = self.source.call(TAKE, &(self.wanted,))?;
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
    fn new(source: Stub, is_fed: bool) -> Self {
        Self { source, is_fed, items: VecDeque::new(), wanted: 1, end: None }
    }
}

impl<T> Drop for Reading<T> {
    fn drop(&mut self) {
        if self.is_fed {
            inlet::close(&self.source);
        }
    }
}

/// Some items, one behind the other.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Batch {
    count: u32,
    #[serde(with = "crate::wire::bytes")]
    items: Vec<u8>,
    end: Option<End>,
}

impl Batch {
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn is_last(&self) -> bool {
        self.end.is_some()
    }
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
pub(super) struct Shared {
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
    pub(super) fn yield_all<T: Serialize>(&self, mut items: Items<T>, reader: &Reader) {
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
    pub(super) fn take(&self, most: u32) -> Batch {
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

    /// Nobody wants more.
    pub(super) fn close(&self) {
        self.lock().dropped = true;
        self.changed.notify_all();
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
        self.shared.close();
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
