//! A name that would garble a log.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(name = "load\ner")]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

fn main() {
    Job.start().unwrap();
}
