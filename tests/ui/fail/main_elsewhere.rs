//! `#[offspring::main]` on another function.

#[offspring::main]
fn start() {}

fn main() {
    start();
}
