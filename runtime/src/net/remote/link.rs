//! A link: whole messages in both directions over one stream.
//!
//! On the stream a message is its length, four bytes with the lowest first, and its bytes. Nothing else is on it once the greeting is over.
//!
//! **Sending.** One write of the system per message as long as one thread sends. While a thread writes, others put their messages into
//! its outbox and go on; it writes them all together before it returns. So many callers cost fewer writes than they send messages,
//! and no message is ever torn. An outbox that is full makes them wait, and who has written long enough for others hands over.
//!
//! **Receiving.** A read takes whatever is there, up to 64 KiB, so small messages come many at a time. A long message is read to its place.
//! A wait that ends by its timeout loses nothing: what has come of a message is kept.
//!
//! **Ends.** When the other process ends, in whichever way, its kernel closes the stream: what it had sent comes, then
//! [`Closed`](RemoteError::Closed), or [`Lost`](RemoteError::Lost) if it ended within a message. When its machine or the way to it is gone,
//! [`Limits::peer_timeout`] passes before it is `Lost`. A message that was sent to a peer which then ended may have arrived or not:
//! an answer is the only proof that it has.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::timed::Timed;
#[cfg(feature = "rustls")]
use super::tls::TlsTalk;
use super::transport::Transport;
use super::{AuthKey, Endpoint, Limits, RemoteError, TlsClient, greeting};
use crate::net::Peer;
use crate::sys::stream::{Origin, Stream};
use crate::sys::{local, poller};

/// How much a read takes at once.
const CHUNK: usize = 64 << 10;

/// How many bytes may wait for a thread that writes.
const OUTBOX: usize = 256 << 10;

/// How often a thread writes for others after its own message while yet others come.
const FAVOURS: u32 = 16;

/// How many bytes stand before a message.
const HEADER: usize = 4;

/// Who is at the other end of a [`Link`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Caller {
    /// A process somewhere, which the network says is there.
    Tcp(SocketAddr),
    /// A process of this machine, as the kernel knows it.
    Local(Peer),
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Local(peer) => match (peer.pid(), peer.uid()) {
                (Some(pid), _) => write!(f, "process {pid}"),
                (None, Some(user)) => write!(f, "a process of user {user}"),
                (None, None) => f.write_str("a process"),
            },
        }
    }
}

impl From<Origin> for Caller {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Tcp(address) => Self::Tcp(address),
            Origin::Local(credentials) => Self::Local(credentials.into()),
        }
    }
}

/// A connection that carries whole messages, whose two sides know each other. See [the module](super).
#[derive(Debug)]
pub struct Link {
    sender: LinkSender,
    receiver: LinkReceiver,
}

impl Link {
    /// Connects, and waits at most [`Limits::handshake_timeout`] for it.
    ///
    /// # Errors
    /// [`RemoteError::NotListening`] at once when nobody is there; [`RemoteError::KeyNeeded`] also when there is none for an endpoint that is not
    /// [local](Endpoint::is_local); see [`RemoteError`].
    pub fn connect(endpoint: &Endpoint, key: Option<&AuthKey>, limits: &Limits) -> Result<Self, RemoteError> {
        Self::connect_timeout(endpoint, key, limits, limits.handshake_timeout)
    }

