//! What went wrong while measuring: it is told at once, and listed in the results.

use anyhow::Result;

/// The failures so far, each kind once.
#[derive(Debug, Default)]
pub(crate) struct Failures(pub(crate) Vec<String>);

impl Failures {
    /// What succeeded; what failed is noted.
    pub(crate) fn noted<T>(&mut self, what: &str, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let failure = format!("{what}: {error:#}");
                eprintln!("bench: {failure}");
                if !self.0.contains(&failure) {
                    self.0.push(failure);
                }
                None
            }
        }
    }
}

/// Says what is being done.
pub(crate) fn note(what: &str) {
    eprintln!("bench: {what} …");
}
