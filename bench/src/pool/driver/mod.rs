//! A driver: the long-lived process that has one contestant's pool.

mod crossbeam;
mod offspring;
mod procspawn;
mod rayon;
mod ring;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::contestant::{Contestant, Kind, Pass, Way};
use super::protocol::{Answer, Life, Request};
use super::tasks::{LARGE, sum_of_successors};
use crate::placement::Placement;
use crate::summary::Rate;
use crate::{cpu, link, procfs};

/// What a contestant can do.
pub(crate) trait Contender {
    type Pool: Pool;

    /// Starts a pool.
    fn start(&self) -> Result<Self::Pool>;
}

/// What a pool can do. The conductor asks it for what its contestant is said to do only.
pub(crate) trait Pool: Sized {
    /// Submits [`successor`](super::tasks::successor), and waits for the result.
    fn single(&mut self, number: u64) -> Result<u64>;

    /// Submits [`look`](super::tasks::look) with an argument of 1 MiB, and waits for the result.
    fn single_large(&mut self) -> Result<u64>;

    /// Has [`successor`](super::tasks::successor) called for each number below this.
    fn tiny(&mut self, _way: Way, _count: u64) -> Result<Outcome> {
        bail!("it takes one task after the other only")
    }

    /// Has [`look`](super::tasks::look) called so many times with an argument of 1 MiB.
    fn large(&mut self, _way: Way, _count: u64) -> Result<Outcome> {
        bail!("it has no arguments that are copied")
    }

    /// Has [`work`](super::tasks::work) called for each of these.
    fn work(&mut self, _way: Way, _ns: &[u64]) -> Result<Outcome> {
        bail!("it takes one task after the other only")
    }

    /// Goes over so many numbers that the workers share: how much more what comes of it adds up to than they did.
    fn slice(&mut self, _pass: Pass, _count: u64) -> Result<Outcome> {
        bail!("it shares no memory with its workers")
    }

    /// Has [`successor`](super::tasks::successor) called for each number below this, and takes the results in order.
    fn each(&mut self, _count: u64, _result: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        bail!("it is not lazy")
    }

    /// Ends the pool and its workers.
    fn stop(self) -> Result<()>;
}

/// What came of several tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// The time until all results were there.
    pub(crate) ns: u64,
    /// What the results add up to.
    pub(crate) sum: u64,
}

impl Outcome {
    /// Does something that takes time, and adds up what comes of it, which is not counted.
    pub(crate) fn of<R>(
        work: impl FnOnce() -> Result<R>,
        sum: impl FnOnce(R) -> Result<u64>,
    ) -> Result<Self> {
        let begin = Instant::now();
        let results = work()?;
        let ns = u64::try_from(begin.elapsed().as_nanos())?;
        Ok(Self { ns, sum: sum(results)? })
    }

    /// The same where results are just numbers.
    pub(crate) fn of_all(work: impl FnOnce() -> Result<Vec<u64>>) -> Result<Self> {
        Self::of(work, |results| Ok(results.iter().sum()))
    }
}

/// The whole life of a driver. Children that execute the program again come here too, and turn off at the guard of their
/// library.
pub(crate) fn main(contestant: &str, placement: &str) -> Result<()> {
    let contestant = Contestant::find(contestant).context("no such contestant")?;
    let placement = Placement::find(placement).context("no such placement")?;
    let (_, last) = cpu::first_and_last()?;
    if placement == Placement::Pinned {
        cpu::pin(last)?;
    }
    match contestant.kind {
        Kind::Offspring => serve(&offspring::Offspring::init(), placement),
        Kind::Procspawn => serve(&procspawn::Procspawn::init(), placement),
        Kind::Crossbeam => serve(&crossbeam::Crossbeam::new(), placement),
        Kind::Rayon => serve(&rayon::Rayon::new(), placement),
        Kind::Ring { spins } => serve(&ring::Ring { spins }, placement),
        Kind::Python(_) => bail!("Python has a driver of its own"),
    }
}

