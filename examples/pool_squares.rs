//! A pool: squares of many numbers, tasks that end in another order than they began, and one that kills its worker.

use std::time::Duration;

use offspring::Pool;
use offspring::pool::{TaskFailure, as_completed};

fn nap(name: String, milliseconds: u64) -> String {
    std::thread::sleep(Duration::from_millis(milliseconds));
    name
}

fn decode(number: u32) -> u32 {
    if number == 3 {
        std::process::abort(); // as a C library would on corrupt input
    }
    number * 10
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let pool = Pool::new(4)?;
    println!("squares: {:?}", pool.try_map(|n: u64| n * n, 1..=10)?);

    let naps =
        [("a", 80), ("b", 40), ("c", 10), ("d", 60), ("e", 20)].map(|(name, time)| (name.to_string(), time));
    let tasks = pool.submit_batch(nap, naps)?;
    let mut names = Vec::new();
    for (_, name) in as_completed(tasks) {
        names.push(name?);
    }
    names.sort();
    println!("all have slept: {}", names.join(" "));

    for (number, result) in pool.map(decode, 1..=5).into_iter().enumerate() {
        match result {
            Ok(result) => println!("{}: {result}", number + 1),
            Err(error) => match error.failure() {
                TaskFailure::Ended(status) => println!("{}: its worker ended: {status}", number + 1),
                other => println!("{}: {other}", number + 1),
            },
        }
    }
    pool.join();
    println!("joined");
    Ok(())
}
