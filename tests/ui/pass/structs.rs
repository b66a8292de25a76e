//! Structs of all three shapes, and what the registry is told of them.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

/// With named fields.
#[derive(Process, Serialize, Deserialize)]
pub struct Downloader {
    /// Where from.
    pub url: String,
    /// How much.
    pub size: u64,
}

impl Run for Downloader {
    type Output = u64;
    fn run(self) -> u64 {
        self.size
    }
}

#[derive(Process, Serialize, Deserialize)]
struct Unit;

impl Run for Unit {
    type Output = ();
    fn run(self) {}
}

#[derive(Process, Serialize, Deserialize)]
struct Pair(u8, String);

impl Run for Pair {
    type Output = (u8, String);
    fn run(self) -> (u8, String) {
        (self.0, self.1)
    }
}

#[offspring::main]
fn main() {
    let package = env!("CARGO_PKG_NAME");
    let module = module_path!();

    let class = <Downloader as Process>::CLASS;
    assert_eq!(class.key, format!("{package}::{module}::Downloader"));
    assert_eq!(class.name, "Downloader");
    assert_eq!(class.file, file!());
    assert_eq!(class.line, 11);
    assert_eq!(class.daemon, None);
    assert!(class.start_method.is_none());

    assert_eq!(<Unit as Process>::CLASS.name, "Unit");
    assert_eq!(<Unit as Process>::CLASS.line, 26);
    assert_eq!(
        <Pair as Process>::CLASS.key,
        format!("{package}::{module}::Pair")
    );
    assert_ne!(class.schema, <Unit as Process>::CLASS.schema);
    assert_ne!(class.schema, <Pair as Process>::CLASS.schema);
}
