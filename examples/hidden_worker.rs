//! An application whose library hides a worker process: hostile input cannot harm it.

use std::time::Duration;

use safe_decoder::DecodeError;

fn show(name: &str, input: &[u8]) {
    match safe_decoder::decode_within(input, Duration::from_secs(30)) {
        Ok(document) => println!("{name}: {document}"),
        Err(DecodeError::Crashed(status)) => println!("{name}: refused, it crashes the decoder ({status})"),
        Err(error) => println!("{name}: refused, {error}"),
    }
}

fn main() {
    safe_decoder::init(); // all that the library asks for

    show("well-meant", b"[1 2 [3 4]] *3 7");
    show("unfinished", b"[1 2");
    show("deep", "[".repeat(10_000_000).as_bytes());
    show("long", b"*9000000000 [*9000000000 7]");
    show("aborting", b"[1 !]");
    show("panicking", b"99999999999999999999");
    match safe_decoder::decode_within(b"^", Duration::from_millis(100)) {
        Err(DecodeError::TimedOut(limit)) => println!("endless: refused, it takes more than {limit:?}"),
        other => println!("endless: {other:?}"),
    }
    println!("the application is well");
}
