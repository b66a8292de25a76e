//! Attributes that do not exist; some are near to one that does.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(deamon, priority = 5)]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

#[derive(Process, Serialize, Deserialize)]
#[process(rename = "loader", method = "spawn")]
struct Other;

impl Run for Other {
    type Output = ();
    fn run(self) {}
}

fn main() {
    Job.start().unwrap();
    Other.start().unwrap();
}
