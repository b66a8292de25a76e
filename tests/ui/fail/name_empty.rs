//! A name that says nothing.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(name = "")]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

fn main() {
    Job.start().unwrap();
}
