//! A class that borrows for a lifetime of its own.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
struct Job<'a> {
    url: &'a str,
    part: Option<&'a str>,
}

impl Run for Job<'_> {
    type Output = ();
    fn run(self) {}
}

fn main() {
    let _ = Job {
        url: "http://localhost",
        part: None,
    };
}
