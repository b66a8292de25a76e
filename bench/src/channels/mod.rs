//! The benchmark `channels`: what it takes to bring messages from one process to another.
//!
//! `contestant` says who takes part; `driver` is the process in which one contestant has its end of the link; `rounds`
//! lets them take turns; `report`, `targets` and `plot` say what came out.

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
    suite::publish(options, "channels", &results, report::markdown(&results), || plot::figure(&results))
}
