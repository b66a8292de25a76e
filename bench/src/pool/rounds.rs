//! The conductor: lets the contestants take turns, so that what disturbs the machine for a while disturbs all of them alike.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::contestant::{ALL, Contestant, Kind, WORKERS, Way};
use super::mix;
use super::protocol::{Answer, Request};
use super::results::{Absent, Flow, Idle, Lives, Results, Singles, Slice, Watched, Worked, Works};
use crate::cpu;
use crate::facts::Facts;
use crate::failures::{Failures, note};
use crate::link::Link;
use crate::options::Options;
use crate::placement::Placement;
use crate::summary::{Rate, Summary};
use crate::venv;

/// How many tasks that do next to nothing are given at once; fewer, if they take too long.
const MANY: u64 = 1 << 20;

/// How many arguments of 1 MiB are given at once.
const FEW: u64 = 64;

/// How many numbers the workers share: 32 MiB.
const SHARED: u64 = 4 << 20;

/// At which parts of its inputs a contestant's memory is looked at, in percent.
pub(crate) const LOOKS: [u64; 4] = [1, 10, 50, 100];

/// How much is measured.
#[derive(Debug)]
struct Plan {
    rounds: usize,
    /// A batch of tasks that do next to nothing, or have large arguments.
    millis: u64,
    /// A batch of tasks one after the other.
    single_millis: u64,
    work_rounds: usize,
    /// How many tasks of a millisecond, and of the skewed mix.
    even: usize,
    skewed: usize,
    idle_millis: u64,
    life_rounds: usize,
    /// How many pools a program has after its first.
    lives: usize,
    /// What the number of inputs is divided by over which memory is watched.
    watched_less: u64,
}

impl Plan {
    fn of(options: &Options) -> Self {
        let rounds = options.rounds;
        if options.quick {
            Self {
                rounds,
                millis: 20,
                single_millis: 10,
                work_rounds: rounds.min(3),
                even: 40,
                skewed: 200,
                idle_millis: 300,
                life_rounds: 1,
                lives: 1,
                watched_less: 100,
            }
        } else {
            Self {
                rounds,
                millis: 100,
                single_millis: 60,
                work_rounds: rounds.min(5),
                even: 400,
                skewed: 2000,
                idle_millis: 2000,
                life_rounds: rounds.min(5),
                lives: 4,
                watched_less: 1,
            }
        }
    }
}

/// Measures everything.
pub(crate) fn run(options: &Options) -> Result<Results> {
    let plan = Plan::of(options);
    let mut stage = Stage::new(options)?;
    let mut singles = Vec::new();

    stage.open(Placement::Free);
    note("tasks that do next to nothing");
    let tiny = stage.tiny(&plan);
    note("one task after the other");
    singles.extend(stage.singles(&plan, Placement::Free));
    note("arguments of 1 MiB");
    let large = stage.large(&plan);
    note("tasks of a millisecond");
    let even = stage.work(plan.work_rounds, &vec![1_000_000; plan.even]);
    note("tasks of which few take very long");
    let skewed = stage.work(plan.work_rounds, &mix::skewed(plan.skewed));
    note("numbers in memory that is shared");
    let slices = stage.slices(&plan);
    note("waiting");
    let idle = stage.idle(plan.idle_millis);
    stage.close();

    note("many inputs, and the memory that they take");
    let watched = stage.watch(plan.watched_less);
    note("beginning and end");
    let lives = stage.lives(&plan);

    let (first, last) = cpu::first_and_last()?;
    for placement in [Placement::Apart, Placement::Pinned] {
        if placement == Placement::Apart && first == last {
            continue; // there are no two CPUs
        }
        note(&format!("one task after the other, {}", placement.label()));
        stage.open(placement);
        singles.extend(stage.singles(&plan, placement));
        stage.close();
    }

    Ok(Results {
        facts: Facts::gather(&options.python),
        rounds: plan.rounds,
        tiny,
        large,
        singles,
        even,
        skewed,
        slices,
        idle,
        watched,
        lives,
        absent: stage.absent,
        failures: stage.failures.0,
    })
}

/// Somebody who takes part, and the program that has its driver.
#[derive(Debug)]
struct Guest {
    who: &'static Contestant,
    program: String,
}

/// A driver that runs.
#[derive(Debug)]
struct Seat {
    who: &'static Contestant,
    link: Link,
}

/// What a driver is asked for in each round, and what came of it.
struct Turn<C> {
    seat: usize,
    request: Request,
    cell: C,
}

/// Everybody who takes part, the drivers that run at present, and what went wrong with them.
#[derive(Debug)]
struct Stage {
    guests: Vec<Guest>,
    seats: Vec<Seat>,
    absent: Vec<Absent>,
    failures: Failures,
}

