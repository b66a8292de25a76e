//! Tasks that cannot be trusted: they spin, hoard memory or crash, under a time limit.

use std::time::Duration;

use offspring::{JoinError, Process, Run, Stdio};
use serde::{Deserialize, Serialize};

/// What somebody sent us to be executed.
#[derive(Clone, Copy, Debug, Process, Serialize, Deserialize)]
enum Task {
    Count(u64),
    Spin,
    Hoard,
    Recurse(u64),
    Panic,
}

impl Run for Task {
    type Output = u64;

    fn run(self) -> u64 {
        limit_memory();
        match self {
            Self::Count(to) => (1..=to).sum(),
            Self::Spin => loop {
                std::hint::spin_loop();
            },
            Self::Hoard => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(vec![1; 1 << 20]);
                }
            }
            Self::Recurse(depth) => recurse(depth),
            Self::Panic => panic!("the task is upset"),
        }
    }
}

/// Recursion that the stack ends first.
fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX { 0 } else { 1 + recurse(std::hint::black_box(depth + 1)) }
}

/// The child takes the limit upon itself, before the task runs: the parent is not concerned.
fn limit_memory() {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, setrlimit};
        const LIMIT: u64 = 512 << 20;
        setrlimit(Resource::RLIMIT_AS, LIMIT, LIMIT).expect("a limit can be lowered");
    }
}

/// Runs a task, but no longer than `limit`.
fn run(task: Task, limit: Duration) -> Result<u64, String> {
    // What it writes is not for our terminal, and there is nothing to read for it.
    let builder = task.builder().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = builder.start().map_err(|error| error.to_string())?;
    match child.join_timeout(limit) {
        Ok(Some(output)) => Ok(output),
        Ok(None) => {
            // The whole tree: it may have started processes of its own. There is no grace for it.
            child.terminate_tree(Duration::ZERO).map_err(|error| error.to_string())?;
            Err(format!("took more than {limit:?}, and was ended"))
        }
        Err(JoinError::Ended { status, .. }) => Err(format!("crashed with {status}")),
        Err(JoinError::Panicked { panic, .. }) => Err(format!("panicked: {}", panic.message)),
        Err(other) => Err(other.to_string()),
    }
}

#[offspring::main]
fn main() {
    let (patient, impatient) = (Duration::from_secs(30), Duration::from_millis(100));
    let tasks = [
        (Task::Count(100), patient),
        (Task::Hoard, patient),
        (Task::Recurse(0), patient),
        (Task::Panic, patient),
        (Task::Spin, impatient),
    ];
    for (task, limit) in tasks {
        match run(task, limit) {
            Ok(output) => println!("{task:?}: {output}"),
            Err(reason) => println!("{task:?}: {reason}"),
        }
    }
    println!("main is well");
}
