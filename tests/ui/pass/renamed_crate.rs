//! The runtime crate under other names: as a path, as a string, and through a re-export.

use offspring as os;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by [`engine::parts::init`], which only a macro that obeys calls.
static OBEYED: AtomicBool = AtomicBool::new(false);

mod engine {
    pub mod parts {
        pub use offspring::{__private, Process, StartMethod};

        pub fn init() {
            crate::OBEYED.store(true, crate::Ordering::Relaxed);
            offspring::init();
        }
    }
}

#[derive(os::Process, Serialize, Deserialize)]
#[process(crate = os)]
struct Path;

impl os::Run for Path {
    type Output = ();
    fn run(self) {}
}

#[derive(os::Process, Serialize, Deserialize)]
#[process(crate = "crate::engine::parts", start_method = "spawn")]
struct Text;

impl os::Run for Text {
    type Output = ();
    fn run(self) {}
}

#[os::main(crate = crate::engine::parts)]
fn main() {
    assert!(OBEYED.load(Ordering::Relaxed));
    assert!(<Path as os::Process>::CLASS.key.ends_with("::Path"));
    assert!(<Text as os::Process>::CLASS.key.ends_with("::Text"));
    let method = <Text as os::Process>::CLASS.start_method;
    assert!(matches!(method, Some(os::StartMethod::Spawn)));
}
