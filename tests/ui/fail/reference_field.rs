//! Fields that refer to data that lives forever, in this process.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
struct Job {
    url: &'static str,
    parts: Vec<&'static [u8]>,
}

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

fn main() {
    let _ = Job {
        url: "http://localhost",
        parts: Vec::new(),
    };
}