    /// Connects, and waits at most this long for it.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_timeout(
        endpoint: &Endpoint,
        key: Option<&AuthKey>,
        limits: &Limits,
        timeout: Duration,
    ) -> Result<Self, RemoteError> {
        let deadline = poller::deadline(Some(timeout));
        let stream = Self::reach(endpoint, key, deadline)?;
        let their_limit = greeting::as_client(&mut Timed::new(&stream, deadline), key, limits.max_message)?;
        Self::new(Transport::Plain(stream), limits, their_limit, None)
    }

    /// Connects through TLS, and waits at most [`Limits::handshake_timeout`] for it.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); [`RemoteError::Tls`] for a server that has another certificate, or speaks no TLS.
    #[cfg(feature = "rustls")]
    pub fn connect_tls(
        endpoint: &Endpoint,
        key: Option<&AuthKey>,
        limits: &Limits,
        tls: &TlsClient,
    ) -> Result<Self, RemoteError> {
        let deadline = poller::deadline(Some(limits.handshake_timeout));
        let stream = Self::reach(endpoint, key, deadline)?;
        let mut talk = TlsTalk::new(tls.connection()?, Timed::new(&stream, deadline));
        let their_limit = greeting::as_client(&mut talk, key, limits.max_message)?;
        let connection = talk.into_connection();
        Self::new(Transport::tls(stream, connection), limits, their_limit, None)
    }

    /// Connects, with TLS or without.
    pub(crate) fn connect_with(
        endpoint: &Endpoint,
        key: Option<&AuthKey>,
        limits: &Limits,
        tls: Option<&TlsClient>,
    ) -> Result<Self, RemoteError> {
        match tls {
            None => Self::connect(endpoint, key, limits),
            #[cfg(feature = "rustls")]
            Some(tls) => Self::connect_tls(endpoint, key, limits, tls),
            #[cfg(not(feature = "rustls"))]
            Some(never) => match *never {},
        }
    }

    /// A stream to an endpoint, which is not greeted.
    fn reach(
        endpoint: &Endpoint,
        key: Option<&AuthKey>,
        deadline: Option<Instant>,
    ) -> Result<Arc<Stream>, RemoteError> {
        if key.is_none() && !endpoint.is_local() {
            return Err(RemoteError::KeyNeeded);
        }
        let connected = match endpoint {
            Endpoint::Tcp { host, port } => Stream::connect_tcp(host, *port, deadline),
            Endpoint::Local(address) => match address.place() {
                Ok(place) => Stream::connect_local(place, deadline),
                Err(error) => {
                    let source = Arc::new(error);
                    return Err(RemoteError::InvalidEndpoint { endpoint: endpoint.clone(), source });
                }
            },
        };
        let stream = connected.map_err(|error| RemoteError::of_connecting(error, endpoint))?;
        check_user(stream.origin().map_err(RemoteError::of_stream)?)?;
        Ok(Arc::new(stream))
    }

    /// Over a stream whose greeting is over.
    pub(super) fn new(
        transport: Transport,
        limits: &Limits,
        their_limit: u32,
        permit: Option<Permit>,
    ) -> Result<Self, RemoteError> {
        let stream = transport.stream();
        stream.watch_over(limits.peer_timeout).map_err(RemoteError::system)?;
        stream.set_read_timeout(None).map_err(RemoteError::system)?;
        let caller = stream.origin().map_err(RemoteError::of_stream)?.into();
        let wire = Arc::new(Wire {
            transport,
            caller,
            outbox: Mutex::default(),
            room: Condvar::new(),
            their_limit,
            _permit: permit,
        });
        let receiver = LinkReceiver {
            wire: Arc::clone(&wire),
            buffer: vec![0; CHUNK].into(),
            start: 0,
            end: 0,
            message: Vec::new(),
            missing: None,
            limit: limits.max_message,
            timeout: None,
        };
        Ok(Self { sender: LinkSender(Arc::new(Sending(wire))), receiver })
    }

    /// Its two directions, for different threads.
    #[must_use]
    pub fn split(self) -> (LinkSender, LinkReceiver) {
        (self.sender, self.receiver)
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> Caller {
        self.sender.peer()
    }

    /// Sends a message: see [`LinkSender::send`].
    ///
    /// # Errors
    /// As there.
    pub fn send(&self, message: &[u8]) -> Result<(), RemoteError> {
        self.sender.send(message)
    }

    /// Receives a message: see [`LinkReceiver::recv`].
    ///
    /// # Errors
    /// As there.
    pub fn recv(&mut self) -> Result<Vec<u8>, RemoteError> {
        self.receiver.recv()
    }
}

/// Refuses a process of this machine that is another user's.
pub(super) fn check_user(origin: Origin) -> Result<Caller, RemoteError> {
    match origin {
        Origin::Local(credentials) if credentials.user != local::user() => Err(RemoteError::OtherUser),
        origin => Ok(origin.into()),
    }
}

/// What counts as one of the connections of an acceptor until drop.
#[derive(Debug)]
pub(super) struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// One of as many as there may be.
    pub(super) fn take(taken: &Arc<AtomicUsize>, limit: usize) -> Result<Self, RemoteError> {
        let add = |count| (count < limit).then_some(count + 1);
        match taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(Self(Arc::clone(taken))),
            Err(_) => Err(RemoteError::TooMany),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What both halves have.
#[derive(Debug)]
struct Wire {
    transport: Transport,
    caller: Caller,
    outbox: Mutex<Outbox>,
    /// Rung when there is room in the outbox again, or nobody writes.
    room: Condvar,
    /// How long a message to the other side may be.
    their_limit: u32,
    _permit: Option<Permit>,
}

/// What waits for the thread that writes.
#[derive(Debug, Default)]
struct Outbox {
    waiting: Vec<u8>,
    /// Whether a thread writes.
    writing: bool,
    /// Whether that thread takes nothing more for others.
    handing_over: bool,
    /// How many threads wait for room.
    queue: usize,
    /// Why nothing can be sent any more.
    failed: Option<RemoteError>,
}

/// Where a message is that was put into the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It waits there, and nobody is about to send it: whoever put it has to see to that.
    First,
    /// It waits behind one that somebody has put there, and will see to.
    Behind,
    /// It has been sent, or is about to be.
    Sent,
}

