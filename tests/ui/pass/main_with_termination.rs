//! A `main` whose return type is only known as a trait.

#![deny(warnings)]

use std::process::{ExitCode, Termination};

#[offspring::main]
fn main() -> impl Termination {
    let code = if env!("CARGO_PKG_NAME").is_empty() {
        1
    } else {
        0
    };
    assert_eq!(code, 0);
    ExitCode::from(code)
}
