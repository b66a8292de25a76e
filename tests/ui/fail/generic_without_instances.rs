//! A generic class without a list of its instances.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
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
