//! Fields that keep their content elsewhere.

use offspring::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Record {
    name: String,
    count: u64,
    letter: char,
    list: Vec<u8>,
}

fn main() {}
