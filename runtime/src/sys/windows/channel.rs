//! A pair of connected ends that carry whole messages, each with handles attached: a named pipe in message mode.
//!
//! The kernel keeps the boundaries of messages, so a peer that is killed while it sends leaves either the whole message or nothing. The
//! name is random and never told: both ends are opened here, the pipe has one instance, and the end that travels is inherited or
//! duplicated. Somebody who finds the name in the moment between the two calls takes the place of our second call, which then fails.
//!
//! A pipe has nothing to wait for that stays ready. So an end that is waited for has an overlapped read of no bytes pending, which the next message
//! completes without being taken (`ReadFile`), as the end of the peer does: its event is the sentinel. It may be ready once for nothing: the system cancels
//! what a thread has pending when that thread ends.

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_BAD_PIPE, ERROR_BROKEN_PIPE, ERROR_IO_PENDING, ERROR_MORE_DATA, ERROR_NO_DATA,
    ERROR_OPERATION_ABORTED, ERROR_PIPE_NOT_CONNECTED, GENERIC_READ, GENERIC_WRITE, HANDLE,
    INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, OPEN_EXISTING, PIPE_ACCESS_DUPLEX,
    ReadFile, WriteFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, GetNamedPipeServerProcessId, PIPE_READMODE_MESSAGE, PIPE_REJECT_REMOTE_CLIENTS,
    PIPE_TYPE_MESSAGE, PIPE_WAIT, PeekNamedPipe, SetNamedPipeHandleState,
};
use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent, SetEvent};

use super::escrow::{self, Deposit};
use super::{Borrowed, Object};

/// The largest message, without what goes along with handles.
pub(crate) const MAX_MESSAGE: usize = 64 * 1024;

/// How many objects one message takes.
pub(crate) const MAX_OBJECTS: usize = 253;

/// How much may lie in a pipe unread: some messages, so that one or two never wait.
const QUOTA: u32 = 256 * 1024;

/// How often is looked whether there is room again: the system tells nobody.
const SLICE: Duration = Duration::from_millis(1);

/// What precedes the bytes of a message: how many handles there are, and where they are kept, if there are any.
const HEAD: usize = 4;
const MAX_HEAD: usize = HEAD + Deposit::length(MAX_OBJECTS);

/// One end.
#[derive(Debug)]
pub(crate) struct Channel {
    pipe: OwnedHandle,
    /// Set while there is something to receive, if somebody waits for it.
    event: OwnedHandle,
    reading: Mutex<Reading>,
    writing: Mutex<()>,
}

/// What is held while one looks into the pipe.
struct Reading {
    /// The read of no bytes; the kernel writes to it until it is done.
    glance: Box<OVERLAPPED>,
    pending: bool,
    /// Somebody waits for the event, so it has to be right.
    watched: bool,
}

// SAFETY: the pointers in it are to nobody's memory, and a handle of an event of this process.
unsafe impl Send for Reading {}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading")
            .field("pending", &self.pending)
            .field("watched", &self.watched)
            .finish_non_exhaustive()
    }
}

/// A message that arrived.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    pub(crate) objects: Vec<Object>,
}

/// What a look into the channel found.
#[derive(Debug)]
pub(crate) enum Received {
    Message(Message),
    /// Nothing is there yet.
    Empty,
    /// The peer is gone, and everything it sent has been read.
    Closed,
}

/// What lies at the front of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peeked {
    /// A message that begins with these bytes.
    Message(u64),
    Empty,
    /// The peer is gone, and everything it sent has been read.
    Closed,
}

/// The code of the last error of this thread.
pub(super) fn last_code() -> u32 {
    io::Error::last_os_error().raw_os_error().map_or(0, |code| code as u32)
}

fn error_of(code: u32) -> io::Error {
    io::Error::from_raw_os_error(code as i32)
}

/// Whether a code says that the peer is gone.
fn says_gone(code: u32) -> bool {
    matches!(code, ERROR_BROKEN_PIPE | ERROR_PIPE_NOT_CONNECTED | ERROR_BAD_PIPE | ERROR_NO_DATA)
}

/// Takes a handle that a call has made, or its error.
fn made(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system has just made it for us.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// An event that stays set until it is reset.
pub(super) fn event() -> io::Result<OwnedHandle> {
    // SAFETY: no attributes and no name; the numbers say: reset by hand, not set.
    made(unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) })
}

pub(super) fn set(event: &OwnedHandle) {
    // SAFETY: an event that is open; that of ours can be set.
    unsafe { SetEvent(event.as_raw_handle()) };
}

pub(super) fn reset(event: &OwnedHandle) {
    // SAFETY: as above.
    unsafe { ResetEvent(event.as_raw_handle()) };
}

