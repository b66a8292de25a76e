//! What the command line chooses.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// What the command line chooses.
#[derive(Debug)]
pub(crate) struct Options {
    /// Few and short rounds.
    pub(crate) quick: bool,
    /// How many rounds.
    pub(crate) rounds: usize,
    /// The contestants that take part; all when empty.
    pub(crate) only: Vec<String>,
    /// No parents of 1 GiB.
    pub(crate) small_only: bool,
    /// The Python interpreter.
    pub(crate) python: String,
    /// Where the results go; nowhere when they would not be complete.
    pub(crate) out: Option<PathBuf>,
}

impl Options {
    /// Reads the options of a benchmark.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self> {
        let (mut quick, mut small_only) = (false, false);
        let (mut rounds, mut out, mut only) = (None, None, Vec::new());
        let mut python = "python3";
        let mut arguments = arguments.iter();
        while let Some(&option) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{option} wants a value"));
            match option {
                "--quick" => quick = true,
                "--small-only" => small_only = true,
                "--rounds" => rounds = Some(value()?.parse().context("--rounds wants a number")?),
                "--only" => only = value()?.split(',').map(str::to_owned).collect(),
                "--python" => python = value()?,
                "--out" => out = Some(PathBuf::from(value()?)),
                _ => bail!("there is no option `{option}`"),
            }
        }
        let complete = !quick && !small_only && only.is_empty();
        Ok(Self {
            quick,
            rounds: rounds.unwrap_or(if quick { 3 } else { 9 }),
            only,
            small_only,
            python: python.to_owned(),
            out: out.or_else(|| complete.then(|| concat!(env!("CARGO_MANIFEST_DIR"), "/results").into())),
        })
    }
}
