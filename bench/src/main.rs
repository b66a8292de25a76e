//! Side-by-side benchmarks of `offspring` and its peers. See `README.md`.
//!
//! This one program is the conductor, which is what a user calls, and everybody it needs: drivers, and the children
//! that drivers start by executing the program again.

mod channels;
mod cpu;
mod facts;
mod failures;
mod figure;
mod forked;
mod link;
mod locks;
mod memory;
mod options;
mod procfs;
mod start;
mod suite;
mod summary;
mod tables;
mod targets;
mod units;

use std::process::ExitCode;

use options::Options;
use start::{driver, guard, idle};

const USAGE: &str = "\
usage: cargo run --release -- start|channels|locks [option]..

  --quick            under a minute, printed only
  --rounds N         rounds in place of 9
  --only ID,ID       these contestants only, printed only
  --small-only       no parents of 1 GiB (start)
  --python PROGRAM   in place of python3
  --out DIRECTORY    where the results go, in place of bench/results";

fn main() -> ExitCode {
    // The child of the contestant `command`: nothing stands before it.
    if std::env::args_os().nth(1).is_some_and(|mode| mode == "noop") {
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["idle"] => idle::sleep_as_long_as_the_parent(),
        ["driver", "start", contestant, mib] => driver::main(contestant, mib),
        ["driver", "channels", contestant, placement] => channels::driver::main(contestant, placement),
        ["driver", "locks", contestant] => locks::driver::main(contestant),
        ["guard", library] => guard::main(library),
        ["start", ref options @ ..] => Options::parse(options).and_then(|options| start::main(&options)),
        ["locks", ref options @ ..] => Options::parse(options).and_then(|options| locks::main(&options)),
        ["channels", ref options @ ..] => {
            Options::parse(options).and_then(|options| channels::main(&options))
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
