//! Enums of which half could be written.

use offspring::Shareable;

#[derive(Shareable)]
#[repr(u8)]
enum Shape {
    Empty,
    Circle(f64),
    Square { side: f64 },
}

#[derive(Shareable)]
#[repr(u32)]
enum Wide {
    A = 1,
    B = 1 << 20,
}

#[derive(Shareable)]
#[repr(C)]
enum OfC {
    A,
    B,
}

fn main() {}
