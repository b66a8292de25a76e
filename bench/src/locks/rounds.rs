//! The conductor: lets the contestants take turns.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::contestant::{ALL, Contestant, Kind, Work};
use super::protocol::{Answer, Request};
use super::results::{Cell, Results};
use crate::facts::Facts;
use crate::failures::{Failures, note};
use crate::link::Link;
use crate::options::Options;

/// Measures everything.
pub(crate) fn run(options: &Options) -> Result<Results> {
    if let Some(unknown) = options.only.iter().find(|id| Contestant::find(id).is_none()) {
        let known: Vec<&str> = ALL.iter().map(|who| who.id).collect();
        bail!("there is no contestant `{unknown}`: there are {}", known.join(", "));
    }
    let mut failures = Failures::default();
    let millis = if options.quick { 30 } else { 200 };
    let mut seats = Vec::new();
    for who in &ALL {
        if options.only.is_empty() || options.only.iter().any(|id| id == who.id) {
            seats.extend(failures.noted(who.label, open(who, &options.python)).map(|link| (who, link)));
        }
    }
    let mut cells = Vec::new();
    for work in [Work::Pair, Work::Increment] {
        note(match work {
            Work::Pair => "lock and unlock",
            Work::Increment => "increments",
        });
        let taking_part = seats.iter_mut().filter(|(who, _)| who.does(work));
        let mut taking_part: Vec<_> = taking_part
            .map(|(who, link)| (link, Cell { who, work, alone: Vec::new(), both: Vec::new() }))
            .collect();
        // The first round warms up.
        for round in 0..=options.rounds {
            for (link, cell) in &mut taking_part {
                let mut ask = |request| {
                    if link.is_lost() {
                        return None;
                    }
                    let answer = link.ask::<Answer>(&request);
                    failures.noted(&format!("{}, {request:?}", cell.who.label), answer)
                };
                let alone = ask(Request::Alone { work, millis });
                let both = ask(Request::Both { work, millis });
                if round > 0 {
                    cell.alone.extend(alone);
                    cell.both.extend(both);
                }
            }
        }
        cells.extend(taking_part.into_iter().map(|(_, cell)| cell));
    }
    Ok(Results { facts: Facts::gather(&options.python), rounds: options.rounds, cells, failures: failures.0 })
}

/// Opens a driver.
fn open(who: &Contestant, python: &str) -> Result<Link> {
    let mut command = if let Kind::Python(kind) = who.kind {
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/locks.py")).arg(kind);
        command
    } else {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["driver", "locks", who.id]);
        command
    };
    Link::open(&mut command).context("open the driver")
}