impl Outbox {
    fn has_room(&self, length: usize) -> bool {
        self.waiting.len() + HEADER + length <= OUTBOX
    }

    fn put(&mut self, parts: &[IoSlice<'_>]) {
        for part in parts {
            self.waiting.extend_from_slice(part);
        }
    }
}

impl Wire {
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the parts as one message; the first is its header.
    fn send(&self, parts: &mut [IoSlice<'_>], length: usize) -> Result<(), RemoteError> {
        let Some(mut outbox) = self.turn(parts, length)? else { return Ok(()) };
        outbox.writing = true;
        let before = std::mem::take(&mut outbox.waiting);
        drop(outbox);
        let written = if before.is_empty() {
            self.write(parts)
        } else {
            let mut all = Vec::with_capacity(parts.len() + 1);
            all.push(IoSlice::new(&before));
            all.extend_from_slice(parts);
            self.write(&mut all)
        };
        self.write_for_others(written, before)
    }

    /// Puts the parts into the outbox as one message, or sends them if there is no room.
    fn put(&self, parts: &mut [IoSlice<'_>], length: usize) -> Result<Put, RemoteError> {
        let mut outbox = self.outbox();
        if outbox.failed.is_some() || outbox.writing || !outbox.has_room(length) {
            drop(outbox);
            return self.send(parts, length).map(|()| Put::Sent);
        }
        let put = if outbox.waiting.is_empty() { Put::First } else { Put::Behind };
        outbox.put(parts);
        Ok(put)
    }

    /// Sends what is in the outbox, if nobody is about to.
    fn flush(&self) -> Result<(), RemoteError> {
        let mut outbox = self.outbox();
        if outbox.writing || outbox.waiting.is_empty() {
            return Ok(());
        }
        if let Some(error) = &outbox.failed {
            return Err(error.clone());
        }
        outbox.writing = true;
        drop(outbox);
        self.write_for_others(Ok(()), Vec::new())
    }

    /// Waits for the turn of this thread to write. None if another takes the message along.
    fn turn(
        &self,
        parts: &[IoSlice<'_>],
        length: usize,
    ) -> Result<Option<MutexGuard<'_, Outbox>>, RemoteError> {
        let mut outbox = self.outbox();
        loop {
            if let Some(error) = &outbox.failed {
                return Err(error.clone());
            }
            if !outbox.writing {
                return Ok(Some(outbox));
            }
            if !outbox.handing_over && outbox.has_room(length) {
                outbox.put(parts);
                return Ok(None);
            }
            outbox.queue += 1;
            outbox = self.room.wait(outbox).unwrap_or_else(PoisonError::into_inner);
            outbox.queue -= 1;
        }
    }

    /// Writes what others have put into the outbox meanwhile, and leaves.
    fn write_for_others(
        &self,
        mut written: Result<(), RemoteError>,
        mut batch: Vec<u8>,
    ) -> Result<(), RemoteError> {
        for favour in 0_u32.. {
            let mut outbox = self.outbox();
            if let Err(error) = &written {
                outbox.failed.get_or_insert_with(|| error.clone());
                outbox.waiting.clear();
            }
            if outbox.waiting.is_empty() {
                outbox.writing = false;
                outbox.handing_over = false;
                if batch.capacity() > outbox.waiting.capacity() {
                    batch.clear();
                    outbox.waiting = batch; // the next need not allocate
                }
                self.tell(&outbox);
                break;
            }
            batch.clear();
            std::mem::swap(&mut batch, &mut outbox.waiting);
            outbox.handing_over = favour >= FAVOURS;
            if !outbox.handing_over {
                self.tell(&outbox);
            }
            drop(outbox);
            written = self.write(&mut [IoSlice::new(&batch)]);
        }
        written
    }

    fn tell(&self, outbox: &Outbox) {
        if outbox.queue > 0 {
            self.room.notify_all();
        }
    }

    /// Writes all the parts. Only the thread that said so in the outbox does.
    fn write(&self, mut parts: &mut [IoSlice<'_>]) -> Result<(), RemoteError> {
        IoSlice::advance_slices(&mut parts, 0); // the first ones may be empty
        while !parts.is_empty() {
            match self.transport.write(parts) {
                Ok(0) => return Err(RemoteError::of_stream(io::ErrorKind::WriteZero.into())),
                Ok(count) => IoSlice::advance_slices(&mut parts, count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let why = "the other side took nothing for too long: see `Limits::peer_timeout`";
                    return Err(RemoteError::of_stream(io::Error::new(io::ErrorKind::TimedOut, why)));
                }
                Err(error) => return Err(RemoteError::of_stream(error)),
            }
        }
        Ok(())
    }

    fn shut_down(&self) {
        let mut outbox = self.outbox();
        outbox.failed.get_or_insert(RemoteError::Closed);
        self.tell(&outbox);
        drop(outbox);
        let _was_over_already = self.transport.stream().shut_down(Shutdown::Both);
    }
}

/// Tells the other side, when it is dropped, that nothing more comes.
#[derive(Debug)]
struct Sending(Arc<Wire>);

impl Drop for Sending {
    fn drop(&mut self) {
        let _was_over_already = self.0.transport.end();
    }
}

/// The half of a [`Link`] that sends. It can be cloned, and many threads send at once.
///
/// When its last clone is dropped, the other side receives what was sent, and then [`RemoteError::Closed`].
#[derive(Clone, Debug)]
pub struct LinkSender(Arc<Sending>);

impl LinkSender {
    /// Sends a message: hands it to the system, or to another thread that is about to, and waits if that has no room.
    ///
    /// # Errors
    /// [`RemoteError::TooLarge`] for a message that the other side does not allow; nothing is sent, and the link goes on.
    /// [`RemoteError::Closed`] or [`RemoteError::Lost`] when the link is over.
    pub fn send(&self, message: &[u8]) -> Result<(), RemoteError> {
        let header = self.header(message.len())?;
        let mut parts = [IoSlice::new(&header), IoSlice::new(message)];
        self.wire().send(&mut parts, message.len())
    }

    /// Sends the parts, one behind the other, as one message.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_parts(&self, message: &[IoSlice<'_>]) -> Result<(), RemoteError> {
        let length = message.iter().map(|part| part.len()).sum();
        let header = self.header(length)?;
        let mut parts = Vec::with_capacity(message.len() + 1);
        parts.push(IoSlice::new(&header));
        parts.extend_from_slice(message);
        self.wire().send(&mut parts, length)
    }

    /// Puts a message where it is sent together with others: with the next that is sent, or by [`flush`](Self::flush). It may be sent at
    /// once, too.
    pub(crate) fn put(&self, message: &[u8]) -> Result<Put, RemoteError> {
        let header = self.header(message.len())?;
        let mut parts = [IoSlice::new(&header), IoSlice::new(message)];
        self.wire().put(&mut parts, message.len())
    }

    /// Sends what has been [put](Self::put), if nobody is about to.
    pub(crate) fn flush(&self) -> Result<(), RemoteError> {
        self.wire().flush()
    }

    /// How many bytes wait to be sent.
    pub(crate) fn outbox_len(&self) -> usize {
        self.wire().outbox().waiting.len()
    }

    fn wire(&self) -> &Wire {
        &self.0.0
    }

    fn header(&self, length: usize) -> Result<[u8; HEADER], RemoteError> {
        let limit = self.wire().their_limit;
        match u32::try_from(length) {
            Ok(length) if length <= limit => Ok(length.to_le_bytes()),
            _ => Err(RemoteError::TooLarge { size: length as u64, limit: limit.into() }),
        }
    }

    /// Ends both directions, for all threads of both sides. Who waits here to receive or to send returns with [`RemoteError::Closed`]. What another
    /// thread was about to send may be lost.
    pub fn shutdown(&self) {
        self.wire().shut_down();
    }

    /// Whether it is an end of the same link.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> Caller {
        self.wire().caller
    }

    /// Whether the other side has ended the link already, as far as this one can know without sending anything.
    pub(crate) fn is_over(&self) -> bool {
        self.wire().transport.stream().has_ended()
    }

    /// How many bytes a message may have: what the other side allows.
    #[must_use]
    pub fn max_message(&self) -> usize {
        usize::try_from(self.wire().their_limit).unwrap_or(usize::MAX)
    }
}

/// The half of a [`Link`] that receives.
#[derive(Debug)]
pub struct LinkReceiver {
    wire: Arc<Wire>,
    /// What has been read and not been taken lies at `start..end`.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// The message that has come in part, and how much is missing.
    message: Vec<u8>,
    missing: Option<usize>,
    limit: u32,
    /// What the stream was told last.
    timeout: Option<Duration>,
}

impl LinkReceiver {
    /// Waits for a message.
    ///
    /// # Errors
    /// [`RemoteError::Closed`] when the other side has ended the link, [`RemoteError::Lost`] when it is gone; all messages that
    /// came before are received first. [`RemoteError::TooLarge`] for one that is longer than is allowed, which ends the link.
    pub fn recv(&mut self) -> Result<Vec<u8>, RemoteError> {
        let mut message = Vec::new();
        self.recv_into(&mut message)?;
        Ok(message)
    }

