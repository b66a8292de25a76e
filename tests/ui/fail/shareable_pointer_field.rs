//! Fields that are addresses without a lifetime.

use offspring::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Node {
    next: *mut Node,
    call: fn(u32) -> u32,
}

#[derive(Shareable)]
#[repr(transparent)]
struct Callback(fn(u32) -> u32);

fn main() {}
