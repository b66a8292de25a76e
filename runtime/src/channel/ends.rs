//! The two ends: what sends and what receives, below the types that users see.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::LocalKey;
use std::time::{Duration, Instant};

use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{RecvError, SendFailure};
use super::ring::{Content, FIRST_TICKET, Form, Limits, MAX_INLINE, Record, Ring, Which};
use super::waiting::{View, Waited, send_token};
use crate::process;
use crate::process::wait::{BeforeSleep, Sleeper};
use crate::sys::channel::{Channel, MAX_OBJECTS, Peeked, Received};
use crate::sys::spin::Spin;
use crate::sys::{Borrowed, Object, borrow, clock};
use crate::wire::attachment::{Arrived, Lent};
use crate::wire::bytes::Bytes;
use crate::wire::codec::{Codec, Wire};
use crate::wire::parcel::{self, Beside, Parcel};

/// How long an answer takes from a process that is on another core and awake.
const HOT: Duration = Duration::from_micros(50);

/// How many bytes a nanosecond the other side copies, at least, while this side waits for its answer.
const COPIED: u64 = 6;

/// How long a call that does not wait puts up with another in the middle of its own.
const BRIEF: Duration = Duration::from_millis(10);

/// How long a sender naps for want of a slot before it looks for dead owners of slots.
const SLOT_NAP: Duration = Duration::from_millis(20);

/// How many handles travel in one message: as many as surely find room in the socket together.
const MOST_OBJECTS: usize = 16 * 1024;

/// Whether a call waits, and until when.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    None,
    Until(Option<Instant>),
}

/// What a call can receive.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Value,
    /// A value, as it is.
    Raw,
    Bytes {
        maximum: usize,
    },
}

/// One end, in one process.
#[derive(Debug)]
pub(super) struct End {
    pub(super) ring: Arc<Ring>,
    pub(super) socket: Channel,
    spin: Spin,
    /// When somebody last looked whether the other side is there, and how many children had died by then.
    looked: AtomicU64,
    deaths: AtomicU32,
    /// It is a queue's: what it takes is put to an account.
    keeps_tally: bool,
}

/// Makes a channel: the end that sends and the end that receives.
pub(super) fn pair(limits: Limits, item: u64) -> io::Result<(End, End)> {
    let ring = Arc::new(Ring::create(limits, item)?);
    let (sending, receiving) = Channel::pair()?;
    Ok((End::new(Arc::clone(&ring), sending), End::new(ring, Channel::from_object(receiving)?)))
}

impl End {
    fn new(ring: Arc<Ring>, socket: Channel) -> Self {
        Self {
            ring,
            socket,
            spin: Spin::new(HOT),
            looked: AtomicU64::new(0),
            deaths: AtomicU32::new(0),
            keeps_tally: false,
        }
    }

    /// The end of a queue: what it takes is put to an account.
    pub(super) fn with_tally(self) -> Self {
        Self { keeps_tally: true, ..self }
    }

    /// The account of this process in a queue. With the receivers' lock held.
    fn consumer(&self) -> Result<usize, RecvError> {
        let full = || io::Error::other("too many processes take tasks out of the queue");
        self.ring.consumer().ok_or_else(|| RecvError::System(full()))
    }

