//! An async `main` without a runtime.

use std::io;

async fn work() -> io::Result<()> {
    Ok(())
}

/// Has documentation and lint levels, which are no runtime.
#[offspring::main]
#[allow(unused)]
async fn main() -> io::Result<()> {
    work().await
}
