//! The conductor: for each placement and size it lets the contestants take turns, so that what disturbs the machine for a
//! while disturbs all of them alike.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::contestant::{ALL, Contestant, HUGE, Kind, SIZES, sizes};
use super::protocol::{Answer, Batch, Request};
use super::results::{Cell, Crowd, Idle, Results};
use crate::cpu;
use crate::facts::Facts;
use crate::failures::{Failures, note};
use crate::link::Link;
use crate::options::Options;
use crate::placement::Placement;
use crate::summary::Summary;

/// How much is measured.
#[derive(Debug)]
struct Plan {
    rounds: usize,
    /// A batch of messages.
    millis: u64,
    crowd_rounds: usize,
    crowd_millis: u64,
    idle_millis: u64,
}

impl Plan {
    fn of(options: &Options) -> Self {
        let rounds = options.rounds;
        if options.quick {
            Self { rounds, millis: 15, crowd_rounds: rounds.min(3), crowd_millis: 50, idle_millis: 300 }
        } else {
            Self { rounds, millis: 100, crowd_rounds: rounds.min(5), crowd_millis: 300, idle_millis: 2000 }
        }
    }
}

/// How many messages a batch has at least,
const fn least(size: usize) -> usize {
    if size >= HUGE { 2 } else { 8 }
}

/// and how many of them warm a link up: enough for every buffer that it may have.
const fn warm_up(size: usize) -> usize {
    if size >= HUGE { 4 } else { 32 }
}

/// Measures everything.
pub(crate) fn run(options: &Options) -> Result<Results> {
    let plan = Plan::of(options);
    let mut stage = Stage { seats: Vec::new(), failures: Failures::default() };
    let (mut cells, mut crowds, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    let (first, last) = cpu::first_and_last()?;
    for placement in Placement::ALL {
        if placement == Placement::Apart && first == last {
            continue; // there are no two CPUs
        }
        note(&format!("opening the drivers, {}", placement.label()));
        stage.open(options, placement)?;
        for &size in sizes(placement) {
            note(&format!("messages of {size} bytes"));
            cells.extend(stage.messages(&plan, placement, size));
        }
        if Placement::MAIN.contains(&placement) {
            note("two to two");
            crowds.extend(stage.crowds(&plan, placement));
        }
        if placement == Placement::Free {
            note("waiting");
            idle = stage.idle(&plan);
        }
        stage.seats.clear();
    }
    Ok(Results {
        facts: Facts::gather(&options.python),
        rounds: plan.rounds,
        cells,
        crowds,
        idle,
        failures: stage.failures.0,
    })
}

/// A driver, if it could be opened.
#[derive(Debug)]
struct Seat {
    who: &'static Contestant,
    link: Option<Link>,
}

/// All drivers of a placement, and what went wrong with them.
#[derive(Debug)]
struct Stage {
    seats: Vec<Seat>,
    failures: Failures,
}

impl Stage {
    fn open(&mut self, options: &Options, placement: Placement) -> Result<()> {
        if let Some(unknown) = options.only.iter().find(|id| Contestant::find(id).is_none()) {
            let known: Vec<&str> = ALL.iter().map(|who| who.id).collect();
            bail!("there is no contestant `{unknown}`: there are {}", known.join(", "));
        }
        for who in &ALL {
            if options.only.is_empty() || options.only.iter().any(|id| id == who.id) {
                let opened = open(who, placement, &options.python);
                let link = self.failures.noted(&format!("{}, {}", who.label, placement.id()), opened);
                self.seats.push(Seat { who, link });
            }
        }
        Ok(())
    }

    /// Asks a driver. One that did not answer is not asked again.
    fn ask(&mut self, seat: usize, request: &Request) -> Option<Answer> {
        let Seat { who, link } = &mut self.seats[seat];
        let link = link.as_mut().filter(|link| !link.is_lost())?;
        self.failures.noted(&format!("{}, {request:?}", who.label), link.ask(request))
    }

    /// Messages of one size.
    fn messages(&mut self, plan: &Plan, placement: Placement, size: usize) -> Vec<Cell> {
        let request = Request::Open { size, least: warm_up(size) };
        let batch = Batch { millis: plan.millis, least: least(size) };
        let mut taking_part = Vec::new();
        for seat in 0..self.seats.len() {
            let who = self.seats[seat].who;
            if who.least > size {
                continue;
            }
            if who.polls || self.ask(seat, &request).is_some() {
                let cell = Cell { who, placement, size, round_trip_ns: Vec::new(), one_way: Vec::new() };
                taking_part.push((seat, cell));
            }
        }
        for _ in 0..plan.rounds {
            for (seat, cell) in &mut taking_part {
                if cell.who.polls && self.ask(*seat, &request).is_none() {
                    continue;
                }
                if let Some(Answer::RoundTrips { ns }) = self.ask(*seat, &Request::RoundTrip(batch)) {
                    cell.round_trip_ns.extend(Summary::of(ns));
                }
                if let Some(Answer::Flow(rate)) = self.ask(*seat, &Request::OneWay(batch)) {
                    cell.one_way.push(rate);
                }
                if cell.who.polls {
                    self.ask(*seat, &Request::Close {});
                }
            }
        }
        for (seat, cell) in &taking_part {
            if !cell.who.polls {
                self.ask(*seat, &Request::Close {});
            }
        }
        taking_part.into_iter().map(|(_, cell)| cell).collect()
    }

    fn crowds(&mut self, plan: &Plan, placement: Placement) -> Vec<Crowd> {
        let seats = self.seats.iter().enumerate().filter(|(_, seat)| seat.who.many);
        let begin =
            |(number, seat): (usize, &Seat)| (number, Crowd { who: seat.who, placement, items: Vec::new() });
        let mut crowds: Vec<(usize, Crowd)> = seats.map(begin).collect();
        let request = Request::Crowd { millis: plan.crowd_millis };
        for _ in 0..plan.crowd_rounds {
            for (seat, crowd) in &mut crowds {
                if let Some(Answer::Flow(rate)) = self.ask(*seat, &request) {
                    crowd.items.push(rate);
                }
            }
        }
        crowds.into_iter().map(|(_, crowd)| crowd).collect()
    }

    /// One after the other, as those who poll would disturb the others.
    fn idle(&mut self, plan: &Plan) -> Vec<Idle> {
        let mut idle = Vec::new();
        for seat in 0..self.seats.len() {
            let who = self.seats[seat].who;
            if who.kind == Kind::Memcpy {
                continue; // nobody waits
            }
            let size = who.least.max(SIZES[0]);
            if self.ask(seat, &Request::Open { size, least: warm_up(size) }).is_none() {
                continue;
            }
            let millis = plan.idle_millis;
            if let Some(Answer::Idle { cpu_ns }) = self.ask(seat, &Request::Idle { millis }) {
                idle.push(Idle { who, millis, cpu_ns });
            }
            self.ask(seat, &Request::Close {});
        }
        idle
    }
}

/// Opens a driver.
fn open(who: &Contestant, placement: Placement, python: &str) -> Result<Link> {
    let mut command = if let Kind::Python(transport) = who.kind {
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/channels.py")).arg(transport);
        command
    } else {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["driver", "channels", who.id]);
        command
    };
    Link::open(command.arg(placement.id())).context("open the driver")
}
