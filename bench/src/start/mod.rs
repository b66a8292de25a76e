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

use std::fs;

use anyhow::{Context, Result};

use crate::options::Options;

/// Runs the benchmark, prints the tables, and writes the results if they are complete.
pub(crate) fn main(options: &Options) -> Result<()> {
    let results = rounds::run(options)?;
    let tables = report::markdown(&results);
    println!("{tables}");
    let Some(directory) = &options.out else { return Ok(()) };
    fs::create_dir_all(directory).context("make the directory of the results")?;
    let files = [
        ("start.md", tables),
        ("start.json", serde_json::to_string_pretty(&results)? + "\n"),
        ("start.svg", plot::figure(&results).to_svg()),
    ];
    for (name, text) in files {
        fs::write(directory.join(name), text).with_context(|| format!("write {name}"))?;
    }
    Ok(())
}
