//! Instances that are not a list of types.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(instances)]
struct Worker<T> {
    item: T,
}

impl<T> Run for Worker<T> {
    type Output = ();
    fn run(self) {}
}

fn start() {
    Worker { item: 1_u32 }.start().unwrap();
}

mod quoted {
    use super::*;

    #[derive(Process, Serialize, Deserialize)]
    #[process(instances = "Worker<u32>")]
    struct Worker<T> {
        item: T,
    }

    impl<T> Run for Worker<T> {
        type Output = ();
        fn run(self) {}
    }
}

mod unreadable {
    use super::*;

    #[derive(Process, Serialize, Deserialize)]
    #[process(instances(Worker<u32>, 5))]
    struct Worker<T> {
        item: T,
    }

    impl<T> Run for Worker<T> {
        type Output = ();
        fn run(self) {}
    }
}

fn main() {
    start();
}
