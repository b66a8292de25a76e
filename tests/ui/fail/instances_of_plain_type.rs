//! Instances of a type without parameters.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(instances(Job))]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

fn main() {
    Job.start().unwrap();
}
