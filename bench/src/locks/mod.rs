//! The benchmark `locks`: what it takes to lock and unlock, alone and against another process.
//!
//! `contestant` says who takes part; `driver` is the process that has one contestant's lock; `rounds` lets them take
//! turns; `report`, `targets` and `plot` say what came out.

mod contestant;
pub(crate) mod driver;
mod plot;
mod protocol;
mod report;
mod results;
mod rounds;
mod targets;

use anyhow::Result;

use crate::options::Options;
use crate::suite;

/// Runs the benchmark, prints the tables, and writes the results if they are complete.
pub(crate) fn main(options: &Options) -> Result<()> {
    let results = rounds::run(options)?;
    suite::publish(options, "locks", &results, report::markdown(&results), || plot::figure(&results))
}