    /// Waits for a message, and puts it into the buffer, in place of what is there. The memory of the buffer is used again.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_into(&mut self, message: &mut Vec<u8>) -> Result<(), RemoteError> {
        self.recv_until(message, None)
    }

    /// Waits at most this long for a message.
    ///
    /// # Errors
    /// [`RemoteError::TimedOut`] if none came, or not all of it, what came of it is kept; else as [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Vec<u8>, RemoteError> {
        let mut message = Vec::new();
        self.recv_until(&mut message, poller::deadline(Some(timeout)))?;
        Ok(message)
    }

    /// Waits at most this long for a message, and puts it into the buffer, in place of what is there.
    ///
    /// # Errors
    /// As [`recv_timeout`](Self::recv_timeout).
    pub fn recv_timeout_into(&mut self, message: &mut Vec<u8>, timeout: Duration) -> Result<(), RemoteError> {
        self.recv_until(message, poller::deadline(Some(timeout)))
    }

    /// Whether a whole message has been read already, so that [`recv`](Self::recv) would not wait.
    #[must_use]
    pub fn has_message(&self) -> bool {
        let there = &self.buffer[self.start..self.end];
        match (self.missing, there.first_chunk::<HEADER>()) {
            (Some(missing), _) => missing <= there.len(),
            (None, Some(header)) => u32::from_le_bytes(*header) as usize <= there.len() - HEADER,
            (None, None) => false,
        }
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> Caller {
        self.wire.caller
    }

    /// What is ready when more has come, or the end, beside what has been read already.
    pub(crate) fn sentinel(&self) -> poller::Sentinel<'_> {
        self.wire.transport.stream().sentinel()
    }

