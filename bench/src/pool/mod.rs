//! The benchmark `pool`: what it takes to have tasks done by worker processes.
//!
//! `contestant` says who takes part, and in which ways tasks are given to them; `driver` is the process that has one
//! contestant's pool; `tasks` is what workers do, `mix` the tasks that take unequally long; `rounds` lets the contestants take
//! turns; `report`, `targets` and `plot` say what came out.

mod contestant;
pub(crate) mod driver;
mod mix;
mod plot;
mod protocol;
mod report;
mod results;
mod rounds;
mod targets;
mod tasks;

use anyhow::Result;

use crate::options::Options;
use crate::suite;

/// Runs the benchmark, prints the tables, and writes the results if they are complete.
pub(crate) fn main(options: &Options) -> Result<()> {
    let results = rounds::run(options)?;
    suite::publish(options, "pool", &results, report::markdown(&results), || plot::figure(&results))
}