    /// Puts the end into a value.
    pub(super) fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Lent(self.ring.object()), Lent(borrow(self.socket.object()))).serialize(serializer)
    }

    /// Takes an end out of a value.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
        item: u64,
    ) -> Result<Self, D::Error> {
        let (memory, socket) = <(Arrived, Arrived)>::deserialize(deserializer)?;
        let ring = Ring::open(memory.0, item).map_err(de::Error::custom)?;
        let socket = Channel::from_object(socket.0).map_err(de::Error::custom)?;
        Ok(Self::new(Arc::new(ring), socket))
    }

    /// Ends the channel for all: what is in it can still be received.
    pub(super) fn close(&self) -> io::Result<()> {
        {
            // A sender in the middle of its call is before the end or after it: what it was told it has sent, is received. One that
            // was stopped there does not keep the channel open.
            let _senders = self.ring.lock(Which::Senders, Some(Instant::now() + BRIEF))?;
            self.ring.close();
        }
        self.ring.header().senders.bell.ring_for_all();
        self.ring.header().receivers.bell.ring_for_all();
        self.socket.shut_down()
    }

    pub(super) fn view(&self, ours: Which) -> View<'_> {
        View { ring: &self.ring, socket: &self.socket, ours, spin: &self.spin }
    }

    /// Whether the other side is gone. To ask the kernel costs more than to send, so it is asked once in a tick of the coarse clock, and when a
    /// child of this process has died.
    fn peers_are_gone(&self) -> io::Result<bool> {
        let (tick, deaths) = (clock::coarse(), process::record::deaths());
        if self.looked.load(Ordering::Relaxed) == tick && self.deaths.load(Ordering::Relaxed) == deaths {
            return Ok(false);
        }
        if self.socket.is_closed()? {
            return Ok(true);
        }
        self.deaths.store(deaths, Ordering::Relaxed);
        self.looked.store(tick, Ordering::Relaxed);
        Ok(false)
    }

    // --- Sending ---

    /// Whether somebody may still receive.
    fn check_peers(&self) -> Result<(), SendFailure> {
        if self.ring.is_closed() {
            return Err(SendFailure::Closed);
        }
        if self.peers_are_gone()? {
            return Err(SendFailure::Disconnected);
        }
        Ok(())
    }

    /// Sends short messages that lie one behind the other, up to where each ends, under one lock: how many, if one could be sent. Of a channel
    /// that has one receiver, which is woken once.
    pub(super) fn send_all(&self, bytes: &[u8], ends: &[usize], form: Form) -> Result<usize, SendFailure> {
        self.check_peers()?;
        let senders = self.ring.side(Which::Senders);
        let patience = Patience::None;
        let held = self.ring.lock(Which::Senders, patience.brief())?.ok_or(patience.over())?;
        if self.ring.is_closed() {
            return Err(SendFailure::Closed);
        }
        let (mut sent, mut start) = (0, 0);
        for &end in ends {
            let message = &bytes[start..end];
            debug_assert!(message.len() <= MAX_INLINE, "a short message");
            if !self.ring.finds_room(message.len() as u64) {
                break;
            }
            let pushed = send_token(senders, &self.socket, false)
                .and_then(|()| self.ring.push(message, 0, 0, None, form));
            match pushed {
                Ok(()) => (sent, start) = (sent + 1, end),
                Err(error) if sent == 0 => return Err(SendFailure::of(error)),
                Err(_) => break, // who sends the next one is told
            }
        }
        drop(held);
        if sent == 0 {
            return Err(SendFailure::Full);
        }
        senders.bell.ring_at_once();
        Ok(sent)
    }

    /// Sends a parcel.
    pub(super) fn send(&self, parcel: &Parcel, form: Form, patience: Patience) -> Result<(), SendFailure> {
        self.check_peers()?;
        let objects = &parcel.beside.objects;
        if objects.len() > MOST_OBJECTS {
            let why =
                format!("{} handles in one message: at most {MOST_OBJECTS} travel together", objects.len());
            return Err(SendFailure::Encode(why));
        }
        let inline = parcel.bytes.len() <= MAX_INLINE && parcel.beside.buffers.is_empty();
        if inline {
            return self.send_record(&parcel.bytes, objects, None, form, patience);
        }
        // How long the parts are comes first, so that they can be told apart.
        let buffers = &parcel.beside.buffers;
        let lengths: Vec<usize> =
            std::iter::once(parcel.bytes.len()).chain(buffers.iter().map(bytes::Bytes::len)).collect();
        let mut head = Wire::encode(&lengths).map_err(|error| SendFailure::Encode(error.to_string()))?;
        let head_length = head.len();
        head.resize(head_length.next_multiple_of(ALIGNMENT), 0);
        let mut parts: Vec<&[u8]> = Vec::with_capacity(2 + 2 * buffers.len());
        parts.push(&head);
        for part in std::iter::once(&parcel.bytes[..]).chain(buffers.iter().map(|buffer| &buffer[..])) {
            parts.push(part);
            parts.push(&PADDING[..padding(part.len())]);
        }
        let slot = Taken { end: self, slot: self.take_slot(&parts, patience)? };
        let filled = self.ring.fill(slot.slot, &parts, head_length as u32)?;
        self.send_record(&[], objects, Some(filled), form, patience)?;
        std::mem::forget(slot); // it is the receiver's now
        Ok(())
    }

    fn send_record(
        &self,
        bytes: &[u8],
        objects: &[Object],
        slot: Option<(Content, u64)>,
        form: Form,
        patience: Patience,
    ) -> Result<(), SendFailure> {
        let senders = self.ring.side(Which::Senders);
        let weight = slot.as_ref().map_or(bytes.len() as u64, |(_, weight)| *weight);
        loop {
            let held = self.ring.lock(Which::Senders, patience.brief())?.ok_or(patience.over())?;
            if self.ring.is_closed() {
                return Err(SendFailure::Closed);
            }
            if self.ring.finds_room(weight) {
                let Some(ticket) = self.send_objects(objects)? else {
                    drop(held);
                    self.wait_for_room_in_socket(patience)?;
                    continue;
                };
                send_token(senders, &self.socket, !objects.is_empty()).map_err(SendFailure::of)?;
                self.ring.push(bytes, objects.len() as u32, ticket, slot, form)?;
                drop(held);
                senders.bell.ring_at_once();
                return Ok(());
            }
            drop(held);
            self.wait_for_room(weight, patience)?;
        }
    }

    /// Waits until there may be room.
    pub(super) fn wait_for_room(&self, weight: u64, patience: Patience) -> Result<(), SendFailure> {
        let Patience::Until(deadline) = patience else { return Err(SendFailure::Full) };
        match self.view(Which::Senders).wait(&|| self.ring.has_room(weight), deadline)? {
            Waited::Ready => Ok(()),
            Waited::TimedOut => Err(SendFailure::TimedOut),
            Waited::Gone => Err(SendFailure::Disconnected),
        }
    }

    /// Sends objects ahead of their record: the ticket by which it finds them, or `None` when the socket has no room. With the senders'
    /// lock held.
    fn send_objects(&self, objects: &[Object]) -> Result<Option<u64>, SendFailure> {
        if objects.is_empty() {
            return Ok(Some(0));
        }
        let ticket = self.ring.next_ticket();
        let objects: Vec<Borrowed<'_>> = objects.iter().map(borrow).collect();
        for chunk in objects.chunks(MAX_OBJECTS) {
            if !self.socket.try_send(&[&ticket.to_ne_bytes()], chunk).map_err(SendFailure::of)? {
                return Ok(None); // those that went ahead are nobody's: no record has their ticket
            }
        }
        Ok(Some(ticket))
    }

    /// Waits until the socket has room for objects. Without the lock: what fills the socket may be what dead senders left there, and
    /// only a receiver that gets the lock can tell.
    fn wait_for_room_in_socket(&self, patience: Patience) -> Result<(), SendFailure> {
        let Patience::Until(deadline) = patience else { return Err(SendFailure::Full) };
        if self.socket.wait_for_room(deadline)? { Ok(()) } else { Err(SendFailure::TimedOut) }
    }

    /// Takes a slot for the parts of a message.
    fn take_slot(&self, parts: &[&[u8]], patience: Patience) -> Result<u32, SendFailure> {
        let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
        loop {
            let held = self.ring.lock(Which::Senders, patience.brief())?.ok_or(patience.over())?;
            let taken = self.ring.take_slot(length)?;
            drop(held);
            if let Some(slot) = taken {
                return Ok(slot);
            }
            // A million large messages are under way at once.
            let Patience::Until(deadline) = patience else { return Err(SendFailure::Full) };
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(SendFailure::TimedOut);
            }
            if self.socket.is_closed()? {
                return Err(SendFailure::Disconnected);
            }
            self.ring.side(Which::Receivers).bell.nap(|| false, Some(Instant::now() + SLOT_NAP))?;
        }
    }

    // --- Receiving ---

    /// Receives a message, and makes a value of it.
    pub(super) fn receive<T: DeserializeOwned>(&self, patience: Patience) -> Result<T, RecvError> {
        with_own(&ARRIVAL, |arrival| {
            self.await_arrival(arrival, patience, Wanted::Value)?;
            let Arrival { copied, beside, record } = arrival;
            let decoded = match record.slot.take() {
                None => parcel::unpack(copied, beside),
                Some(content) => {
                    let bytes = self.content(content, beside)?;
                    parcel::unpack(&bytes, beside)
                }
            };
            *beside = Beside::default(); // what nobody took is closed
            decoded.map_err(|error| RecvError::Decode(error.to_string()))
        })
    }

    /// Receives a message as it is, and what is beside it.
    pub(super) fn receive_raw<R>(
        &self,
        patience: Patience,
        take: impl FnOnce(Raw<'_>, Beside) -> R,
    ) -> Result<R, RecvError> {
        with_own(&ARRIVAL, |arrival| {
            self.await_arrival(arrival, patience, Wanted::Raw)?;
            let Arrival { copied, beside, record } = arrival;
            let raw = match record.slot.take() {
                None => Raw::Copied(copied),
                Some(content) => Raw::InPlace(self.content(content, beside)?),
            };
            Ok(take(raw, std::mem::take(beside)))
        })
    }

    /// Receives short messages without anything beside, as they are, if there are any at once: puts them one behind the other, up to where each
    /// ends, until there are so many. Of a channel without limits that has one receiver, and keeps no tally of who received what.
    pub(super) fn receive_all(
        &self,
        bytes: &mut Vec<u8>,
        ends: &mut Vec<usize>,
        most: usize,
    ) -> io::Result<()> {
        debug_assert!(!self.keeps_tally, "nobody asks who received it");
        if ends.len() >= most || !self.ring.has_data() {
            return Ok(());
        }
        let Some(held) = self.ring.try_lock(Which::Receivers)? else { return Ok(()) };
        let receivers = self.ring.side(Which::Receivers);
        let mut record = Record::default();
        while ends.len() < most {
            let start = bytes.len();
            let is_short = self.ring.front(bytes, &mut record)?
                && (record.objects, record.form) == (0, Form::Value)
                && record.slot.is_none();
            if !is_short {
                bytes.truncate(start);
                break;
            }
            // A sender that is gone needs no token.
            let _senders_are_gone = send_token(receivers, &self.socket, false);
            self.ring.pop(&record, None)?;
            ends.push(bytes.len());
        }
        drop(held);
        receivers.bell.ring_at_once();
        Ok(())
    }

    /// Receives a message as the bytes that it is, if they are no more than a maximum.
    pub(super) fn receive_bytes(&self, patience: Patience, maximum: usize) -> Result<Bytes, RecvError> {
        with_own(&ARRIVAL, |arrival| {
            self.await_arrival(arrival, patience, Wanted::Bytes { maximum })?;
            let Arrival { copied, beside, record } = arrival;
            let bytes = match record.slot.take() {
                None => Bytes::from(&copied[..]),
                Some(content) => self.content(content, beside)?.into(),
            };
            *beside = Beside::default();
            Ok(bytes)
        })
    }

    /// Waits for a message, and takes it if it is what is wanted.
    fn await_arrival(
        &self,
        arrival: &mut Arrival,
        patience: Patience,
        wanted: Wanted,
    ) -> Result<(), RecvError> {
        loop {
            if self.take(arrival, patience, wanted)? {
                return Ok(());
            }
            if self.ring.is_closed() {
                // What was sent before the end, and after the look at what is there, is received first.
                if self.ring.has_data() {
                    continue;
                }
                return Err(RecvError::Disconnected);
            }
            match patience {
                Patience::None => {
                    let gone = self.socket.is_closed()?;
                    if self.ring.has_data() {
                        continue;
                    }
                    return Err(if gone { RecvError::Disconnected } else { RecvError::Empty });
                }
                Patience::Until(deadline) => {
                    match self.view(Which::Receivers).wait(&|| self.ring.has_data(), deadline)? {
                        Waited::Ready => {}
                        // What was sent before the end is received first.
                        Waited::Gone if self.ring.has_data() => {}
                        Waited::Gone => return Err(RecvError::Disconnected),
                        Waited::TimedOut => return Err(RecvError::TimedOut),
                    }
                }
            }
        }
    }

    /// Takes the next record out of the ring, if there is one. One that is not what is wanted stays.
    fn take(&self, arrival: &mut Arrival, patience: Patience, wanted: Wanted) -> Result<bool, RecvError> {
        let receivers = self.ring.side(Which::Receivers);
        let Arrival { copied, beside, record } = arrival;
        loop {
            if !self.ring.has_data() {
                return Ok(false);
            }
            // Another receiver may have been stopped in the middle of its call.
            let Some(held) = self.ring.lock(Which::Receivers, patience.brief())? else {
                return Err(patience.nothing());
            };
            copied.clear();
            beside.objects.clear();
            if !self.ring.front(copied, record)? {
                return Ok(false);
            }
            match (wanted, record.form) {
                (Wanted::Value | Wanted::Raw, Form::Value) | (Wanted::Bytes { .. }, Form::Bytes) => {}
                (Wanted::Value | Wanted::Raw, Form::Bytes) => return Err(RecvError::IsBytes),
                (Wanted::Bytes { .. }, Form::Value) => return Err(RecvError::IsValue),
            }
            if let Wanted::Bytes { maximum: maximum @ 0..usize::MAX } = wanted {
                let length = match record.slot {
                    None => copied.len(),
                    Some(content) => self.ring.length_within(content)?,
                };
                if length > maximum {
                    return Err(RecvError::TooLong { length, maximum });
                }
            }
            let consumer = if self.keeps_tally { Some(self.consumer()?) } else { None };
            let objects = if record.objects == 0 { Ok(true) } else { self.take_objects(record, beside) };
            // A sender that is gone needs no token.
            let _senders_are_gone = send_token(receivers, &self.socket, false);
            self.ring.pop(record, consumer)?;
            drop(held);
            receivers.bell.ring_at_once();
            // What is answered, or followed, by something as large as this.
            let large = record.slot.map_or(0, Content::length);
            self.spin.expect(Duration::from_nanos(large / COPIED));
            match objects {
                Ok(true) => return Ok(true),
                // A receiver died while it took this message, and the objects with it: it was that one's.
                Ok(false) => self.let_go(record),
                Err(_) if matches!(wanted, Wanted::Raw) => {
                    beside.objects.clear(); // the values that have them say what they miss
                    return Ok(true);
                }
                Err(error) => {
                    self.let_go(record);
                    return Err(RecvError::Decode(format!("its handles could not be received: {error}")));
                }
            }
        }
    }

    /// The bytes of a message in a slot, in place; its buffers go beside.
    fn content(&self, content: Content, beside: &mut Beside) -> Result<bytes::Bytes, RecvError> {
        let whole = self.ring.content(content)?;
        let mut parts = parts_of(&whole, content.head as usize).ok_or_else(super::ring::broken)?;
        beside.buffers = parts.split_off(1);
        Ok(parts.swap_remove(0))
    }

    fn let_go(&self, record: &Record) {
        if let Some(content) = record.slot {
            self.ring.free(content.slot());
        }
    }

    /// Receives the objects of a record: whether they are there still. With the receivers' lock held.
    fn take_objects(&self, record: &Record, beside: &mut Beside) -> io::Result<bool> {
        while beside.objects.len() < record.objects as usize {
            match self.socket.peek()? {
                Peeked::Empty | Peeked::Closed => return Ok(false),
                Peeked::Message(ticket) if ticket > record.ticket => return Ok(false),
                Peeked::Message(ticket) => {
                    let Received::Message(message) = self.socket.try_receive()? else { return Ok(false) };
                    // Lower tickets are of messages that nobody sent, or received in full.
                    if ticket == record.ticket && ticket >= FIRST_TICKET {
                        beside.objects.extend(message.objects);
                    }
                }
            }
        }
        Ok(true)
    }
}