fn serve<C: Contender>(contender: &C, placement: Placement) -> Result<()> {
    let mut open: Option<C::Pool> = None;
    link::serve(|request| {
        let opened = |open| Option::context(open, "there is no pool");
        match request {
            Request::Open {} => {
                ensure!(open.is_none(), "there is a pool already");
                open = Some(start(contender, placement)?);
                Ok(Answer::Done {})
            }
            Request::Tiny { way, count, millis } => {
                let pool = opened(open.as_mut())?;
                again(count, millis, sum_of_successors(count), || pool.tiny(way, count))
            }
            Request::Large { way, count, millis } => {
                let pool = opened(open.as_mut())?;
                again(count, millis, count * LARGE as u64, || pool.large(way, count))
            }
            Request::Single { large, millis, least } => {
                singles(opened(open.as_mut())?, large, Duration::from_millis(millis), least)
            }
            Request::Work { way, ns } => {
                let outcome = opened(open.as_mut())?.work(way, &ns)?;
                ensure!(outcome.sum == ns.iter().sum::<u64>(), "the results add up to {}", outcome.sum);
                Ok(Answer::Worked { ns: outcome.ns })
            }
            Request::Slice { pass, count, millis } => {
                let pool = opened(open.as_mut())?;
                again(count, millis, count, || pool.slice(pass, count))
            }
            Request::Idle { millis } => idle(opened(open.as_mut())?, Duration::from_millis(millis)),
            Request::Watch { looks } => watch(opened(open.as_mut())?, &looks),
            Request::Close {} => {
                open.take().context("there is no pool")?.stop()?;
                Ok(Answer::Done {})
            }
            Request::Life {} => life(contender),
        }
    })
}

/// Starts a pool whose workers have all been seen at work, and puts everybody in their place.
fn start<C: Contender>(contender: &C, placement: Placement) -> Result<C::Pool> {
    let mut pool = contender.start()?;
    for number in 0..16 {
        pool.single(number)?;
        pool.single_large()?;
    }
    let (first, last) = cpu::first_and_last()?;
    if placement == Placement::Apart {
        cpu::part(std::process::id(), first, last)?;
    }
    Ok(pool)
}

/// Has so many tasks done until the time is over, once at least. What is not counted takes no part of the time.
fn again(
    count: u64,
    millis: u64,
    expected: u64,
    mut work: impl FnMut() -> Result<Outcome>,
) -> Result<Answer> {
    let mut all = Rate { count: 0, ns: 0 };
    while all.count == 0 || all.ns < millis * 1_000_000 {
        let outcome = work()?;
        ensure!(outcome.sum == expected, "the results add up to {} in place of {expected}", outcome.sum);
        all = Rate { count: all.count + count, ns: all.ns + outcome.ns };
    }
    Ok(Answer::Flow(all))
}

fn singles(pool: &mut impl Pool, large: bool, over: Duration, least: usize) -> Result<Answer> {
    let mut ns = Vec::new();
    let deadline = Instant::now() + over;
    loop {
        let number = ns.len() as u64;
        let begin = Instant::now();
        if ns.len() >= least && begin >= deadline {
            return Ok(Answer::Singles { ns });
        }
        let result = if large { pool.single_large()? } else { pool.single(number)? };
        ns.push(u64::try_from(begin.elapsed().as_nanos())?);
        let expected = if large { LARGE as u64 } else { number + 1 };
        ensure!(result == expected, "the result was {result} in place of {expected}");
    }
}

/// The workers wait for a task that does not come.
fn idle(pool: &mut impl Pool, over: Duration) -> Result<Answer> {
    let family = procfs::family(std::process::id())?;
    let taken = || family.iter().copied().map(cpu::time_of).sum::<Result<u64>>();
    singles(pool, false, Duration::from_millis(1), 1)?;
    thread::sleep(Duration::from_millis(1)); // whoever spins has stopped by then
    let before = taken()?;
    thread::sleep(over);
    Ok(Answer::Idle { cpu_ns: taken()? - before })
}

fn watch(pool: &mut impl Pool, looks: &[u64]) -> Result<Answer> {
    let count = looks.last().copied().unwrap_or_default();
    let (mut come, mut resident_kib) = (0, Vec::new());
    let begin = Instant::now();
    pool.each(count, &mut |result| {
        come += 1;
        ensure!(result == come, "the result was {result} in place of {come}");
        if looks.get(resident_kib.len()) == Some(&come) {
            resident_kib.push(procfs::resident_kib(std::process::id())?);
        }
        Ok(())
    })?;
    ensure!(come == count, "{come} results came of {count}");
    Ok(Answer::Watched { resident_kib, ns: u64::try_from(begin.elapsed().as_nanos())? })
}

fn life(contender: &impl Contender) -> Result<Answer> {
    let begin = Instant::now();
    let since = || u64::try_from(begin.elapsed().as_nanos());
    let mut pool = contender.start()?;
    let made = since()?;
    let result = pool.single(1)?;
    let first_result = since()?;
    pool.stop()?;
    ensure!(result == 2, "the result was {result} in place of 2");
    Ok(Answer::Lived(Life { made, first_result, ended: since()? }))
}
