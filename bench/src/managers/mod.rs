//! The benchmark `managers`: what it takes to call a method of an object that lives in another process, and to have tasks
//! done by workers that ask a server for them.
//!
//! `contestant` says who takes part; `driver` is the process that has one contestant's server and calls it; `rounds` lets
//! them take turns; `report`, `targets` and `plot` say what came out.

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
    suite::publish(options, "managers", &results, report::markdown(&results), || plot::figure(&results))
}
