//! Decodes input that nobody should trust, in a process of its own.
//!
//! The decoder behind this library is one that we cannot mend: it overflows the stack on deep nesting, aborts on some
//! input, runs for ever on other. So it runs in a process class, and whatever becomes of it is a [`DecodeError`] for the
//! application, which never sees a process. It has to begin its `main` with one line:
//!
//! ```
//! fn main() {
//!     safe_decoder::init();
//!     let document = safe_decoder::decode(b"[1 2 [3]]").unwrap();
//!     assert_eq!(document.integers().sum::<i64>(), 6);
//!     assert!(safe_decoder::decode("[".repeat(10_000_000).as_bytes()).is_err()); // and we are still here
//! }
//! ```
//!
//! The format: an integer is an item; so are items in brackets, a list. `*3 7` is three sevens. Items are
//! set apart by spaces. `^` starts over at the beginning, and `!` is what the decoder aborts on.

mod decoder;
mod document;
mod error;
mod worker;

pub use document::{Document, Token};
pub use error::{DecodeError, SyntaxError};
/// The one line that `main` begins with. `#[offspring::main]` does the same.
pub use offspring::init;
pub use worker::{decode, decode_within};
