//! Whatever the input did, no process of the decoder is left.
//!
//! A file with one test, so that no other test has children meanwhile.

use std::time::Duration;

use safe_decoder::{DecodeError, decode, decode_within};

#[offspring::test]
fn no_process_is_left_behind() {
    assert!(decode(b"[1 2]").is_ok());
    assert_eq!(offspring::active_children(), []);
    assert!(matches!(decode(b"!"), Err(DecodeError::Crashed(_))));
    assert_eq!(offspring::active_children(), []);
    assert!(matches!(decode(b"99999999999999999999"), Err(DecodeError::Panicked(_))));
    assert_eq!(offspring::active_children(), []);
    assert!(matches!(decode_within(b"^", Duration::from_millis(50)), Err(DecodeError::TimedOut(_))));
    assert_eq!(offspring::active_children(), []);
}
