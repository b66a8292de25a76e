//! A class that cannot be received.

use offspring::{Process, Run};
use serde::Serialize;

#[derive(Process, Serialize)]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

fn main() {}
