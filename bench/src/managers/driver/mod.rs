//! A driver: the long-lived process that has one contestant's server, and calls it.

mod bare;
mod offspring_manager;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::contestant::{Contestant, Crowd, Kind};
use super::protocol::{Answer, Request, VALUE, Window};
use crate::placement::Placement;
use crate::summary::Rate;
use crate::{cpu, link};

/// What a contestant can do. Its server is there.
pub(crate) trait Contender {
    /// Calls the object: its value.
    fn call(&mut self) -> Result<u64>;

    /// Has so many call at once: how often they did.
    fn crowd(&self, crowd: Crowd, window: Window) -> Result<u64>;

    /// Has each number below this squared by a worker: the time until all results were there, and what they add up to.
    fn tasks(&mut self, _count: u64) -> Result<(Duration, u64)> {
        bail!("it has no tasks done")
    }
}

/// The whole life of a driver. Children of offspring come here too, and turn off at its guard.
pub(crate) fn main(contestant: &str, placement: &str) -> Result<()> {
    let contestant = Contestant::find(contestant).context("no such contestant")?;
    let placement = Placement::find(placement).context("no such placement")?;
    if contestant.is_ours() {
        offspring::init();
    }
    let (_, last) = cpu::first_and_last()?;
    if placement == Placement::Pinned {
        cpu::pin(last)?;
    }
    match contestant.kind {
        Kind::Bare => serve(bare::Bare::start(contestant.socket)?, placement),
        Kind::Offspring => serve(offspring_manager::Offspring::start(contestant.socket)?, placement),
        Kind::Python => bail!("Python has a driver of its own"),
    }
}

fn serve(mut contender: impl Contender, placement: Placement) -> Result<()> {
    for _ in 0..1000 {
        contender.call()?;
    }
    if placement == Placement::Apart {
        let (first, last) = cpu::first_and_last()?;
        cpu::part(std::process::id(), first, last)?;
    }
    link::serve(|request| match request {
        Request::Calls { millis, least } => calls(&mut contender, Duration::from_millis(millis), least),
        Request::Crowd { crowd, millis } => {
            let window = Window::ahead(millis)?;
            Ok(Answer::Flow(window.rate(contender.crowd(crowd, window)?)))
        }
        Request::Tasks { count } => {
            let (time, sum) = contender.tasks(count)?;
            let expected = (0..count).map(|number| number * number).sum::<u64>();
            ensure!(sum == expected, "the results add up to {sum} in place of {expected}");
            Ok(Answer::Flow(Rate { count, ns: u64::try_from(time.as_nanos())? }))
        }
    })
}

fn calls(contender: &mut impl Contender, over: Duration, least: usize) -> Result<Answer> {
    let mut ns = Vec::new();
    let deadline = Instant::now() + over;
    loop {
        let begin = Instant::now();
        if ns.len() >= least && begin >= deadline {
            return Ok(Answer::Calls { ns });
        }
        let value = contender.call()?;
        ns.push(u64::try_from(begin.elapsed().as_nanos())?);
        ensure!(value == VALUE, "the value was {value}");
    }
}
