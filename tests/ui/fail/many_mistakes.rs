//! Many mistakes in one class: all are reported at once, and nothing else is.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(name = "", deamon, start_method = "thread")]
#[process(name = "loader", instances(Other<u8>, Job<u32>, Job<u32>))]
struct Job<T> {
    #[process(daemon)]
    item: T,
    url: &'static str,
}

impl<T> Run for Job<T> {
    type Output = ();
    fn run(self) {}
}

fn main() {}
