//! A crate whose process class another crate starts.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

/// Doubles a number in a process of its own.
#[derive(Debug, Process, Serialize, Deserialize)]
pub struct Double(
    /// The number.
    pub u64,
);

impl Run for Double {
    type Output = u64;

    fn run(self) -> u64 {
        self.0 * 2
    }
}
