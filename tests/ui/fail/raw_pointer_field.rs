//! A field that is an address.

use offspring::{Process, Run};

#[derive(Process)]
struct Job {
    first: *const u8,
}

impl Run for Job {
    type Output = ();
    fn run(self) {}
}

fn main() {
    let _ = Job {
        first: std::ptr::null(),
    };
}