impl Channel {
    /// Makes a channel: our end, and the one that travels.
    pub(crate) fn pair() -> io::Result<(Self, Object)> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let name = format!(r"\\.\pipe\offspring-{:032x}", u128::from_le_bytes(random));
        let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
        // SAFETY: the name is a string that ends in zero; no attributes: the handle is not inherited.
        let ours = made(unsafe {
            CreateNamedPipeW(
                name.as_ptr(),
                PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
                1,
                QUOTA,
                QUOTA,
                0,
                ptr::null(),
            )
        })?;
        // SAFETY: as above; the pipe exists, and nobody else is to open it.
        let theirs = made(unsafe {
            CreateFileW(
                name.as_ptr(),
                GENERIC_READ | GENERIC_WRITE,
                0,
                ptr::null(),
                OPEN_EXISTING,
                FILE_FLAG_OVERLAPPED,
                ptr::null_mut(),
            )
        })?;
        let mode = PIPE_READMODE_MESSAGE;
        // SAFETY: a pipe that is open, and a number to read; the rest is not asked for.
        if unsafe {
            SetNamedPipeHandleState(theirs.as_raw_handle(), &raw const mode, ptr::null(), ptr::null())
        } == 0
        {
            return Err(io::Error::last_os_error());
        }
        Ok((Self::from_object(ours)?, theirs))
    }

    /// Takes the end that travelled.
    pub(crate) fn from_object(object: Object) -> io::Result<Self> {
        let event = event()?;
        // SAFETY: all zeros is a valid value of numbers and pointers.
        let mut glance: Box<OVERLAPPED> = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        glance.hEvent = event.as_raw_handle();
        let reading = Mutex::new(Reading { glance, pending: false, watched: false });
        Ok(Self { pipe: object, event, reading, writing: Mutex::new(()) })
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message made of parts. It is whole at the other side or not at all.
    pub(crate) fn send(&self, parts: &[&[u8]], objects: &[Borrowed<'_>]) -> io::Result<()> {
        self.send_with(parts, objects, true).map(drop)
    }

    /// Sends a message unless that would wait for the peer to read: whether it was sent.
    pub(crate) fn try_send(&self, parts: &[&[u8]], objects: &[Borrowed<'_>]) -> io::Result<bool> {
        self.send_with(parts, objects, false)
    }

    fn send_with(&self, parts: &[&[u8]], objects: &[Borrowed<'_>], wait: bool) -> io::Result<bool> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if length > MAX_MESSAGE || objects.len() > MAX_OBJECTS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a message is too long for its channel"));
        }
        let deposit = escrow::deposit(objects)?;
        let count = u32::try_from(objects.len()).map_err(io::Error::other)?;
        let mut message = Vec::with_capacity(MAX_HEAD + length);
        message.extend(count.to_le_bytes());
        deposit.write_to(&mut message);
        for part in parts {
            message.extend(*part);
        }
        let sent = {
            let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            self.write(&message, wait)
        };
        if matches!(sent, Ok(true)) {
            deposit.leave();
        }
        sent
    }

    fn write(&self, message: &[u8], wait: bool) -> io::Result<bool> {
        let length = u32::try_from(message.len()).map_err(io::Error::other)?;
        let pipe = self.pipe.as_raw_handle();
        let done = Operation::run(&self.pipe, wait, |overlapped| {
            // SAFETY: the bytes and the operation outlive it, as `run` waits for its end.
            unsafe { WriteFile(pipe, message.as_ptr(), length, ptr::null_mut(), overlapped) }
        })?;
        match done {
            Ok(_) => Ok(true),
            Err(ERROR_OPERATION_ABORTED) => Ok(false),
            Err(code) if says_gone(code) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(code) => Err(error_of(code)),
        }
    }

    /// The first eight bytes of the message that is next, which stays there.
    pub(crate) fn peek(&self) -> io::Result<Peeked> {
        let _as_it_is = self.reading();
        let mut front = [0; MAX_HEAD + size_of::<u64>()];
        let Some(there) = self.look(&mut front)? else { return Ok(Peeked::Closed) };
        if there == 0 {
            return Ok(Peeked::Empty);
        }
        let front = &front[..there];
        let count = front.first_chunk().map_or(0, |count| u32::from_le_bytes(*count)) as usize;
        let start = HEAD + Deposit::length(count.min(MAX_OBJECTS));
        let mut word = [0; size_of::<u64>()];
        let bytes = front.get(start..).unwrap_or_default();
        let length = bytes.len().min(word.len());
        word[..length].copy_from_slice(&bytes[..length]);
        Ok(Peeked::Message(u64::from_ne_bytes(word)))
    }

    /// Looks at what is next: how much of it was copied, and none if nothing is there; `None` if nothing will be.
    fn look(&self, front: &mut [u8]) -> io::Result<Option<usize>> {
        let length = u32::try_from(front.len()).map_err(io::Error::other)?;
        let (mut copied, mut available) = (0, 0);
        // SAFETY: the buffer takes so many bytes, and the numbers are ours.
        let seen = unsafe {
            PeekNamedPipe(
                self.pipe.as_raw_handle(),
                front.as_mut_ptr().cast(),
                length,
                &raw mut copied,
                &raw mut available,
                ptr::null_mut(),
            )
        };
        match seen {
            0 => match last_code() {
                ERROR_MORE_DATA => Ok(Some(copied as usize)),
                code if says_gone(code) => Ok(None),
                code => Err(error_of(code)),
            },
            _ if available == 0 => Ok(Some(0)),
            _ => Ok(Some(copied as usize)),
        }
    }

    /// Waits until there is room to send in, or the peer is gone, or the deadline: whether it has not passed.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // as on other systems
    pub(crate) fn wait_for_room(&self, deadline: Option<Instant>) -> io::Result<bool> {
        // The system tells nobody when there is room: the caller tries again after a slice.
        let slice =
            deadline.map_or(SLICE, |deadline| deadline.saturating_duration_since(Instant::now()).min(SLICE));
        std::thread::sleep(slice);
        Ok(deadline.is_none_or(|deadline| Instant::now() < deadline))
    }

    /// Ends the channel for all who hold an end: a pipe can only be ended with what lies in it.
    #[allow(clippy::unused_self)] // as on other systems
    pub(crate) fn shut_down(&self) -> io::Result<()> {
        Err(crate::sys::unsupported::unsupported())
    }

    /// The end, as what can travel.
    pub(crate) fn object(&self) -> &Object {
        &self.pipe
    }

    /// Whether the peer is gone.
    pub(crate) fn is_closed(&self) -> io::Result<bool> {
        let _as_it_is = self.reading();
        Ok(self.look(&mut [0; HEAD])?.is_none())
    }

    /// What becomes ready when a message arrives or the peer is gone.
    pub(crate) fn sentinel(&self) -> BorrowedHandle<'_> {
        let mut reading = self.reading();
        reading.watched = true;
        self.glance(&mut reading);
        self.event.as_handle()
    }

    /// Makes the event say whether there is something to receive.
    fn glance(&self, reading: &mut Reading) {
        if reading.pending {
            let mut length = 0;
            // SAFETY: the operation that is pending, which lives in a box; it is asked for and not waited for.
            let done = unsafe {
                GetOverlappedResult(self.pipe.as_raw_handle(), &raw const *reading.glance, &raw mut length, 0)
            };
            if done == 0 && last_code() == windows_sys::Win32::Foundation::ERROR_IO_INCOMPLETE {
                return;
            }
            reading.pending = false;
        }
        if !matches!(self.look(&mut [0; HEAD]), Ok(Some(0))) {
            return set(&self.event);
        }
        reset(&self.event);
        // SAFETY: no bytes are written to the place, and the operation lives in a box until it is done.
        let read = unsafe {
            ReadFile(
                self.pipe.as_raw_handle(),
                ptr::NonNull::<u8>::dangling().as_ptr(),
                0,
                ptr::null_mut(),
                &raw mut *reading.glance,
            )
        };
        if read == 0 && last_code() == ERROR_IO_PENDING {
            reading.pending = true;
        } else {
            set(&self.event); // a message, or an error that a look will find
        }
    }

    /// Receives a message if one is there.
    pub(crate) fn try_receive(&self) -> io::Result<Received> {
        let mut reading = self.reading();
        let received = self.take();
        if reading.watched {
            self.glance(&mut reading);
        }
        received
    }

    /// Waits for a message.
    pub(crate) fn receive(&self) -> io::Result<Received> {
        loop {
            match self.try_receive()? {
                Received::Empty => super::poller::wait(&[self.sentinel()], None).map(drop)?,
                received => return Ok(received),
            }
        }
    }

    fn take(&self) -> io::Result<Received> {
        match self.look(&mut [0; HEAD])? {
            None => return Ok(Received::Closed),
            Some(0) => return Ok(Received::Empty),
            Some(_) => {}
        }
        let mut buffer = vec![0; MAX_HEAD + MAX_MESSAGE];
        let length = u32::try_from(buffer.len()).map_err(io::Error::other)?;
        let (pipe, place) = (self.pipe.as_raw_handle(), buffer.as_mut_ptr());
        let done = Operation::run(&self.pipe, false, |overlapped| {
            // SAFETY: the buffer and the operation outlive it, as `run` waits for its end.
            unsafe { ReadFile(pipe, place, length, ptr::null_mut(), overlapped) }
        })?;
        match done {
            Ok(length) => {
                buffer.truncate(length);
                parse(&buffer).map(Received::Message)
            }
            Err(ERROR_OPERATION_ABORTED) => Ok(Received::Empty), // another was faster
            Err(code) if says_gone(code) => Ok(Received::Closed),
            Err(code) => Err(error_of(code)),
        }
    }
}

fn parse(message: &[u8]) -> io::Result<Message> {
    let short = || io::Error::new(io::ErrorKind::InvalidData, "a message is shorter than it says");
    let (count, rest) = message.split_first_chunk().ok_or_else(short)?;
    let count = u32::from_le_bytes(*count) as usize;
    if count > MAX_OBJECTS {
        return Err(short());
    }
    let (deposit, bytes) = rest.split_at_checked(Deposit::length(count)).ok_or_else(short)?;
    Ok(Message { objects: escrow::withdraw(deposit)?, bytes: bytes.to_vec() })
}

impl Drop for Channel {
    fn drop(&mut self) {
        let reading = self.reading.get_mut().unwrap_or_else(PoisonError::into_inner);
        if reading.pending {
            let mut length = 0;
            // SAFETY: the pipe is open, and the operation is one of it.
            unsafe { CancelIoEx(self.pipe.as_raw_handle(), &raw const *reading.glance) };
            // SAFETY: as above; from its return on nobody writes to the operation.
            unsafe {
                GetOverlappedResult(self.pipe.as_raw_handle(), &raw const *reading.glance, &raw mut length, 1)
            };
        }
    }
}

impl AsHandle for Channel {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.pipe.as_handle()
    }
}

