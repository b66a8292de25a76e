//! Async tests, without a runtime and with one that makes a test of its own.

use std::io;

#[offspring::test]
async fn works() -> io::Result<()> {
    Ok(())
}

#[offspring::test]
#[tokio::test]
async fn works_with_tokio() {}

fn main() {}
