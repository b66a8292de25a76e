//! An instance that nobody told what to do.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(instances(Worker<u32>, Worker<bool>))]
struct Worker<T> {
    item: T,
}

impl Run for Worker<u32> {
    type Output = ();
    fn run(self) {}
}

fn main() {}