/// For who waits for several things: this end receives.
impl Sleeper for End {
    fn count(&self, lies_down: bool) {
        self.ring.side(Which::Senders).bell.count(lies_down);
    }

    fn before_sleep(&self) -> io::Result<BeforeSleep> {
        let over = || self.ring.has_data() || self.ring.is_closed();
        self.view(Which::Receivers).before_sleep(&over)
    }

    fn is_ready(&self) -> io::Result<bool> {
        Ok(self.ring.has_data() || self.ring.is_closed() || self.socket.is_closed()?)
    }
}

/// The bytes of a message.
#[derive(Debug)]
pub(crate) enum Raw<'a> {
    Copied(&'a [u8]),
    /// Where its sender wrote them.
    InPlace(bytes::Bytes),
}

/// A message that has been received.
#[derive(Debug, Default)]
struct Arrival {
    /// Its bytes, unless they are in a slot.
    copied: Vec<u8>,
    beside: Beside,
    record: Record,
}

thread_local! {
    /// Where this thread's messages are taken apart, and put together: moved about they would cost more than the rest.
    static ARRIVAL: RefCell<Arrival> = RefCell::default();
    static PARCEL: RefCell<Parcel> = RefCell::default();
}

/// Does something with this thread's own, or with a new one: in a call from within such a call, and while the thread ends.
fn with_own<T: Default, R>(own: &'static LocalKey<RefCell<T>>, action: impl FnOnce(&mut T) -> R) -> R {
    let mut action = Some(action);
    let mut act = |own: &mut T| action.take().map(|action| action(own));
    let done = own.try_with(|own| own.try_borrow_mut().ok().and_then(|mut own| act(&mut own)));
    done.ok().flatten().or_else(|| act(&mut T::default())).expect("it is done once")
}

