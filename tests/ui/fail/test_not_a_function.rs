//! `#[offspring::test]` on something that does not run.

#[offspring::test]
mod tests {}

fn main() {}
