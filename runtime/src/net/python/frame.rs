//! Where messages begin and end: a length of four bytes, the highest first, and the message.
//!
//! A length above 2 GiB follows in eight bytes after a -1. The source is `Connection._send_bytes` in CPython's
//! `Lib/multiprocessing/connection.py`.

use std::io::{self, Read, Write};

use super::PythonError;

/// Up to this length a message goes in one piece with its length, as CPython has it.
const IN_ONE_PIECE: usize = 16 * 1024;

/// As much is reserved for a message that is only announced.
const ON_CREDIT: u64 = 64 * 1024;

/// Writes a message.
pub(super) fn write(mut to: impl Write, message: &[u8]) -> Result<(), PythonError> {
    let header = match i32::try_from(message.len()) {
        Ok(length) => length.to_be_bytes().to_vec(),
        Err(_) => [&(-1_i32).to_be_bytes()[..], &(message.len() as u64).to_be_bytes()].concat(),
    };
    let written = if message.len() <= IN_ONE_PIECE {
        to.write_all(&[&header, message].concat())
    } else {
        to.write_all(&header).and_then(|()| to.write_all(message))
    };
    written.map_err(|error| if is_gone(&error) { PythonError::Closed } else { error.into() })
}

/// Reads a message. What is announced is believed only as it comes.
pub(super) fn read(mut from: impl Read, limit: u64) -> Result<Vec<u8>, PythonError> {
    let header = take(&mut from, 4)?;
    if header.is_empty() {
        return Err(PythonError::Closed);
    }
    let length = match i32::from_be_bytes(whole(&header)?) {
        -1 => u64::from_be_bytes(whole(&take(&mut from, 8)?)?),
        length => u64::try_from(length).map_err(|_| PythonError::InvalidLength(length))?,
    };
    if length > limit {
        return Err(PythonError::TooLong { length, limit });
    }
    let message = take(&mut from, length)?;
    let received = message.len() as u64;
    if received < length { Err(PythonError::Truncated { received, announced: length }) } else { Ok(message) }
}

/// So many bytes, or all that come before the end.
fn take(from: &mut impl Read, length: u64) -> Result<Vec<u8>, PythonError> {
    let mut bytes = Vec::with_capacity(length.min(ON_CREDIT) as usize);
    match from.take(length).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) if is_gone(&error) => Ok(bytes),
        Err(error) => Err(error.into()),
    }
}

fn whole<const N: usize>(bytes: &[u8]) -> Result<[u8; N], PythonError> {
    let cut = |_| PythonError::Truncated { received: bytes.len() as u64, announced: N as u64 };
    bytes.try_into().map_err(cut)
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What counts what is asked of it.
    struct Endless(u64);

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += buffer.len() as u64;
            buffer.fill(0xff);
            Ok(buffer.len())
        }
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        for length in [0, 1, IN_ONE_PIECE, IN_ONE_PIECE + 1, 1 << 20] {
            let message = vec![7; length];
            let mut written = Vec::new();
            write(&mut written, &message).expect("memory takes it");
            assert_eq!(written.len(), length + 4);
            assert_eq!(read(&written[..], length as u64).expect("it is whole"), message);
        }
    }

    #[test]
    fn a_long_length_is_understood() {
        let long = [&[0xff; 4][..], &3_u64.to_be_bytes(), b"abc"].concat();
        assert_eq!(read(&long[..], 3).expect("it is whole"), b"abc");
        let longest = read(Endless(0), u64::MAX - 1);
        assert!(matches!(longest, Err(PythonError::TooLong { length: u64::MAX, .. })), "{longest:?}");
    }

    #[test]
    fn what_is_no_message_is_told_apart() {
        assert!(matches!(read(&b""[..], 9), Err(PythonError::Closed)));
        assert!(matches!(read(&b"\0\0"[..], 9), Err(PythonError::Truncated { received: 2, announced: 4 })));
        assert!(matches!(
            read(&b"\0\0\0\x03ab"[..], 9),
            Err(PythonError::Truncated { received: 2, announced: 3 })
        ));
        assert!(matches!(read(&b"\xff\xff\xff\xfe"[..], 9), Err(PythonError::InvalidLength(-2))));
        assert!(matches!(
            read(&b"\0\0\0\x0a0123456789"[..], 9),
            Err(PythonError::TooLong { length: 10, limit: 9 })
        ));
    }
}
