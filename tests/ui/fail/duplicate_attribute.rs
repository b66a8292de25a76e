//! An attribute that is given twice, in one list and in two.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(daemon, name = "a", daemon = false)]
#[process(name = "b")]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

fn main() {
    Job.start().unwrap();
}
