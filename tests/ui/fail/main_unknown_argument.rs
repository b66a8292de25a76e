//! Arguments that `#[offspring::main]` does not take.

#[offspring::main(flavor = "multi_thread", crate = 5)]
fn main() {}
