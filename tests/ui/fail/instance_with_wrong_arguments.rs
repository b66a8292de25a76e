//! Instances with too few and too many arguments.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(instances(Worker, Worker<u32, u32>))]
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
