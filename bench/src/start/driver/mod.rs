//! A driver: the long-lived process in which one contestant starts its children.
//!
//! Each contestant has a process to itself, so that a heap of 1 GiB, threads and descriptors of one do not weigh on
//! another. It answers one request at a time and sleeps in between.

mod command;
mod fork;
mod offspring;
mod procspawn;

use std::io::Read;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::contestant::{Contestant, Kind};
use super::idle::READY;
use super::protocol::{Answer, Batch, Request};
use crate::{link, procfs};

/// What a contestant can do.
pub(crate) trait Contender {
    /// A child that does nothing, or adds one where it takes a payload.
    type Child;
    /// A child that sleeps.
    type Idle;

    /// Starts a child that does nothing.
    fn start(&self, payload: u64) -> Result<Self::Child>;

    /// Waits until it has ended, and checks what it returned where it returns something.
    fn join(&self, child: Self::Child, payload: u64) -> Result<()>;

    /// Starts a child that writes one byte to `ready` and sleeps.
    fn start_idle(&self, ready: &OwnedFd) -> Result<Self::Idle>;

    /// The process id of a sleeper.
    fn pid(idle: &Self::Idle) -> u32;

    /// Kills a sleeper.
    fn kill(idle: &mut Self::Idle) -> Result<()>;

    /// Waits until a sleeper has ended.
    fn reap(idle: Self::Idle) -> Result<()>;
}

/// The whole life of a driver. Children that execute the program again come here too, and turn off at the guard of
/// their library.
pub(crate) fn main(contestant: &str, mib: &str) -> Result<()> {
    let contestant = Contestant::find(contestant).context("no such contestant")?;
    match contestant.kind {
        Kind::Offspring { method, spares } => serve(&offspring::Offspring::init(method, spares), mib),
        Kind::Procspawn => serve(&procspawn::Procspawn::init(), mib),
        Kind::Fork => serve(&fork::Fork, mib),
        Kind::Command => serve(&command::Again::new()?, mib),
        Kind::Python(_) => bail!("Python has a driver of its own"),
    }
}

fn serve<C: Contender>(contender: &C, mib: &str) -> Result<()> {
    let heap = touched(mib.parse()?);
    allow_many_descriptors()?;
    link::serve(|request| match request {
        Request::Start(batch) => start_and_join(contender, batch),
        Request::Idle { count, looked_at } => idle(contender, count, looked_at),
        Request::Parked { millis } => parked(contender, Duration::from_millis(millis)),
    })?;
    std::hint::black_box(&heap);
    Ok(())
}

/// A heap of which every page has been written to.
fn touched(mib: usize) -> Vec<u8> {
    let mut heap = vec![0; mib << 20];
    for page in heap.chunks_mut(4096) {
        page[0] = 1;
    }
    std::hint::black_box(heap)
}

fn allow_many_descriptors() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

fn start_and_join<C: Contender>(contender: &C, batch: Batch) -> Result<Answer> {
    let (mut call_ns, mut whole_ns) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + Duration::from_millis(batch.millis);
    for payload in 0..batch.most as u64 {
        if call_ns.len() >= batch.least && Instant::now() >= deadline {
            break;
        }
        let begin = Instant::now();
        let child = contender.start(payload)?;
        let call = begin.elapsed();
        contender.join(child, payload)?;
        let whole = begin.elapsed();
        call_ns.push(nanoseconds(call)?);
        whole_ns.push(nanoseconds(whole)?);
        if batch.pause_us > 0 {
            thread::sleep(Duration::from_micros(batch.pause_us));
        }
    }
    Ok(Answer::Started { call_ns, whole_ns })
}

fn nanoseconds(duration: Duration) -> Result<u64> {
    Ok(u64::try_from(duration.as_nanos())?)
}

fn idle<C: Contender>(contender: &C, count: usize, looked_at: usize) -> Result<Answer> {
    let mut sleepers = Vec::with_capacity(count);
    let answer = wake_up(contender, count, looked_at, &mut sleepers);
    // Whatever happened: nobody stays behind.
    let killed = sleepers.iter_mut().try_for_each(C::kill);
    let reaped = sleepers.into_iter().try_for_each(C::reap);
    killed.context("kill a sleeper")?;
    reaped.context("reap a sleeper")?;
    answer
}

fn wake_up<C: Contender>(
    contender: &C,
    count: usize,
    looked_at: usize,
    sleepers: &mut Vec<C::Idle>,
) -> Result<Answer> {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    let begin = Instant::now();
    for _ in 0..count {
        sleepers.push(contender.start_idle(&writer)?);
    }
    drop(writer);
    let mut announced = vec![0; count * READY.len()];
    std::fs::File::from(reader).read_exact(&mut announced).context("some children died")?;
    let ready_ns = nanoseconds(begin.elapsed())?;
    let step = (count / looked_at.max(1)).max(1);
    let looked_at = sleepers.iter().step_by(step).map(|sleeper| procfs::private_kib(C::pid(sleeper)));
    Ok(Answer::Idle { ready_ns, private_kib: looked_at.collect::<Result<_>>().context("look at a sleeper")? })
}

/// After a start, all that is left is the server, which is the eldest child, and its spares.
fn parked<C: Contender>(contender: &C, over: Duration) -> Result<Answer> {
    contender.join(contender.start(0)?, 0)?;
    thread::sleep(Duration::from_millis(200)); // the spares are made behind the start
    let me = std::process::id();
    let before = procfs::children(me)?;
    thread::sleep(over);
    let after = procfs::children(me)?;
    let same = before.iter().map(|stat| stat.pid).eq(after.iter().map(|stat| stat.pid));
    ensure!(same, "the spares changed while nothing was started: {before:?}, then {after:?}");
    let ticks = |stats: &[procfs::Stat]| stats.iter().map(|stat| stat.ticks).sum::<u64>();
    let private_kib = after.iter().skip(1).map(|stat| procfs::private_kib(stat.pid));
    Ok(Answer::Parked {
        private_kib: private_kib.collect::<Result<_>>()?,
        ticks: ticks(&after) - ticks(&before),
    })
}
