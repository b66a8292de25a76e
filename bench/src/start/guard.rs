//! What the guard costs a program that starts nothing: each sample is the first call in a fresh process.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::procfs;
use crate::summary::Summary;

/// The libraries that have a guard.
const LIBRARIES: [&str; 2] = ["offspring", "procspawn"];

/// What one fresh process saw.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    ns: u64,
    threads: u64,
    children: usize,
}

/// What many saw.
#[derive(Debug, Serialize)]
pub(crate) struct Guard {
    pub(crate) library: &'static str,
    pub(crate) call_ns: Summary,
    /// The most threads that a process had after the guard, itself included.
    pub(crate) threads: u64,
    /// The most children that a process had after the guard.
    pub(crate) children: usize,
}

/// The fresh process.
pub(crate) fn main(library: &str) -> Result<()> {
    let _the_first_look_at_the_clock_is_slower = Instant::now();
    let begin = Instant::now();
    match library {
        "offspring" => offspring::init(),
        "procspawn" => procspawn::init(),
        _ => bail!("no such library"),
    }
    let ns = u64::try_from(begin.elapsed().as_nanos())?;
    let me = std::process::id();
    let seen = Seen { ns, threads: procfs::threads(me)?, children: procfs::children(me)?.len() };
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

/// Measures all guards, this many times each, in turns.
pub(crate) fn measure(times: usize) -> Result<Vec<Guard>> {
    let program = std::env::current_exe()?;
    let mut seen = LIBRARIES.map(|_| Vec::<Seen>::new());
    for _ in 0..times {
        for (library, seen) in LIBRARIES.iter().zip(&mut seen) {
            let output = Command::new(&program).args(["guard", library]).output()?;
            ensure!(output.status.success(), "the program with the guard of {library}: {}", output.status);
            seen.push(serde_json::from_slice(&output.stdout)?);
        }
    }
    let guards = LIBRARIES.iter().zip(&seen).filter_map(|(library, seen)| {
        Some(Guard {
            library,
            call_ns: Summary::of(seen.iter().map(|seen| seen.ns).collect())?,
            threads: seen.iter().map(|seen| seen.threads).max()?,
            children: seen.iter().map(|seen| seen.children).max()?,
        })
    });
    Ok(guards.collect())
}
