//! Bytes that never came before.

use std::io;

/// As many as a nonce has, and as a random key has.
pub(super) const LENGTH: usize = 32;

/// Bytes that nobody can guess.
pub(super) fn fresh() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A number that nobody else has.
pub(crate) fn random_number() -> io::Result<u64> {
    let bytes = fresh()?;
    Ok(bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
