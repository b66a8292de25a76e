//! `daemon` with something other than `true` or `false`.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(daemon = "yes")]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

#[derive(Process, Serialize, Deserialize)]
#[process(daemon(true))]
struct Other;

impl Run for Other {
    type Output = ();
    fn run(self) {}
}

fn main() {
    Job.start().unwrap();
    Other.start().unwrap();
}
