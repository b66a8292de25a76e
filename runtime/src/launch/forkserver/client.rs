//! The starter's side: makes the server, asks it for children, and does without it when it dies.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::launch::error::{BootError, boot_timeout};
use crate::launch::order::{Adopt, Failure, Order, Report, Role};
use crate::launch::plan::{Handover, Launched, Plan};
use crate::launch::spawn::Boot;
use crate::launch::{StartError, guard};
use crate::sys::ambient::{self, Ambient, Snapshot};
use crate::sys::channel::{Channel, Message, Received};
use crate::sys::exec::{Exec, Group};
use crate::sys::process::{Handle, Signal};
use crate::sys::spin::Spin;
use crate::sys::zygote::{self, Slots};
use crate::sys::{Object, borrow, image, poller};
use crate::wire::codec::{Codec, CodecError, Wire};
use crate::wire::envelope::{self, Opened};

/// How long a clone takes, if the server comes to it at once.
static BIRTH: Spin = Spin::new(Duration::from_micros(150));

/// How often a start asks again when servers die under it.
const ATTEMPTS: u32 = 5;

/// A server that serves this process.
#[derive(Debug)]
struct Server {
    control: Channel,
    handle: Handle,
    slots: Slots,
    free: Mutex<Vec<u16>>,
    spares: Mutex<VecDeque<Request>>,
    /// The rights that it has, and so its children: those of the thread that made it.
    credentials: String,
    /// What it is like otherwise, as it says itself; its children are so too unless they are told to be different.
    ambient: Ambient,
    /// The environment that it has.
    environment: Vec<(OsString, OsString)>,
}

/// A child that the server was asked for, or will be.
#[derive(Debug)]
struct Request {
    channel: Channel,
    slot: u16,
}

/// What a child is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Its order has been sent.
    Now,
    /// Its order comes later.
    Spare,
}

/// What became of a request.
#[derive(Debug)]
enum Birth {
    /// The child, and what it has said by now.
    Born(Handle, Vec<Message>),
    Refused(io::Error),
    ServerEnded,
}

#[derive(Debug)]
struct State {
    server: Option<Arc<Server>>,
    /// No server can be had on this system, or in this program.
    unavailable: bool,
    strays: Vec<Handle>,
}

static STATE: Mutex<State> = Mutex::new(State { server: None, unavailable: false, strays: Vec::new() });

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In a copy of the starter: its server serves the original.
pub(crate) fn forget() {
    *lock(&STATE) = State { server: None, unavailable: false, strays: Vec::new() };
}

/// Processes that nobody will join: servers, and spares that were dismissed. The caller sees to it that they are
/// reaped.
pub(crate) fn strays() -> Vec<Handle> {
    std::mem::take(&mut lock(&STATE).strays)
}

/// Makes up for the spares that were used, in a process that is about to wait anyway.
pub(crate) fn refill() {
    if spares_wanted() > 0 {
        let server = lock(&STATE).server.clone();
        if let Some(server) = server {
            server.refill();
        }
    }
}

/// Starts a child; `None` when no server can be had.
pub(crate) fn start(plan: &Plan<'_>) -> Result<Option<Launched>, StartError> {
    let snapshot = ambient::capture();
    let environment = plan.environment.resolve();
    let directory = match plan.open_directory()? {
        Some(directory) => directory,
        None => ambient::directory(".".as_ref()).map_err(StartError::system("open the current directory"))?,
    };
    for _ in 0..ATTEMPTS {
        let Some(server) = Server::of_this_process(&snapshot)? else { return Ok(None) };
        let hand_over = |channel: &Channel| {
            let environment = (environment != server.environment).then(|| environment.clone());
            let ambient = (snapshot.ambient != server.ambient).then(|| snapshot.ambient.clone());
            let adopt = Adopt { ambient, environment };
            let standard = Some(plan.all_standard());
            plan.give_order(
                channel,
                Handover { standard, directory: Some(borrow(&directory)), adopt: Some(adopt) },
            )
        };
        let (birth, channel) = match server.take_spare() {
            Some((spare, handle)) => {
                if lock(&server.spares).is_empty() {
                    server.refill();
                }
                hand_over(&spare.channel)?;
                (Birth::Born(handle, Vec::new()), spare.channel)
            }
            None => {
                let Some((request, theirs)) = server.prepare()? else { return Ok(None) };
                hand_over(&request.channel)?;
                let asked = server.ask(&request, theirs, Purpose::Now);
                let birth = if asked { server.wait_for(&request) } else { Ok(Birth::ServerEnded) };
                server.release(&request);
                (birth.map_err(StartError::system("hear from the forkserver"))?, request.channel)
            }
        };
        match birth {
            Birth::Born(handle, early) => {
                return Ok(Some(Launched { handle, channel, early, ready: true }));
            }
            Birth::Refused(source) => {
                return Err(StartError::System { what: "make another process", source });
            }
            Birth::ServerEnded => server.retire(),
        }
    }
    Err(StartError::ForkServer { attempts: ATTEMPTS })
}