impl Stage {
    /// Invites those who are to take part. Who needs what cannot be installed is absent.
    fn new(options: &Options) -> Result<Self> {
        if let Some(unknown) = options.only.iter().find(|id| Contestant::find(id).is_none()) {
            let known: Vec<&str> = ALL.iter().map(|who| who.id).collect();
            bail!("there is no contestant `{unknown}`: there are {}", known.join(", "));
        }
        let mut stage =
            Self { guests: Vec::new(), seats: Vec::new(), absent: Vec::new(), failures: Failures::default() };
        for who in &ALL {
            if options.only.is_empty() || options.only.iter().any(|id| id == who.id) {
                match program(who, &options.python) {
                    Ok(program) => stage.guests.push(Guest { who, program }),
                    Err(error) => {
                        let why = format!("{error:#}");
                        eprintln!("bench: {} is absent: {why}", who.label);
                        stage.absent.push(Absent { who, why });
                    }
                }
            }
        }
        Ok(stage)
    }

    /// Opens all drivers and their pools.
    fn open(&mut self, placement: Placement) {
        note(&format!("opening the pools, {}", placement.label()));
        for guest in &self.guests {
            let opened = guest.open(placement).and_then(|mut link| {
                link.ask::<Answer>(&Request::Open {})?;
                Ok(Seat { who: guest.who, link })
            });
            let what = format!("{}, {}", guest.who.label, placement.id());
            self.seats.extend(self.failures.noted(&what, opened));
        }
    }

    /// Ends all pools and their drivers.
    fn close(&mut self) {
        for seat in 0..self.seats.len() {
            self.ask(seat, &Request::Close {});
        }
        self.seats.clear();
    }

    /// Asks a driver. One that did not answer is not asked again.
    fn ask(&mut self, seat: usize, request: &Request) -> Option<Answer> {
        let Seat { who, link } = &mut self.seats[seat];
        if link.is_lost() {
            return None;
        }
        let asked = link.ask(request);
        self.failures.noted(&format!("{}, {}", who.label, told(request)), asked)
    }

    /// In each round, everybody has a turn.
    fn take_turns<C>(&mut self, rounds: usize, mut turns: Vec<Turn<C>>, put: fn(&mut C, Answer)) -> Vec<C> {
        for _ in 0..rounds {
            for turn in &mut turns {
                if let Some(answer) = self.ask(turn.seat, &turn.request) {
                    put(&mut turn.cell, answer);
                }
            }
        }
        turns.into_iter().map(|turn| turn.cell).collect()
    }

    fn take_rates(&mut self, rounds: usize, turns: Vec<Turn<Flow>>) -> Vec<Flow> {
        self.take_turns(rounds, turns, |cell, answer| {
            if let Answer::Flow(rate) = answer {
                cell.tasks.push(rate);
            }
        })
    }

    fn guests_in_order(&self) -> impl Iterator<Item = (usize, &'static Contestant)> + use<> {
        let seats: Vec<_> = self.seats.iter().map(|seat| seat.who).enumerate().collect();
        seats.into_iter()
    }

    fn tiny(&mut self, plan: &Plan) -> Vec<Flow> {
        let mut turns = Vec::new();
        for (seat, who) in self.guests_in_order() {
            for &way in who.tiny {
                if let Some(count) = self.fitting_count(seat, way, plan.millis) {
                    let request = Request::Tiny { way, count, millis: plan.millis };
                    turns.push(Turn { seat, request, cell: Flow { who, way, count, tasks: Vec::new() } });
                }
            }
        }
        self.take_rates(plan.rounds, turns)
    }

    /// How many tasks at once take about this long. That warms up, too.
    fn fitting_count(&mut self, seat: usize, way: Way, millis: u64) -> Option<u64> {
        let mut count = 256;
        loop {
            let answer = self.ask(seat, &Request::Tiny { way, count, millis: 0 })?;
            match answer {
                Answer::Flow(Rate { ns, .. }) if count < MANY && ns < millis * 500_000 => count *= 4,
                _ => return Some(count),
            }
        }
    }

    fn large(&mut self, plan: &Plan) -> Vec<Flow> {
        let turns = self.guests_in_order().filter_map(|(seat, who)| {
            let way = who.large?;
            let request = Request::Large { way, count: FEW, millis: plan.millis };
            Some(Turn { seat, request, cell: Flow { who, way, count: FEW, tasks: Vec::new() } })
        });
        self.take_rates(plan.rounds, turns.collect())
    }

    fn slices(&mut self, plan: &Plan) -> Vec<Slice> {
        let turns = self.guests_in_order().flat_map(|(seat, who)| {
            who.passes.iter().map(move |&pass| {
                let cell = Slice { who, pass, count: SHARED, elements: Vec::new() };
                Turn { seat, request: Request::Slice { pass, count: SHARED, millis: plan.millis }, cell }
            })
        });
        self.take_turns(plan.rounds, turns.collect(), |cell, answer| {
            if let Answer::Flow(rate) = answer {
                cell.elements.push(rate);
            }
        })
    }

