//! The conductor: opens all drivers, and lets the contestants take turns, so that what disturbs the machine for a
//! while disturbs all of them alike.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::contestant::{ALL, Contestant, Kind, Parent};
use super::guard;
use super::protocol::{Answer, Batch, Request};
use super::results::{Idle, Parked, Results, Started};
use crate::facts::Facts;
use crate::failures::{Failures, note};
use crate::link::Link;
use crate::options::Options;
use crate::procfs;
use crate::summary::Summary;

/// How much is measured.
#[derive(Debug)]
struct Plan {
    rounds: usize,
    /// Back to back.
    batch: Batch,
    /// With a pause after each, as in a program that has something else to do.
    paced: Batch,
    idle_count: usize,
    /// At most this many rounds of idle children.
    idle_rounds: usize,
    guard_samples: usize,
}

/// How many idle children of a round have their memory looked at.
const LOOKED_AT: usize = 32;

/// How long parked spares are watched.
const WATCHED_MILLIS: u64 = 2000;

impl Plan {
    fn of(options: &Options) -> Self {
        let batch = |millis| Batch { millis, least: 8, most: 5000, pause_us: 0 };
        if options.quick {
            Self {
                rounds: options.rounds,
                batch: batch(100),
                paced: Batch { pause_us: 2000, ..batch(100) },
                idle_count: 200,
                idle_rounds: 1,
                guard_samples: 20,
            }
        } else {
            Self {
                rounds: options.rounds,
                batch: batch(400),
                paced: Batch { pause_us: 2000, ..batch(300) },
                idle_count: 1000,
                idle_rounds: usize::MAX,
                guard_samples: 200,
            }
        }
    }
}

/// A driver, if it could be opened.
#[derive(Debug)]
struct Seat {
    who: &'static Contestant,
    parent: Parent,
    link: Option<Link>,
}

/// Measures everything.
pub(crate) fn run(options: &Options) -> Result<Results> {
    let plan = Plan::of(options);
    let mut stage = Stage { seats: Vec::new(), failures: Failures::default() };
    stage.open(options)?;

    note("warming up");
    stage.start_and_join(1, Batch { millis: 0, ..plan.batch }, |_| true);
    note("start + join");
    let started = stage.start_and_join(plan.rounds, plan.batch, |_| true);
    note("start + join, with pauses");
    let paced = stage.start_and_join(plan.rounds.min(5), plan.paced, |seat| {
        seat.parent == Parent::Small && !matches!(seat.who.kind, Kind::Python(_))
    });
    let parked = stage.parked();
    stage.seats.retain(|seat| seat.parent == Parent::Small);
    note("idle children");
    let idle = stage.idle(&plan);
    note("guards");
    let guards = stage.failures.noted("the guard", guard::measure(plan.guard_samples)).unwrap_or_default();

    Ok(Results {
        facts: Facts::gather(&options.python),
        rounds: plan.rounds,
        started,
        paced,
        idle_count: plan.idle_count,
        idle,
        parked,
        guards,
        failures: stage.failures.0,
    })
}

/// All drivers, and what went wrong with them.
#[derive(Debug)]
struct Stage {
    seats: Vec<Seat>,
    failures: Failures,
}

impl Stage {
    /// Opens a driver for each contestant and parent.
    fn open(&mut self, options: &Options) -> Result<()> {
        if let Some(unknown) = options.only.iter().find(|id| Contestant::find(id).is_none()) {
            let known: Vec<&str> = ALL.iter().map(|who| who.id).collect();
            bail!("there is no contestant `{unknown}`: there are {}", known.join(", "));
        }
        for parent in Parent::ALL.into_iter().filter(|parent| *parent == Parent::Small || !options.small_only)
        {
            note(&format!("opening the drivers with {} MiB", parent.mib()));
            for who in &ALL {
                if options.only.is_empty() || options.only.iter().any(|id| id == who.id) {
                    let opened = open(who, parent, &options.python);
                    let link = self.failures.noted(&format!("{}, {parent:?} parent", who.label), opened);
                    self.seats.push(Seat { who, parent, link });
                }
            }
        }
        Ok(())
    }

