//! `#[process]` without parentheses.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process]
#[process = "loader"]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

fn main() {
    Job.start().unwrap();
}
