//! Attributes without the value that they need.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(name, start_method, crate)]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

fn main() {}