impl Server {
    /// The server of this process; a new one if there is none, it has ended, or its rights are not the caller's.
    fn of_this_process(snapshot: &Snapshot) -> Result<Option<Arc<Self>>, StartError> {
        let mut state = lock(&STATE);
        if state.unavailable || !zygote::SUPPORTED {
            return Ok(None);
        }
        if let Some(server) = &state.server {
            if server.credentials == snapshot.credentials && !server.handle.has_ended() {
                return Ok(Some(Arc::clone(server)));
            }
            let server = Arc::clone(server);
            server.dismiss(&mut state);
        }
        match Self::make(snapshot)? {
            Some(server) => {
                let server = Arc::new(server);
                state.server = Some(Arc::clone(&server));
                Ok(Some(server))
            }
            None => {
                state.unavailable = true;
                Ok(None)
            }
        }
    }

    /// Executes this program as a server; `None` when it says that it cannot be one.
    fn make(snapshot: &Snapshot) -> Result<Option<Self>, StartError> {
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
        let Boot { channel: control, theirs, .. } = boot;
        drop(theirs); // from here on only the server holds it
        let order = Order { build: image::build_id().to_vec(), role: Role::ForkServer };
        let _dead_already_is_seen_below = envelope::send(&control, &order, &[], &[borrow(&births)]);
        let ambient = match first_words(&control, &handle) {
            Ok(Opened { header: Report::Done, payload, .. }) => Wire::decode::<Ambient>(&payload),
            Ok(Opened { header: Report::Failed(Failure::Setup(_)), .. }) => {
                end(&handle);
                return Ok(None);
            }
            Ok(Opened { header, .. }) => Err(CodecError::new(format!("the forkserver said {header:?}"))),
            Err(error) => {
                end(&handle);
                return Err(StartError::Boot(error));
            }
        };
        let ambient = ambient.map_err(|error| {
            end(&handle);
            StartError::Boot(BootError::Setup(error.to_string()))
        })?;
        let count = u16::try_from(Slots::COUNT).expect("slots are numbered by u16");
        Ok(Some(Self {
            control,
            handle,
            slots,
            free: Mutex::new((0..count).rev().collect()),
            spares: Mutex::new(VecDeque::new()),
            credentials: snapshot.credentials.clone(),
            ambient,
            environment,
        }))
    }

    /// Readies a request: a channel, and a slot if one of the thousand is free.
    fn prepare(&self) -> Result<Option<(Request, Object)>, StartError> {
        let (channel, theirs) = Channel::pair().map_err(StartError::system("make a channel"))?;
        let Some(slot) = lock(&self.free).pop() else { return Ok(None) };
        self.slots.clear(slot);
        Ok(Some((Request { channel, slot }, theirs)))
    }

    fn release(&self, request: &Request) {
        lock(&self.free).push(request.slot);
    }

    /// Asks for a child that holds `theirs`: whether the server could be asked.
    fn ask(&self, request: &Request, theirs: Object, purpose: Purpose) -> bool {
        let asked = self.control.send(&[&request.slot.to_le_bytes(), &[purpose as u8]], &[borrow(&theirs)]);
        drop(theirs); // from here on only the child holds it, and the request until it is made
        asked.is_ok()
    }

    /// Waits for what becomes of a request.
    fn wait_for(&self, request: &Request) -> io::Result<Birth> {
        let mut early = Vec::new();
        let mut server_ended = false;
        // The kernel has written the number down before the server gets to say it.
        if let Some(Ok(handle)) = BIRTH.until(|| self.slots.born(request.slot)).map(Handle::open) {
            return Ok(Birth::Born(handle, early));
        }
        // Else the child may be gone already, where an ignored SIGCHLD reaps it: the server's message holds it by a handle.
        loop {
            match request.channel.try_receive()? {
                Received::Message(message) => match birth(message)? {
                    Said::Born(handle) => return Ok(Birth::Born(handle, early)),
                    Said::NotBorn(error) => return Ok(Birth::Refused(error)),
                    // The child was faster than the server.
                    Said::Other(message) => early.push(message),
                },
                // Nobody will say more: the server is gone, and perhaps the child is too.
                Received::Closed => return self.by_slot(request, early),
                Received::Empty if server_ended => return self.by_slot(request, early),
                Received::Empty => {
                    let sentinels = [request.channel.sentinel(), self.handle.sentinel()];
                    server_ended = poller::wait(&sentinels, None)?[1];
                }
            }
        }
    }

