//! Attributes of the class on a field and on a variant.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
struct Job {
    #[process(daemon)]
    size: u64,
}

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

#[derive(Process, Serialize, Deserialize)]
enum Step {
    #[process(name = "first")]
    First(#[process(start_method = "spawn")] u8),
}

impl Run for Step {
    type Output = ();
    fn run(self) {}
}

fn main() {
    Job { size: 1 }.start().unwrap();
    Step::First(1).start().unwrap();
}
