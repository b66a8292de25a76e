//! A layout that is up to the compiler.

use offspring::Shareable;

#[derive(Shareable)]
struct Pair(u32, u64);

#[derive(Shareable)]
#[repr(align(64))]
struct Aligned(u32);

#[derive(Shareable)]
enum Stage {
    Waiting,
    Running,
}

fn main() {}
