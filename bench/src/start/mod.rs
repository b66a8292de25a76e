//! The benchmark `start`: what it takes to start a process and to join it.
//!
//! `contestant` says who takes part; `driver` is the process in which one contestant starts its children; `rounds`
//! lets them take turns; `report` and `plot` say what came out.

mod contestant;
pub(crate) mod driver;
pub(crate) mod guard;
pub(crate) mod idle;
mod plot;
mod protocol;
mod report;
mod results;
mod rounds;

use anyhow::Result;

use crate::options::Options;
use crate::suite;

/// Runs the benchmark, prints the tables, and writes the results if they are complete.
pub(crate) fn main(options: &Options) -> Result<()> {
    let results = rounds::run(options)?;
    suite::publish(options, "start", &results, report::markdown(&results), || plot::figure(&results))
}
