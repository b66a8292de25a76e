//! What is common to all benchmarks: where their results go.

use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::figure::Figure;
use crate::options::Options;

/// Prints the tables, and writes the results if they are complete.
pub(crate) fn publish(
    options: &Options,
    name: &str,
    results: &impl Serialize,
    tables: String,
    figure: impl FnOnce() -> Figure,
) -> Result<()> {
    println!("{tables}");
    let Some(directory) = &options.out else { return Ok(()) };
    fs::create_dir_all(directory).context("make the directory of the results")?;
    let files =
        [("md", tables), ("json", serde_json::to_string_pretty(results)? + "\n"), ("svg", figure().to_svg())];
    for (kind, text) in files {
        let name = format!("{name}.{kind}");
        fs::write(directory.join(&name), text).with_context(|| format!("write {name}"))?;
    }
    Ok(())
}