    fn singles(&mut self, plan: &Plan, placement: Placement) -> Vec<Singles> {
        let millis = plan.single_millis;
        let turns = self.guests_in_order().flat_map(|(seat, who)| {
            [false, true].map(|large| {
                let cell = Singles { who, placement, large, ns: Vec::new() };
                Turn { seat, request: Request::Single { large, millis, least: 8 }, cell }
            })
        });
        self.take_turns(plan.rounds, turns.collect(), |cell, answer| {
            if let Answer::Singles { ns } = answer {
                cell.ns.extend(Summary::of(ns));
            }
        })
    }

    fn work(&mut self, rounds: usize, tasks: &[u64]) -> Works {
        let turns = self.guests_in_order().flat_map(|(seat, who)| {
            who.work.iter().map(move |&way| {
                let cell = Worked { who, way, ns: Vec::new() };
                Turn { seat, request: Request::Work { way, ns: tasks.to_vec() }, cell }
            })
        });
        let runs = self.take_turns(rounds, turns.collect(), |cell, answer| {
            if let Answer::Worked { ns } = answer {
                cell.ns.push(ns);
            }
        });
        Works {
            count: tasks.len(),
            ideal_ns: mix::ideal(tasks, WORKERS as u64),
            in_order_ns: mix::in_order(tasks, WORKERS),
            runs,
        }
    }

    /// One after the other, as nobody else is to be seen.
    fn idle(&mut self, millis: u64) -> Vec<Idle> {
        let seats = self.guests_in_order();
        let idle = seats.filter_map(|(seat, who)| match self.ask(seat, &Request::Idle { millis })? {
            Answer::Idle { cpu_ns } => Some(Idle { who, millis, cpu_ns }),
            _ => None,
        });
        idle.collect()
    }

    /// In programs that have done nothing else, one after the other.
    fn watch(&mut self, less: u64) -> Vec<Watched> {
        let Self { guests, failures, .. } = self;
        let watched = guests.iter().filter_map(|guest| {
            let count = guest.who.watched? / less;
            let looks = LOOKS.map(|percent| count / 100 * percent).to_vec();
            let watched = guest.open(Placement::Free).and_then(|mut link| {
                link.ask::<Answer>(&Request::Open {})?;
                let answer = link.ask(&Request::Watch { looks: looks.clone() })?;
                link.ask::<Answer>(&Request::Close {})?;
                Ok(answer)
            });
            match failures.noted(&format!("{}, {count} inputs", guest.who.label), watched)? {
                Answer::Watched { resident_kib, ns } => {
                    Some(Watched { who: guest.who, looks, resident_kib, ns })
                }
                _ => None,
            }
        });
        watched.collect()
    }

    /// Each round has a program of its own for each contestant.
    fn lives(&mut self, plan: &Plan) -> Vec<Lives> {
        let guests = self.guests.iter().filter(|guest| guest.who.lives);
        let mut lives: Vec<(&Guest, Lives)> = guests
            .map(|guest| (guest, Lives { who: guest.who, first: Vec::new(), next: Vec::new() }))
            .collect();
        for _ in 0..plan.life_rounds {
            for (guest, lives) in &mut lives {
                let what = format!("{}, beginning and end", guest.who.label);
                let Some(mut link) = self.failures.noted(&what, guest.open(Placement::Free)) else {
                    continue;
                };
                for number in 0..=plan.lives {
                    let into = if number == 0 { &mut lives.first } else { &mut lives.next };
                    match self.failures.noted(&what, link.ask(&Request::Life {})) {
                        Some(Answer::Lived(life)) => into.push(life),
                        _ => break,
                    }
                }
            }
        }
        lives.into_iter().map(|(_, lives)| lives).collect()
    }
}

/// A request in words that are not too many.
fn told(request: &Request) -> String {
    match request {
        Request::Work { way, ns } => format!("{} tasks that take their time, {}", ns.len(), way.label()),
        request => format!("{request:?}"),
    }
}

/// The program that a contestant's driver runs in.
fn program(who: &Contestant, python: &str) -> Result<String> {
    let Kind::Python(kind) = who.kind else {
        return std::env::current_exe()?
            .into_os_string()
            .into_string()
            .ok()
            .context("the program has a strange name");
    };
    match kind.requirement() {
        None => Ok(python.to_owned()),
        Some((package, version)) => {
            let interpreter = venv::interpreter_with(python, package, version)?;
            interpreter.into_os_string().into_string().ok().context("the interpreter has a strange name")
        }
    }
}

impl Guest {
    /// Opens a driver.
    fn open(&self, placement: Placement) -> Result<Link> {
        let mut command = Command::new(&self.program);
        if let Kind::Python(kind) = self.who.kind {
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/pool.py")).arg(kind.id());
        } else {
            command.args(["driver", "pool", self.who.id]);
        }
        Link::open(command.arg(placement.id())).context("open the driver")
    }
}