impl Parcel {
    /// Keeps the buffer for the next value, unless it is a large one.
    fn forget_large(&mut self) {
        if self.bytes.capacity() > 4 * MAX_INLINE {
            self.bytes = Vec::new();
        }
    }
}

/// Sends a value through an end.
pub(super) fn send_value<T: Serialize>(end: &End, value: &T, patience: Patience) -> Result<(), SendFailure> {
    with_own(&PARCEL, |parcel| {
        let packed = parcel::pack_into(value, parcel);
        let sent = match packed {
            Ok(()) => end.send(parcel, Form::Value, patience),
            Err(error) => Err(SendFailure::Encode(error.to_string())),
        };
        // The senders of what could not be sent keep theirs.
        parcel.beside.objects.clear();
        parcel.beside.buffers.clear();
        parcel.forget_large();
        sent
    })
}

/// Sends bytes as they are through an end.
pub(super) fn send_bytes(end: &End, bytes: &[u8], patience: Patience) -> Result<(), SendFailure> {
    with_own(&PARCEL, |parcel| {
        parcel.bytes.clear();
        parcel.bytes.extend_from_slice(bytes);
        let sent = end.send(parcel, Form::Bytes, patience);
        parcel.forget_large();
        sent
    })
}

/// In a slot each part begins at such a multiple.
const ALIGNMENT: usize = 64;
const PADDING: [u8; ALIGNMENT] = [0; ALIGNMENT];

