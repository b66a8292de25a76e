//! A union.

use offspring::Process;

#[derive(Process)]
union Either {
    small: u8,
    large: u64,
}

fn main() {
    let _ = Either { small: 1 };
}
