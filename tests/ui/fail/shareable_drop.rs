//! Something to do at the end, which is the end in one process only.

use offspring::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Guard {
    count: u32,
}

impl Drop for Guard {
    fn drop(&mut self) {}
}

fn main() {}