fn padding(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT) - length
}

/// The parts of a slot's content, in place.
fn parts_of(content: &bytes::Bytes, head: usize) -> Option<Vec<bytes::Bytes>> {
    let lengths: Vec<usize> = Wire::decode(content.get(..head)?).ok()?;
    let mut at = head.next_multiple_of(ALIGNMENT);
    let mut parts = Vec::with_capacity(lengths.len());
    for length in lengths {
        let end = at.checked_add(length).filter(|end| *end <= content.len())?;
        parts.push(content.slice(at..end));
        at = end.checked_next_multiple_of(ALIGNMENT)?;
    }
    (!parts.is_empty()).then_some(parts)
}

/// A slot that was taken and not yet sent: it is free again if that fails.
struct Taken<'a> {
    end: &'a End,
    slot: u32,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.end.ring.free(self.slot);
    }
}

impl Patience {
    /// Until when to wait for another's call to end.
    fn brief(self) -> Option<Instant> {
        match self {
            Self::None => Some(Instant::now() + BRIEF),
            Self::Until(deadline) => deadline,
        }
    }

    fn over(self) -> SendFailure {
        match self {
            Self::None => SendFailure::Full,
            Self::Until(_) => SendFailure::TimedOut,
        }
    }

    fn nothing(self) -> RecvError {
        match self {
            Self::None => RecvError::Empty,
            Self::Until(_) => RecvError::TimedOut,
        }
    }
}

