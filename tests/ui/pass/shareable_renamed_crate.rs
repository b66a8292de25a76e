//! The runtime crate under another name.

mod engine {
    pub mod parts {
        pub use offspring::Shareable;
    }
}

use offspring as os;

#[derive(os::Shareable)]
#[shareable(crate = os)]
#[repr(C)]
struct Path(u32);

#[derive(engine::parts::Shareable)]
#[shareable(crate = "crate::engine::parts")]
#[repr(C)]
struct Text<T>(T);

fn shareable<T: os::Shareable>() {}

fn main() {
    shareable::<Path>();
    shareable::<Text<Path>>();
}
