//! An application that forgets the one line is told which.
//!
//! This file has plain tests only: a guarded one would be the line.

use std::error::Error;

use safe_decoder::{DecodeError, decode};

#[test]
fn without_the_guard_the_error_names_the_line() {
    let error = decode(b"[1 2]").expect_err("nobody called init");
    assert!(matches!(error, DecodeError::NotInitialised(_)), "{error:?}");
    assert_eq!(error.to_string(), "safe_decoder::init() must be the first line of `main`");
    let source = error.source().expect("what offspring said").to_string();
    assert!(source.starts_with("offspring::init() has not run in this program"), "{source}");
}
