//! Each field that cannot be shared is an error of its own. (A type of std in its place, `String` say, would be printed
//! with its path or without, as the compiler finds others of the name in what is linked: the documentation has those.)

use offspring::Shareable;

struct Text([u8; 32]);

#[derive(Shareable)]
#[repr(C)]
struct Record {
    name: Text,
    count: u64,
    letter: char,
}

fn main() {}
