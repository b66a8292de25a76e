//! A `main` that is more than a function.

#[offspring::main]
pub const unsafe extern "C" fn main() {}