    /// Ends both directions: see [`LinkSender::shutdown`].
    pub fn shutdown(&self) {
        self.wire.shut_down();
    }

    fn recv_until(&mut self, into: &mut Vec<u8>, deadline: Option<Instant>) -> Result<(), RemoteError> {
        let mut missing = match self.missing {
            Some(missing) => missing,
            None => self.begin(deadline)?,
        };
        let there = missing.min(self.end - self.start);
        self.message.extend_from_slice(&self.buffer[self.start..self.start + there]);
        self.start += there;
        missing -= there;
        self.missing = Some(missing);
        while missing > 0 {
            self.set_timeout(deadline)?;
            let before = self.message.len();
            // Room is made as the bytes come, not for as many as were announced.
            let read = self.wire.transport.read_behind(&mut self.message, missing);
            let came = self.message.len() - before;
            missing -= came;
            self.missing = Some(missing);
            match read {
                Ok(_) if missing == 0 => {}
                Ok(_) => return Err(self.broke_off()),
                Err(error) => Self::explain(error, deadline)?,
            }
        }
        self.missing = None;
        std::mem::swap(into, &mut self.message);
        self.message.clear();
        if self.message.capacity() > CHUNK {
            self.message = Vec::new();
        }
        Ok(())
    }

    /// Waits for the header of the next message: how long it is.
    fn begin(&mut self, deadline: Option<Instant>) -> Result<usize, RemoteError> {
        loop {
            if let Some(header) = self.buffer[self.start..self.end].first_chunk::<HEADER>() {
                let length = u32::from_le_bytes(*header);
                if length > self.limit {
                    self.wire.shut_down();
                    return Err(RemoteError::TooLarge { size: length.into(), limit: self.limit.into() });
                }
                self.start += HEADER;
                self.message.clear();
                return Ok(length as usize);
            }
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            self.set_timeout(deadline)?;
            match self.wire.transport.read(&mut self.buffer[self.end..]) {
                Ok(0) if self.end == 0 => return Err(RemoteError::Closed),
                Ok(0) => return Err(self.broke_off()),
                Ok(count) => self.end += count,
                Err(error) => Self::explain(error, deadline)?,
            }
        }
    }

