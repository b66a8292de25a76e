//! Fields that are addresses of something in one process, and a lifetime.

use offspring::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Record {
    name: &'static str,
    list: &'static [u32],
    pair: [&'static u64; 2],
}

#[derive(Shareable)]
#[repr(C)]
struct Borrowed<'a> {
    name: &'a str,
}

fn main() {}
