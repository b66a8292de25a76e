//! A program without the guard: its start is refused.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
struct Echo;

impl Run for Echo {
    type Output = ();
    fn run(self) {}
}

fn main() {
    println!("main {}", std::process::id());
    match Echo.start() {
        Ok(child) => println!("started {}", child.pid()),
        Err(error) => println!("refused: {error}"),
    }
}
