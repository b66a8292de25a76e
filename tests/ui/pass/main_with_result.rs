//! A `main` that returns a result, uses `?`, and begins with items and an inner attribute.

#![deny(warnings)]
#![forbid(unsafe_code)]

/// Documented.
#[allow(clippy::missing_errors_doc)]
#[offspring::main]
#[inline]
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    #![allow(unused_variables)]
    use std::str::FromStr as _;

    const EXPECTED: u32 = 42;

    let unused = 1;
    let number = u32::from_str("42")?;
    assert_eq!(number, EXPECTED);
    if number == EXPECTED {
        return Ok(());
    }
    Err("unreachable".into())
}
