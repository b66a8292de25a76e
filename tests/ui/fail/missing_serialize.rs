//! A class that cannot be sent.

use offspring::{Process, Run};
use serde::Deserialize;

#[derive(Process, Deserialize)]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

fn main() {}
