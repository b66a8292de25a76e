//! One name for two instances.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(name = "worker", instances(Worker<u32>, Worker<String>))]
struct Worker<T> {
    item: T,
}

impl<T> Run for Worker<T> {
    type Output = ();
    fn run(self) {}
}

fn main() {
    Worker { item: 1_u32 }.start().unwrap();
}