    /// Finds a child by what the kernel wrote when it was made.
    fn by_slot(&self, request: &Request, early: Vec<Message>) -> io::Result<Birth> {
        match self.slots.born(request.slot) {
            Some(pid) => Ok(Birth::Born(Handle::open(pid)?, early)),
            None => Ok(Birth::ServerEnded),
        }
    }

    /// A spare that lives.
    fn take_spare(&self) -> Option<(Request, Handle)> {
        loop {
            let spare = lock(&self.spares).pop_front()?;
            let birth = self.wait_for(&spare);
            self.release(&spare);
            match birth {
                Ok(Birth::Born(handle, _)) if !handle.has_ended() => return Some((spare, handle)),
                Ok(Birth::Born(handle, _)) => lock(&STATE).strays.push(handle),
                Ok(Birth::Refused(_) | Birth::ServerEnded) | Err(_) => {}
            }
        }
    }

    /// Asks for spares until there are as many as wanted; they are made while the caller goes on.
    fn refill(&self) {
        let wanted = spares_wanted();
        let mut spares = lock(&self.spares);
        while spares.len() < wanted {
            let Ok(Some((request, theirs))) = self.prepare() else { return };
            if !self.ask(&request, theirs, Purpose::Spare) {
                self.release(&request);
                return;
            }
            spares.push_back(request);
        }
    }

    /// Gives this server up, if it is still the one in use.
    fn retire(&self) {
        let mut state = lock(&STATE);
        if let Some(server) = state.server.clone().filter(|server| std::ptr::eq(&raw const **server, self)) {
            server.dismiss(&mut state);
        }
    }

    /// Takes the server and its spares out of use: they end by themselves when their channels close.
    fn dismiss(&self, state: &mut State) {
        let spares: Vec<Request> = lock(&self.spares).drain(..).collect();
        for spare in spares {
            if let Ok(Birth::Born(handle, _)) = self.wait_for(&spare) {
                state.strays.push(handle);
            }
        }
        if let Ok(handle) = self.handle.duplicate() {
            state.strays.push(handle);
        }
        state.server = None;
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
    let deadline = poller::deadline(Some(boot_timeout()));
    loop {
        match control.try_receive().map_err(setup)? {
            Received::Message(message) => {
                let opened = envelope::open::<Report>(message).map_err(setup)?;
                if !matches!(opened.header, Report::Ready) {
                    return Ok(opened);
                }
            }
            Received::Closed => {
                poller::wait(&[handle.sentinel()], deadline).map_err(setup)?;
                let status = handle.try_reap().map_err(setup)?;
                return Err(status.map_or(BootError::TimedOut(boot_timeout()), BootError::Ended));
            }
            Received::Empty => {
                let sentinels = [control.sentinel(), handle.sentinel()];
                if !poller::wait(&sentinels, deadline).map_err(setup)?.contains(&true) {
                    return Err(BootError::TimedOut(boot_timeout()));
                }
            }
        }
    }
}

/// Ends a server that is of no use.
fn end(handle: &Handle) {
    let ended = handle.signal(Signal::Kill).and_then(|()| poller::wait(&[handle.sentinel()], None));
    let reaped = ended.and_then(|_| handle.try_reap());
    debug_assert!(reaped.is_ok(), "a child of ours can be killed and reaped: {reaped:?}");
}

/// How many spares are kept ready; `usize::MAX` until it is known.
static SPARES: AtomicUsize = AtomicUsize::new(usize::MAX);

/// How many spares are kept ready unless the program or `OFFSPRING_SPARES` says otherwise.
const DEFAULT_SPARES: usize = 0;
/// More than this many are never kept.
const MOST_SPARES: usize = 64;

/// Keeps `count` processes of the forkserver ready, at most 64, so that a start only has to hand over the order.
///
/// A spare costs two descriptors here and some 100 KiB of memory, mostly the kernel's; it uses no processor time. It is
/// made while this process waits for a child, or when a start has used the last, and ends with this process. The environment variable `OFFSPRING_SPARES` sets the
/// number from outside. Has no effect on other start methods.
pub fn set_spares(count: usize) {
    SPARES.store(count.min(MOST_SPARES), Ordering::Relaxed);
}

fn spares_wanted() -> usize {
    match SPARES.load(Ordering::Relaxed) {
        usize::MAX => {
            let wished = std::env::var("OFFSPRING_SPARES").ok().and_then(|count| count.parse().ok());
            set_spares(wished.unwrap_or(DEFAULT_SPARES));
            SPARES.load(Ordering::Relaxed)
        }
        known => known,
    }
}
