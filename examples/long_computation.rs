//! A long computation: how far it is, what it took, and a picture of who did what when.
//!
//! `long_computation [LIMIT [FOLDER]]` looks for the number below LIMIT (ten million) whose way to 1 is longest, if an even
//! number is halved and an odd one tripled and increased by 1 (the Collatz problem).
//!
//! Meanwhile a bar tells on a terminal how far it is, with rate, time left and failures; elsewhere lines do, on standard
//! error. Then it prints the answer and a report: how long each worker took to start, waited and worked, and the five
//! slowest inputs. A trace that <https://ui.perfetto.dev> opens and a page for a browser, which needs no network, stay in
//! FOLDER, or in a new one.

use std::cmp::Reverse;
use std::path::PathBuf;

use anyhow::Context;
use offspring::Pool;

/// How many numbers a task looks at.
const STRIDE: usize = 10_000;

/// How long a way is, and where it begins. A longer one is greater, and of those of one length the first.
type Way = (u64, Reverse<u64>);

/// A task: the longest way of any of some numbers.
fn longest_way(from: u64, to: u64) -> Option<Way> {
    (from..to).map(|number| (steps(number), Reverse(number))).max()
}

fn steps(mut number: u64) -> u64 {
    let mut steps = 0;
    while number != 1 {
        number = if number % 2 == 0 { number / 2 } else { 3 * number + 1 };
        steps += 1;
    }
    steps
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let limit = arguments.next().map(|limit| limit.to_str().unwrap_or_default().parse());
    let limit = limit.transpose().context("LIMIT is a number")?.unwrap_or(10_000_000);
    let folder = match arguments.next().map(PathBuf::from) {
        Some(folder) => std::fs::create_dir_all(&folder).map(|()| folder),
        None => {
            let name = format!("offspring-long-computation-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            std::fs::create_dir(&folder).map(|()| folder)
        }
    };
    let folder = folder.context("cannot make the folder for the timeline")?;

    let pool = Pool::builder().name("walker").progress(true).timeline(true).start()?;
    let ranges = (1..limit).step_by(STRIDE).map(|from| (from, limit.min(from + STRIDE as u64)));
    let ways = pool.starmap(longest_way, ranges).into_iter().collect::<Result<Vec<_>, _>>()?;
    let longest = ways.into_iter().flatten().max();
    let (steps, Reverse(number)) = longest.context("there are no numbers below LIMIT")?;
    println!("below {limit} the way of {number} is longest: {steps} steps");

    println!("{}", pool.report());
    let (trace, page) = (folder.join("timeline.json"), folder.join("timeline.html"));
    let timeline = pool.timeline().context("it is recorded")?;
    timeline.save_trace(&trace).with_context(|| format!("cannot write {}", trace.display()))?;
    timeline.save_html(&page).with_context(|| format!("cannot write {}", page.display()))?;
    println!("timeline: {} for https://ui.perfetto.dev", trace.display());
    println!("timeline: {} for a browser", page.display());
    Ok(())
}
