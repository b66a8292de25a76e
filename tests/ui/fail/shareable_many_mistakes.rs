//! Everything at once.

use offspring::Shareable;

#[derive(Shareable)]
#[shareable(krate = ::offspring)]
#[shareable]
struct Record {
    #[shareable(crate = ::offspring)]
    name: &'static str,
    next: *const Record,
}

fn main() {}
