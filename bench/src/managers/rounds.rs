//! The conductor: lets the contestants take turns.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::contestant::{ALL, Contestant, Crowd, Kind};
use super::protocol::{Answer, Request};
use super::results::{Calls, Flow, Results};
use crate::cpu;
use crate::facts::Facts;
use crate::failures::{Failures, note};
use crate::link::Link;
use crate::options::Options;
use crate::placement::Placement;
use crate::summary::Summary;

/// Measures everything.
pub(crate) fn run(options: &Options) -> Result<Results> {
    if let Some(unknown) = options.only.iter().find(|id| Contestant::find(id).is_none()) {
        let known: Vec<&str> = ALL.iter().map(|who| who.id).collect();
        bail!("there is no contestant `{unknown}`: there are {}", known.join(", "));
    }
    let (millis, crowd_millis) = if options.quick { (30, 60) } else { (100, 150) };
    let mut failures = Failures::default();
    let (mut calls, mut crowds, mut tasks) = (Vec::new(), Vec::new(), Vec::new());
    let (first, last) = cpu::first_and_last()?;
    for placement in Placement::ALL {
        if placement == Placement::Apart && first == last {
            continue; // there are no two CPUs
        }
        let mut stage = Stage::open(options, placement, &mut failures);
        note(&format!("one caller, {}", placement.label()));
        calls.extend(stage.calls(millis));
        if placement == Placement::Free {
            for crowd in Crowd::ALL {
                note(&format!("callers: {}", crowd.label()));
                let request = |who: &Contestant| {
                    who.takes(crowd).then_some(Request::Crowd { crowd, millis: crowd_millis })
                };
                crowds.extend(stage.flows(crowd, request));
            }
            note("tasks");
            tasks = stage.flows((), |who: &Contestant| {
                let count = if who.is_ours() { 20_000 } else { 1000 };
                who.has_tasks()
                    .then_some(Request::Tasks { count: if options.quick { count / 10 } else { count } })
            });
        }
    }
    let facts = Facts::gather(&options.python);
    Ok(Results { facts, rounds: options.rounds, calls, crowds, tasks, failures: failures.0 })
}

/// The drivers that take turns.
struct Stage<'a> {
    seats: Vec<(&'static Contestant, Link)>,
    placement: Placement,
    rounds: usize,
    failures: &'a mut Failures,
}

impl<'a> Stage<'a> {
    fn open(options: &Options, placement: Placement, failures: &'a mut Failures) -> Self {
        let taking_part =
            ALL.iter().filter(|who| options.only.is_empty() || options.only.iter().any(|id| id == who.id));
        let seats = taking_part
            .filter_map(|who| Some((who, failures.noted(who.label, open(who, placement, &options.python))?)))
            .collect();
        Self { seats, placement, rounds: options.rounds, failures }
    }

    fn calls(&mut self, millis: u64) -> Vec<Calls> {
        let cell = |who: &&'static Contestant| Calls { who, placement: self.placement, rounds: Vec::new() };
        let mut cells: Vec<Calls> = self.seats.iter().map(|(who, _)| cell(who)).collect();
        // The first round warms up.
        for round in 0..=self.rounds {
            for ((who, link), cell) in self.seats.iter_mut().zip(&mut cells) {
                if let Some(Answer::Calls { ns }) =
                    ask(self.failures, who, link, &Request::Calls { millis, least: 50 })
                {
                    cell.rounds.extend(Summary::of(ns).filter(|_| round > 0));
                }
            }
        }
        cells
    }

    fn flows<W: Copy + Serialize>(
        &mut self,
        what: W,
        request: impl Fn(&'static Contestant) -> Option<Request>,
    ) -> Vec<Flow<W>> {
        let cell = |who: &&'static Contestant| Flow { who, what, rounds: Vec::new() };
        let mut cells: Vec<Flow<W>> = self.seats.iter().map(|(who, _)| cell(who)).collect();
        for round in 0..=self.rounds {
            for ((who, link), cell) in self.seats.iter_mut().zip(&mut cells) {
                let Some(request) = request(who) else { continue };
                if let Some(Answer::Flow(rate)) = ask(self.failures, who, link, &request) {
                    cell.rounds.extend(Some(rate).filter(|_| round > 0));
                }
            }
        }
        cells
    }
}

fn ask(failures: &mut Failures, who: &Contestant, link: &mut Link, request: &Request) -> Option<Answer> {
    if link.is_lost() {
        return None;
    }
    let answer = link.ask::<Answer>(request);
    failures.noted(&format!("{}, {request:?}", who.label), answer)
}

/// Opens a driver.
fn open(who: &Contestant, placement: Placement, python: &str) -> Result<Link> {
    let mut command = if who.kind == Kind::Python {
        let mut command = Command::new(python);
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/managers.py"))
            .args([who.socket.id(), placement.id()]);
        command
    } else {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["driver", "managers", who.id, placement.id()]);
        command
    };
    Link::open(&mut command).context("open the driver")
}