/// One overlapped read or write.
struct Operation;

impl Operation {
    /// Begins an operation and waits for its end. Unless `wait`, one that does not end at once is cancelled. How many bytes it moved, or the code of its error.
    fn run(
        pipe: &OwnedHandle,
        wait: bool,
        begin: impl FnOnce(*mut OVERLAPPED) -> i32,
    ) -> io::Result<Result<usize, u32>> {
        let event = event()?;
        // SAFETY: all zeros is a valid value of numbers and pointers.
        let mut overlapped: OVERLAPPED = unsafe { MaybeUninit::zeroed().assume_init() };
        overlapped.hEvent = event.as_raw_handle();
        if begin(&raw mut overlapped) == 0 {
            match last_code() {
                ERROR_IO_PENDING if !wait => {
                    // SAFETY: the pipe is open, and the operation is one of it. One that is done already stays done.
                    unsafe { CancelIoEx(pipe.as_raw_handle(), &raw const overlapped) };
                }
                ERROR_IO_PENDING => {}
                code => return Ok(Err(code)),
            }
        }
        let mut length = 0;
        // SAFETY: the operation was begun; from the return on nobody writes to it.
        match unsafe { GetOverlappedResult(pipe.as_raw_handle(), &raw const overlapped, &raw mut length, 1) }
        {
            0 => Ok(Err(last_code())),
            _ => Ok(Ok(length as usize)),
        }
    }
}

