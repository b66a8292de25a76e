//! A driver: the process that has one contestant's lock, alone or together with another process.

mod offspring_mutex;
mod pthread;
mod std_mutex;
mod window;

use anyhow::{Context, Result, bail, ensure};

use super::contestant::{Contestant, Kind, Work};
use super::protocol::{Answer, Request};
use crate::{cpu, link};
use window::Window;

/// What guards a number.
pub(crate) trait Lock {
    /// Locks and unlocks.
    fn pair(&self) -> Result<()>;

    /// Adds one to the number.
    fn increment(&self) -> Result<()>;

    /// The number.
    fn number(&self) -> Result<u64>;
}

/// What a contestant can do.
pub(crate) trait Contender {
    type Lock: Lock;
    /// The other process, or thread.
    type Other;

    fn lock(&self) -> &Self::Lock;

    /// Starts another that does the same in this time.
    fn start_other(&self, work: Work, window: Window) -> Result<Self::Other>;

    /// Waits until it has ended: how often it did it.
    fn finish(other: Self::Other) -> Result<u64>;
}

/// The whole life of a driver. Children of offspring come here too, and turn off at its guard.
pub(crate) fn main(contestant: &str) -> Result<()> {
    match Contestant::find(contestant).context("no such contestant")?.kind {
        Kind::Pthread { robust } => serve(&pthread::Pthread::new(robust)?),
        Kind::Std => serve(&std_mutex::Std::default()),
        Kind::Offspring => serve(&offspring_mutex::Offspring::init()?),
        Kind::Python(_) => bail!("Python has a driver of its own"),
    }
}

fn serve<C: Contender>(contender: &C) -> Result<()> {
    let cpus = cpu::first_and_last()?;
    link::serve(|request| match request {
        Request::Alone { work, millis } => alone(contender, work, Window::now(millis, cpus.0)?),
        Request::Both { work, millis } => both(contender, work, Window::ahead(millis, cpus)?),
    })
}

fn alone<C: Contender>(contender: &C, work: Work, window: Window) -> Result<Answer> {
    Ok(window.rate(window.fill(contender.lock(), work)?))
}

fn both<C: Contender>(contender: &C, work: Work, [here, there]: [Window; 2]) -> Result<Answer> {
    let before = contender.lock().number()?;
    let other = contender.start_other(work, there)?;
    let mine = here.fill(contender.lock(), work);
    let theirs = C::finish(other)?;
    let count = mine? + theirs;
    let counted = contender.lock().number()? - before;
    ensure!(work == Work::Pair || counted == count, "of {count} increments {counted} were counted");
    Ok(here.rate(count))
}
