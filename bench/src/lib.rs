//! Side-by-side benchmarks of `offspring` and its peers. See `README.md`.
//!
//! Each of the programs is the conductor, which is what a user calls, and everybody it needs: drivers, and the
//! children that drivers start by executing the program again. They are several, as the size of a program is part of what
//! starting it costs: the peers of `channels` stay out of those that `start` and `pool` measure.

mod channels;
mod cpu;
mod facts;
mod failures;
mod figure;
mod forked;
mod link;
mod locks;
mod managers;
mod memory;
mod options;
mod placement;
mod pool;
mod procfs;
mod start;
mod suite;
mod summary;
mod tables;
mod targets;
mod units;
mod venv;

use std::process::ExitCode;

use options::Options;
use start::{driver, guard, idle};

const OPTIONS: &str = "\
  --quick            a minute or two, printed only
  --rounds N         rounds in place of 9
  --only ID,ID       these contestants only, printed only
  --python PROGRAM   in place of python3
  --out DIRECTORY    where the results go, in place of bench/results";

/// The program for `start`.
#[must_use]
pub fn measure_start() -> ExitCode {
    // The child of the contestant `command`: nothing stands before it.
    if std::env::args_os().nth(1).is_some_and(|mode| mode == "noop") {
        return ExitCode::SUCCESS;
    }
    run("start [--small-only]", |arguments| {
        Some(match *arguments {
            ["idle"] => idle::sleep_as_long_as_the_parent(),
            ["driver", "start", contestant, mib] => driver::main(contestant, mib),
            ["guard", library] => guard::main(library),
            ["start", ref options @ ..] => Options::parse(options).and_then(|options| start::main(&options)),
            _ => return None,
        })
    })
}

/// The program for `channels`, `locks` and `managers`.
#[must_use]
pub fn measure_talk() -> ExitCode {
    run("channels|locks|managers", |arguments| {
        Some(match *arguments {
            ["driver", "channels", contestant, placement] => channels::driver::main(contestant, placement),
            ["driver", "locks", contestant] => locks::driver::main(contestant),
            ["channels", ref options @ ..] => {
                Options::parse(options).and_then(|options| channels::main(&options))
            }
            ["driver", "managers", contestant, placement] => managers::driver::main(contestant, placement),
            ["locks", ref options @ ..] => Options::parse(options).and_then(|options| locks::main(&options)),
            ["managers", ref options @ ..] => {
                Options::parse(options).and_then(|options| managers::main(&options))
            }
            _ => return None,
        })
    })
}

/// The program for `pool`.
#[must_use]
pub fn measure_work() -> ExitCode {
    run("pool", |arguments| {
        Some(match *arguments {
            ["driver", "pool", contestant, placement] => pool::driver::main(contestant, placement),
            ["pool", ref options @ ..] => Options::parse(options).and_then(|options| pool::main(&options)),
            _ => return None,
        })
    })
}

/// Does what the command line says, if it says anything that can be done.
fn run(usage: &str, what: impl FnOnce(&[&str]) -> Option<anyhow::Result<()>>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match what(&arguments) {
        None => {
            eprintln!("usage: {usage} [option]..\n\n{OPTIONS}");
            ExitCode::from(2)
        }
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
