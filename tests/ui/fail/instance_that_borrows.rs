//! Instances that hold a reference or an address.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(instances(Worker<u32>, Worker<&'static str>, Worker<Vec<*mut u8>>))]
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