impl SendFailure {
    /// What an error of the socket means.
    fn of(error: io::Error) -> Self {
        if crate::wire::envelope::is_gone(&error) { Self::Disconnected } else { Self::System(error) }
    }
}

impl From<io::Error> for SendFailure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<io::Error> for RecvError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// Puts both ends of one channel into a value.
pub(super) fn serialize_both<S: Serializer>(
    sending: &End,
    receiving: &End,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let [sending_socket, receiving_socket] =
        [sending, receiving].map(|end| Lent(borrow(end.socket.object())));
    (Lent(sending.ring.object()), sending_socket, receiving_socket).serialize(serializer)
}

/// Takes both ends of one channel out of a value.
pub(super) fn deserialize_both<'de, D: Deserializer<'de>>(
    deserializer: D,
    item: u64,
) -> Result<(End, End), D::Error> {
    let (memory, sending, receiving) = <(Arrived, Arrived, Arrived)>::deserialize(deserializer)?;
    let ring = Arc::new(Ring::open(memory.0, item).map_err(serde::de::Error::custom)?);
    let end = |socket: Arrived| {
        let socket = Channel::from_object(socket.0).map_err(serde::de::Error::custom)?;
        Ok(End::new(Arc::clone(&ring), socket))
    };
    Ok((end(sending)?, end(receiving)?))
}