/// How a child finds its end: its handle, the process that made the pipe, so that a stray number is not mistaken for it, and the root of the tree.
#[allow(clippy::unnecessary_wraps)] // as on other systems
pub(crate) fn ticket(object: &Object) -> io::Result<String> {
    let root = escrow::root();
    Ok(format!("{}.{}.{}.{}", object.as_raw_handle().addr(), std::process::id(), root.pid, root.started))
}

/// Takes the end that a [`ticket`] names. The handle is not inherited from here on.
pub(crate) fn redeem(ticket: &str) -> io::Result<Channel> {
    let stray = || io::Error::new(io::ErrorKind::InvalidData, format!("`{ticket}` names no boot handle"));
    let mut numbers = ticket.split('.').map(|number| number.parse::<u64>().map_err(|_| stray()));
    let mut number = || numbers.next().ok_or_else(stray)?;
    let (value, parent, root, started) = (number()?, number()?, number()?, number()?);
    let value = ptr::without_provenance_mut(usize::try_from(value).map_err(|_| stray())?);
    let mut server = 0;
    // SAFETY: a number that is no handle of a pipe is refused.
    let is_pipe = unsafe { GetNamedPipeServerProcessId(value, &raw mut server) } != 0;
    if !is_pipe || u64::from(server) != parent {
        return Err(stray());
    }
    // SAFETY: it is checked to be a pipe that our parent made; the guard redeems it once, first thing in `main`, so that nothing else
    // in this process owns it.
    let pipe = unsafe { OwnedHandle::from_raw_handle(value) };
    super::exec::inheritable(&pipe, false)?;
    let root = u32::try_from(root).map_err(|_| stray())?;
    escrow::offer_root(escrow::Root { pid: root, started });
    super::process::remember_parent(server);
    Channel::from_object(pipe)
}
