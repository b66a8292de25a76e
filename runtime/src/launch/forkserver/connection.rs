//! The connection to a server: how it is made, how a child is asked for, how the answer is awaited.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::launch::error::{BootError, boot_timeout};
use crate::launch::order::{Failure, Order, Report, Role};
use crate::launch::plan::{Newborn, end};
use crate::launch::spawn::Boot;
use crate::launch::{StartError, guard};
use crate::sys::ambient::{self, Ambient, Snapshot};
use crate::sys::channel::{Channel, Message, Received};
use crate::sys::exec::{Exec, Group};
use crate::sys::process::Handle;
use crate::sys::spin::Spin;
use crate::sys::zygote::{self, Slots};
use crate::sys::{borrow, image, poller};
use crate::wire::codec::{Codec, Wire};
use crate::wire::envelope::{self, Opened};
use crate::wire::parcel::Parcel;

/// How long a clone takes, if the server comes to it at once.
static BIRTH: Spin = Spin::new(Duration::from_micros(150));

/// A server that serves this process.
#[derive(Debug)]
pub(super) struct Server {
    control: Channel,
    handle: Handle,
    slots: Slots,
    free: Arc<Mutex<Vec<u16>>>,
    spares: Mutex<VecDeque<Request>>,
    /// The rights that it has, and so its children: those of the thread that made it.
    pub(super) credentials: String,
    /// What it is like otherwise, as it says itself; its children are so too unless they are told to be different.
    pub(super) ambient: Ambient,
    /// The environment that it has.
    pub(super) environment: Vec<(OsString, OsString)>,
}

/// A child that the server was asked for, or will be.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) channel: Channel,
    slot: Slot,
}

/// A place in the page of births, free again when this is dropped.
#[derive(Debug)]
struct Slot {
    index: u16,
    free: Arc<Mutex<Vec<u16>>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.free).push(self.index);
    }
}

