//! Five tasks on four workers: each sleeps for a random time, and a callback prints its result when it is done.
//!
//! It prints a line per task, in the order in which they end, and then that all workers have ended.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use offspring::Pool;

/// What is to be done by workers: sleep, and say who slept.
fn nap(milliseconds: u64) -> String {
    thread::sleep(Duration::from_millis(milliseconds));
    format!("{} slept for {milliseconds} ms", offspring::current().name)
}

/// A random number from 50 to 300: the keys of a hash map are as random as that, and need no crate.
fn random_time(number: u32) -> u64 {
    50 + RandomState::new().hash_one(number) % 251
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let pool = Pool::new(4)?;
    for number in 1..=5 {
        let task = Arc::new(pool.submit(nap, (random_time(number),))?);
        // The callback takes the result, so it has the task, too.
        let done = Arc::clone(&task);
        task.on_done(move || match done.get() {
            Ok(text) => println!("task {number}: {text}"),
            Err(error) => println!("task {number}: {error}"),
        });
    }
    println!("five tasks are submitted");
    pool.close(); // no more to come
    pool.join(); // all are done, and all callbacks were called
    println!("all workers have ended");
    Ok(())
}
