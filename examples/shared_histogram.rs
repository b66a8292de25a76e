//! A shared histogram under a lock whose holder is killed in between: the next holder repairs what it left half done.

use std::thread;

use anyhow::ensure;
use offspring::sync::{LockError, Mutex, MutexGuard};
use offspring::{Process, Run, Sender, Shareable, channel};
use serde::{Deserialize, Serialize};

/// How often each last digit came. It lies in shared memory, in the lock.
#[derive(Debug, Default, Shareable)]
#[repr(C)]
struct Histogram {
    /// How many values came: as many as the digits add up to, unless somebody is in the middle of a change.
    total: u64,
    digits: [u64; 10],
}

impl Histogram {
    fn record(&mut self, value: usize, in_between: impl FnOnce()) {
        self.total += 1;
        in_between();
        self.digits[value % 10] += 1;
    }

    /// Makes it consistent, and returns how many values were lost.
    fn repair(&mut self) -> u64 {
        let whole = self.digits.iter().sum();
        let lost = self.total - whole;
        self.total = whole;
        lost
    }
}

/// Locks the histogram. If its last holder has died, says so and repairs it first.
fn lock(histogram: &Mutex<Histogram>) -> MutexGuard<'_, Histogram> {
    match histogram.lock() {
        Ok(guard) => guard,
        Err(LockError::Poisoned(poison)) => {
            let (owner, cause) = (poison.owner(), poison.cause());
            let mut guard = poison.into_inner(); // the lock is held: nobody else sees what follows
            let lost = guard.repair();
            histogram.clear_poison();
            let name = offspring::current().name;
            println!("{name}: the holder before, {owner:?}, {cause:?}: repaired, {lost} value is lost");
            guard
        }
        Err(other) => panic!("{other}"),
    }
}

/// Records some values.
#[derive(Process, Serialize, Deserialize)]
struct Recorder {
    histogram: Mutex<Histogram>,
    values: usize,
}

impl Run for Recorder {
    type Output = ();

    fn run(self) {
        for value in 0..self.values {
            lock(&self.histogram).record(value, || ());
        }
    }
}

/// Gets stuck in the middle of a value.
#[derive(Process, Serialize, Deserialize)]
struct Dreamer {
    histogram: Mutex<Histogram>,
    stuck: Sender<()>,
}

impl Run for Dreamer {
    type Output = ();

    fn run(self) {
        let mut histogram = lock(&self.histogram);
        histogram.record(3, || ());
        histogram.record(4, || {
            self.stuck.send(()).expect("the parent listens");
            loop {
                thread::park();
            }
        });
    }
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let histogram = Mutex::new(Histogram::default())?;
    let (stuck, is_stuck) = channel::channel()?;
    let dreamer = Dreamer { histogram: histogram.clone(), stuck }.start()?;
    is_stuck.recv()?;

    let recorder = Recorder { histogram: histogram.clone(), values: 1000 };
    let recorders = (0..3).map(|_| recorder.start()).collect::<Result<Vec<_>, _>>()?;
    println!("{} (pid {}) holds the lock, and is killed", dreamer.name(), dreamer.pid());
    dreamer.kill()?;
    for recorder in recorders {
        recorder.join()?; // none waits for the dead: whoever came next got the lock, and the news
    }
    ensure!(dreamer.wait()?.exitcode() == -9, "the dreamer ended by itself");

    let histogram = lock(&histogram);
    println!("{} values: {:?}", histogram.total, histogram.digits);
    Ok(())
}
