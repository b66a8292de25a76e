//! A generic type is shareable where its arguments are.

use offspring::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Padded<T> {
    value: T,
}

fn shareable<T: Shareable>() {}

fn main() {
    shareable::<Padded<u32>>();
    shareable::<Padded<char>>();
}