    /// The stream ended within a message: here that is, or there.
    fn broke_off(&self) -> RemoteError {
        if let Some(error) = &self.wire.outbox().failed {
            return error.clone();
        }
        let why = "it ended within a message";
        RemoteError::of_stream(io::Error::new(io::ErrorKind::UnexpectedEof, why))
    }

    /// Whether to read on after an error.
    fn explain(error: io::Error, deadline: Option<Instant>) -> Result<(), RemoteError> {
        match error.kind() {
            io::ErrorKind::WouldBlock if deadline.is_none_or(|deadline| Instant::now() < deadline) => Ok(()),
            io::ErrorKind::WouldBlock => Err(RemoteError::TimedOut),
            _ => Err(RemoteError::of_stream(error)),
        }
    }

    /// Has the next read of the stream end by the deadline, or before, as long as that is not again and again: so calls one after the other
    /// with one limit need not tell the stream each time.
    fn set_timeout(&mut self, deadline: Option<Instant>) -> Result<(), RemoteError> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let will_do = match (left, self.timeout) {
            (Some(left), Some(timeout)) => (left / 2..=left).contains(&timeout),
            (left, timeout) => left == timeout,
        };
        if !will_do {
            self.wire.transport.stream().set_read_timeout(left).map_err(RemoteError::system)?;
            self.timeout = left;
        }
        Ok(())
    }
}

/// What a peer that has been let in may send, whatever it is: for tests and fuzzers.
#[cfg(all(unix, any(test, fuzzing)))]
pub(crate) mod specimen {
    use super::*;

    const LIMIT: u32 = 3000;

    /// What a receiver is to make of a stream of these bytes: its messages, and whether the stream ends in order.
    fn messages(mut bytes: &[u8]) -> (Vec<&[u8]>, bool) {
        let mut messages = Vec::new();
        while let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() {
            let length = u32::from_le_bytes(*header);
            let Some((message, rest)) = rest.split_at_checked(length as usize) else { break };
            if length > LIMIT {
                break;
            }
            messages.push(message);
            bytes = rest;
        }
        (messages, bytes.is_empty())
    }

    /// Receives what there is in bytes that come in some pieces, at most as many as fit in a socket.
    pub(crate) fn receive_anything(bytes: &[u8], piece: usize) {
        let (here, there) = Stream::pair().expect("there are descriptors");
        let limits = Limits::new().max_message(LIMIT as usize);
        let mut link =
            Link::new(Transport::Plain(Arc::new(here)), &limits, LIMIT, None).expect("it is there");
        let mut received = Vec::new();
        let mut take = |link: &mut Link| loop {
            match link.receiver.recv_timeout(Duration::from_nanos(1)) {
                Ok(message) => received.push(message),
                Err(error) => return error,
            }
        };
        for piece in bytes.chunks(piece.max(1)) {
            if there.write(&[IoSlice::new(piece)]).is_err() {
                break; // it has ended the link for a length that is too large
            }
            if piece.len() < bytes.len() {
                let _more_comes_or_not = take(&mut link);
            }
        }
        drop(there);
        let end = take(&mut link);
        let (expected, in_order) = messages(bytes);
        assert!(received == expected, "the messages that were sent");
        assert!(matches!(end, RemoteError::Closed) || !in_order, "{end}");
    }
}

#[cfg(all(test, unix))]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::specimen::receive_anything;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn bytes_of_anybody_are_messages_or_an_end(
            messages in vec((0..40_u32, vec(any::<u8>(), 0..40)), 0..10), piece in 1..200_usize,
        ) {
            // Most lengths lie, some do not.
            let lie = |(length, bytes): (u32, Vec<u8>)| {
                let length = if length < 30 { u32::try_from(bytes.len()).unwrap_or(0) } else { length };
                [&length.to_le_bytes()[..], &bytes].concat()
            };
            receive_anything(&messages.into_iter().flat_map(lie).collect::<Vec<_>>(), piece);
        }
    }
}
