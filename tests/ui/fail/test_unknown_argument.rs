//! An argument that `#[offspring::test]` does not take.

#[offspring::test(threads = 2)]
fn works() {}

fn main() {}