/// What a child is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Its order follows at once.
    Now,
    /// Its order comes later.
    Spare,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Birth {
    /// The child, and what it has said by now.
    Born(Newborn, Vec<Message>),
    Refused(io::Error),
    ServerEnded,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Executes this program as a server; returns it with a second handle, or `None` when it says that it cannot be one.
    pub(super) fn make(snapshot: &Snapshot) -> Result<Option<(Self, Handle)>, StartError> {
        let refused = || StartError::system("make the forkserver");
        let reentry = guard::reentry()?;
        let environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        let boot = Boot::new(environment.clone())?;
        let null = ambient::null_device().map_err(refused())?;
        let (slots, births) = Slots::create().map_err(refused())?;
        let handle = boot.execute(|environment, object| Exec {
            arguments: &reentry.arguments,
            environment,
            // What a constructor before `main` has to complain of is seen; the server closes this stream later.
            standard: [Some(borrow(&null)), Some(borrow(&null)), None],
            boot: object,
            directory: None,
            group: Group::Own,
        })?;
        let newborn = Newborn::new(handle.duplicate().map_err(|error| {
            end(&handle);
            refused()(error)
        })?);
        let Boot { channel: control, theirs, .. } = boot;
        drop(theirs); // from here on only the server holds it
        let order = Order { build: image::build_id().to_vec(), role: Role::ForkServer };
        match envelope::send(&control, &order, &Parcel::default(), &[borrow(&births)]) {
            Err(error) if !envelope::is_gone(&error) => return Err(refused()(error)),
            _ => {} // one that has died already is heard of next
        }
        let ambient = match first_words(&control, &handle).map_err(StartError::Boot)? {
            Opened { header: Report::Done, payload, .. } => Wire::decode::<Ambient>(&payload),
            Opened { header: Report::Failed(Failure::Setup(_)), .. } => return Ok(None),
            Opened { header, .. } => {
                return Err(StartError::Boot(BootError::Setup(format!("the forkserver said {header:?}"))));
            }
        };
        let ambient = ambient.map_err(|error| StartError::Boot(BootError::Setup(error.to_string())))?;
        let count = u16::try_from(Slots::COUNT).expect("slots are numbered by u16");
        let server = Self {
            control,
            handle,
            slots,
            free: Arc::new(Mutex::new((0..count).rev().collect())),
            spares: Mutex::new(VecDeque::new()),
            credentials: snapshot.credentials.clone(),
            ambient,
            environment,
        };
        Ok(Some((server, newborn.keep())))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.handle.has_ended()
    }

    /// Asks for a child; `None` when the server is gone.
    pub(super) fn request(&self, purpose: Purpose) -> Result<Option<Request>, StartError> {
        let (channel, theirs) = Channel::pair().map_err(StartError::system("make a channel"))?;
        let index = lock(&self.free).pop();
        let index =
            index.ok_or_else(|| StartError::Invalid("a thousand starts are under way at once".into()))?;
        let request = Request { channel, slot: Slot { index, free: Arc::clone(&self.free) } };
        self.slots.clear(index);
        let [low, high] = index.to_le_bytes();
        match self.control.send(&[&[low, high, purpose as u8]], &[borrow(&theirs)]) {
            Ok(()) => Ok(Some(request)),
            Err(error) if envelope::is_gone(&error) => Ok(None),
            Err(source) => Err(StartError::System { what: "ask the forkserver", source }),
        }
    }

    /// Waits for what becomes of a request. A child that there is no descriptor to hold by is ended.
    pub(super) fn wait_for(&self, request: &Request) -> io::Result<Birth> {
        let born = self.await_birth(request);
        if born.is_err() {
            self.slots.end_born(request.slot.index);
        }
        born
    }

    fn await_birth(&self, request: &Request) -> io::Result<Birth> {
        let index = request.slot.index;
        let mut early = Vec::new();
        let mut server_ended = false;
        // The kernel has written the number down before the server gets to say it.
        if let Some(pid) = BIRTH.until(|| self.slots.born(index)) {
            match Handle::open(pid) {
                Ok(handle) => {
                    self.slots.see(index, pid);
                    return Ok(Birth::Born(Newborn::new(handle), early));
                }
                // It is gone already, where an ignored SIGCHLD reaps it: the server's message holds it by a handle.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        loop {
            match request.channel.try_receive()? {
                Received::Message(message) => match birth(message)? {
                    Said::Born(handle) => return Ok(Birth::Born(Newborn::new(handle), early)),
                    Said::NotBorn(error) => return Ok(Birth::Refused(error)),
                    // The child was faster than the server.
                    Said::Other(message) => early.push(message),
                },
                // Nobody will say more: the server is gone, and perhaps the child is too.
                Received::Closed => return self.by_slot(index, early),
                Received::Empty if server_ended => return self.by_slot(index, early),
                Received::Empty => {
                    let sentinels = [request.channel.sentinel(), self.handle.sentinel()];
                    server_ended = poller::wait(&sentinels, None)?[1];
                }
            }
        }
    }

    /// Finds a child by what the kernel wrote when it was made.
    fn by_slot(&self, index: u16, early: Vec<Message>) -> io::Result<Birth> {
        match self.slots.born(index) {
            Some(pid) => Ok(Birth::Born(Newborn::new(Handle::open(pid)?), early)),
            None => Ok(Birth::ServerEnded),
        }
    }

    /// Takes a spare; the last one is made up for at once.
    pub(super) fn next_spare(&self, wanted: usize) -> Option<Request> {
        let (spare, empty) = {
            let mut spares = lock(&self.spares);
            (spares.pop_front()?, spares.is_empty())
        };
        if empty {
            self.refill(wanted);
        }
        Some(spare)
    }

    /// Asks for spares until there are as many as wanted; they are made while the caller goes on.
    pub(super) fn refill(&self, wanted: usize) {
        let mut spares = lock(&self.spares);
        while spares.len() < wanted {
            let Ok(Some(request)) = self.request(Purpose::Spare) else { return };
            spares.push_back(request);
        }
    }

    /// Takes the server and its spares out of use: they end by themselves when their channels close, and the spares are
    /// to be reaped. (The server itself is watched from its beginning.)
    pub(super) fn dismiss(&self, strays: &mut Vec<Handle>) {
        let spares: Vec<Request> = lock(&self.spares).drain(..).collect();
        for spare in spares {
            if let Ok(Birth::Born(newborn, _)) = self.wait_for(&spare) {
                strays.push(newborn.keep());
            }
        }
    }
}

/// A message on the channel of a child that is being made.
enum Said {
    Born(Handle),
    NotBorn(io::Error),
    Other(Message),
}

fn birth(message: Message) -> io::Result<Said> {
    match envelope::peek::<Report>(&message) {
        Some(Report::Born(pid)) => {
            let handle = message.objects.into_iter().next().ok_or(io::ErrorKind::InvalidData)?;
            Ok(Said::Born(zygote::from_object(pid, handle)?))
        }
        Some(Report::NotBorn(errno)) => Ok(Said::NotBorn(io::Error::from_raw_os_error(errno))),
        _ => Ok(Said::Other(message)),
    }
}

/// Waits for what a new server says after it came by the guard.
fn first_words(control: &Channel, handle: &Handle) -> Result<Opened<Report>, BootError> {
    let setup = |error: io::Error| BootError::Setup(error.to_string());
    let deadline = Instant::now().checked_add(boot_timeout());
    let mut ended = false;
    loop {
        match control.try_receive().map_err(setup)? {
            Received::Message(message) => {
                let opened = envelope::open::<Report>(message).map_err(setup)?;
                if !matches!(opened.header, Report::Ready) {
                    return Ok(opened);
                }
            }
            // Its end of the channel closes before it has quite ended, and may live on in what it started.
            Received::Closed | Received::Empty if ended => {
                let status = handle.try_reap().map_err(setup)?;
                return Err(status.map_or_else(|| BootError::Setup("it is traced".into()), BootError::Ended));
            }
            Received::Closed => {
                ended = poller::wait(&[handle.sentinel()], deadline).map_err(setup)?[0];
                if !ended {
                    return Err(BootError::TimedOut(boot_timeout()));
                }
            }
            Received::Empty => {
                let ready =
                    poller::wait(&[control.sentinel(), handle.sentinel()], deadline).map_err(setup)?;
                if !ready.contains(&true) {
                    return Err(BootError::TimedOut(boot_timeout()));
                }
                ended = ready[1];
            }
        }
    }
}
