//! Hostile input ends as an error, and the application goes on.

use std::time::Duration;

use safe_decoder::{DecodeError, Token, decode, decode_within};

/// The decoder still works.
fn assert_well() {
    let document = decode(b"[1 2 [3]]").expect("it is in the format");
    assert_eq!(document.to_string(), "[1 2 [3]]");
}

#[offspring::test]
fn well_meant_input_is_decoded() {
    let document = decode(b"[1 *2 -7]").expect("it is in the format");
    let tokens = [Token::Open, Token::Integer(1), Token::Integer(-7), Token::Integer(-7), Token::Close];
    assert_eq!(document.tokens(), tokens);
    assert_eq!((document.integers().sum::<i64>(), document.depth()), (-13, 1));
    assert_well();
}

#[offspring::test]
fn input_that_is_not_in_the_format_says_where() {
    match decode(b"[1 x]") {
        Err(DecodeError::Syntax(error)) => {
            assert_eq!((error.offset, error.expected.as_str()), (3, "an item"));
        }
        other => panic!("{other:?}"),
    }
    assert_well();
}

#[offspring::test]
fn a_large_document_comes_back_whole() {
    let document = decode(b"*100000 [1 2]").expect("it is in the format");
    assert_eq!(document.tokens().len(), 400_000);
    assert_eq!(document.integers().sum::<i64>(), 300_000);
}

#[offspring::test]
fn a_large_input_arrives_whole() {
    let input = "7 ".repeat(4_000_000);
    let document = decode_within(input.as_bytes(), Duration::from_secs(50)).expect("it is in the format");
    assert_eq!(document.tokens().len(), 4_000_000);
}

#[offspring::test]
fn nesting_that_the_decoder_survives_does_not_harm_the_application() {
    let input = "[".repeat(1000) + &"]".repeat(1000);
    assert_eq!(decode(input.as_bytes()).expect("it is in the format").depth(), 1000);
}

#[cfg(unix)]
#[offspring::test]
fn deep_nesting_crashes_the_decoder_alone() {
    let input = "[".repeat(10_000_000);
    match decode_within(input.as_bytes(), Duration::from_secs(50)) {
        Err(DecodeError::Crashed(status)) => assert!(status.signal().is_some(), "{status}"),
        other => panic!("{other:?}"),
    }
    assert_well();
}

#[cfg(unix)]
#[offspring::test]
fn a_memory_bomb_crashes_the_decoder_alone() {
    match decode_within(b"*9000000000 [*9000000000 7]", Duration::from_secs(50)) {
        Err(DecodeError::Crashed(status)) => assert!(status.signal().is_some(), "{status}"),
        other => panic!("{other:?}"),
    }
    assert_well();
}

#[offspring::test]
fn an_abort_crashes_the_decoder_alone() {
    match decode(b"[1 !]") {
        Err(error @ DecodeError::Crashed(_)) => {
            assert!(error.to_string().starts_with("the input crashed the decoder: "), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_well();
}

#[offspring::test]
fn a_panic_comes_back_with_its_message() {
    match decode(b"99999999999999999999") {
        Err(DecodeError::Panicked(message)) => {
            assert!(message.starts_with("a number of 64 bits: "), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert_well();
}

#[offspring::test]
fn input_without_end_is_given_up() {
    match decode_within(b"^", Duration::from_millis(50)) {
        Err(DecodeError::TimedOut(limit)) => assert_eq!(limit, Duration::from_millis(50)),
        other => panic!("{other:?}"),
    }
    assert_well();
}

#[offspring::test]
fn threads_of_the_application_decode_at_the_same_time() {
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let document = decode(format!("[{number}]").as_bytes()).expect("it is in the format");
                assert_eq!(document.integers().collect::<Vec<_>>(), [number]);
                assert!(matches!(decode(b"!"), Err(DecodeError::Crashed(_))));
            });
        }
    });
    assert_well();
}
