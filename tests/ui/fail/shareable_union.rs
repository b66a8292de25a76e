//! A union.

use offspring::Shareable;

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
union Either {
    integer: u32,
    float: f32,
}

fn main() {}
