//! Names that are not strings.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(name = loader)]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

#[derive(Process, Serialize, Deserialize)]
#[process(name("loader"))]
struct Other;

impl Run for Other {
    type Output = ();
    fn run(self) {}
}

#[derive(Process, Serialize, Deserialize)]
#[process(name = 5)]
struct Third;

impl Run for Third {
    type Output = ();
    fn run(self) {}
}

fn main() {
    Job.start().unwrap();
    Other.start().unwrap();
    Third.start().unwrap();
}
