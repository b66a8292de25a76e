//! A `crate` that is not a path.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(crate = 5)]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

#[derive(Process, Serialize, Deserialize)]
#[process(crate = "not a path")]
struct Other;

impl Run for Other {
    type Output = ();
    fn run(self) {}
}

fn main() {}
