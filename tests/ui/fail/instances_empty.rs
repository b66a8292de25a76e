//! A list of instances with nothing in it.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(instances())]
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
