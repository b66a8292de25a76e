//! A class that is defined where it is used, in the body of a function.

#![deny(warnings)]

use offspring::Process;

fn key() -> &'static str {
    use offspring::Run;
    use serde::{Deserialize, Serialize};

    #[derive(Process, Serialize, Deserialize)]
    struct Local {
        size: u64,
    }

    impl Run for Local {
        type Output = u64;
        fn run(self) -> u64 {
            self.size
        }
    }

    assert_eq!(Local { size: 2 }.run(), 2);
    Local::CLASS.key
}

#[offspring::main]
fn main() {
    assert_eq!(
        key(),
        concat!(env!("CARGO_PKG_NAME"), "::", module_path!(), "::Local")
    );
}
