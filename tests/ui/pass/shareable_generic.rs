//! Generic structs: shareable where their arguments are.

use offspring::Shareable;
use std::sync::atomic::{AtomicU32, AtomicUsize};

#[derive(Shareable)]
#[repr(C)]
struct Ring<T, const N: usize = 8>
where
    T: Copy,
{
    head: AtomicUsize,
    tail: AtomicUsize,
    slots: [Slot<T>; N],
}

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct Slot<T>(T);

trait Pixel: 'static {
    type Channel;
}

struct Grey;

impl Pixel for Grey {
    type Channel = AtomicU32;
}

#[derive(Shareable)]
#[repr(transparent)]
struct Plane<const N: usize, C: Shareable>([C; N]);

fn shareable<T: Shareable>() {}

fn main() {
    shareable::<Ring<u32>>();
    shareable::<Ring<[f64; 3], 64>>();
    shareable::<Plane<16, <Grey as Pixel>::Channel>>();

    #[derive(Shareable)]
    #[repr(C)]
    struct Local<T>(T);
    shareable::<Local<i8>>();
}