    /// Asks a driver. One that did not answer is not asked again.
    fn ask(&mut self, seat: usize, request: &Request) -> Option<Answer> {
        let Seat { who, parent, link } = &mut self.seats[seat];
        let what = format!("{}, {parent:?} parent, {request:?}", who.label);
        let link = link.as_mut().filter(|link| !link.is_lost())?;
        self.failures.noted(&what, link.ask(request))
    }

    fn start_and_join(&mut self, rounds: usize, batch: Batch, takes_part: fn(&Seat) -> bool) -> Vec<Started> {
        let seats: Vec<usize> = (0..self.seats.len()).filter(|seat| takes_part(&self.seats[*seat])).collect();
        let mut started: Vec<Started> = seats.iter().map(|seat| self.seats[*seat].begin(batch)).collect();
        for _ in 0..rounds {
            for (&seat, started) in seats.iter().zip(&mut started) {
                if let Some(Answer::Started { call_ns, whole_ns }) = self.ask(seat, &Request::Start(batch)) {
                    started.call_ns.extend(Summary::of(call_ns));
                    started.whole_ns.extend(Summary::of(whole_ns));
                }
            }
        }
        started
    }

    /// Looks at the spares of the contestant that has some.
    fn parked(&mut self) -> Option<Parked> {
        let has_spares = |seat: &Seat| {
            matches!(seat.who.kind, Kind::Offspring { spares: 1.., .. }) && seat.parent == Parent::Small
        };
        let seat = self.seats.iter().position(has_spares)?;
        match self.ask(seat, &Request::Parked { millis: WATCHED_MILLIS })? {
            Answer::Parked { private_kib, ticks } => Some(Parked {
                count: private_kib.len(),
                private_kib: Summary::of(private_kib)?,
                millis: WATCHED_MILLIS,
                ticks,
            }),
            _ => None,
        }
    }

    fn idle(&mut self, plan: &Plan) -> Vec<Idle> {
        let request = Request::Idle { count: plan.idle_count, looked_at: LOOKED_AT };
        let mut ready: Vec<Vec<u64>> = self.seats.iter().map(|_| Vec::new()).collect();
        let mut private = ready.clone();
        let most = ALL.iter().map(|who| who.idle_rounds).max().unwrap_or_default().min(plan.idle_rounds);
        for round in 0..most {
            for seat in 0..self.seats.len() {
                if round >= self.seats[seat].who.idle_rounds {
                    continue;
                }
                if let Some(Answer::Idle { ready_ns, private_kib }) = self.ask(seat, &request) {
                    ready[seat].push(ready_ns);
                    private[seat].extend(private_kib);
                }
            }
        }
        let seats = self.seats.iter().zip(ready.into_iter().zip(private));
        seats
            .filter_map(|(seat, (ready_ns, private_kib))| {
                Some(Idle { who: seat.who, ready_ns, private_kib: Summary::of(private_kib)? })
            })
            .collect()
    }
}

impl Seat {
    /// The results of this driver, still empty.
    fn begin(&self, batch: Batch) -> Started {
        let resident = self.link.as_ref().and_then(|link| procfs::resident_kib(link.pid()).ok());
        Started {
            who: self.who,
            parent: self.parent,
            parent_resident_kib: resident.unwrap_or_default(),
            batch,
            call_ns: Vec::new(),
            whole_ns: Vec::new(),
        }
    }
}

/// Opens a driver and waits until its heap is there.
fn open(who: &Contestant, parent: Parent, python: &str) -> Result<Link> {
    let mib = parent.mib().to_string();
    let mut command = if let Kind::Python(method) = who.kind {
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/start.py")).arg(method);
        command
    } else {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["driver", "start", who.id]);
        command
    };
    Link::open(command.arg(mib)).context("open the driver")
}
