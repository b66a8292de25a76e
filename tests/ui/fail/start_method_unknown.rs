//! Start methods that do not exist; one is near to one that does.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(start_method = "thread")]
struct Job;

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

#[derive(Process, Serialize, Deserialize)]
#[process(start_method = "fork_server")]
struct Other;

impl Run for Other {
    type Output = ();
    fn run(self) {}
}

#[derive(Process, Serialize, Deserialize)]
#[process(start_method = Spawn)]
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
