//! A stream in its greeting.

use std::io::{self, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use super::{RemoteError, greeting};
use crate::sys::stream::Stream;

/// A stream in its greeting, which has to be over by a deadline, however slowly it goes on.
pub(super) struct Timed<'a> {
    stream: &'a Stream,
    deadline: Option<Instant>,
}

impl<'a> Timed<'a> {
    pub(super) fn new(stream: &'a Stream, deadline: Option<Instant>) -> Self {
        Self { stream, deadline }
    }

    fn left(&self) -> Result<Option<Duration>, RemoteError> {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) { Err(RemoteError::HandshakeTimeout) } else { Ok(left) }
    }

    fn explain(error: io::Error) -> RemoteError {
        match error.kind() {
            io::ErrorKind::WouldBlock => RemoteError::HandshakeTimeout,
            _ => RemoteError::of_stream(error),
        }
    }

    /// Waits until the other side has ended the stream, and does not look at what it says until then.
    pub(super) fn outlast(&self) -> Result<(), RemoteError> {
        let mut ignored = [0; 512];
        loop {
            self.stream.set_read_timeout(self.left()?).map_err(RemoteError::system)?;
            if self.stream.read(&mut ignored).map_err(Self::explain)? == 0 {
                return Ok(());
            }
        }
    }
}

impl greeting::Talk for Timed<'_> {
    fn hear(&mut self, mut buffer: &mut [u8]) -> Result<(), RemoteError> {
        while !buffer.is_empty() {
            self.stream.set_read_timeout(self.left()?).map_err(RemoteError::system)?;
            match self.stream.read(buffer).map_err(Self::explain)? {
                0 => {
                    let why = "it ended within the greeting";
                    return Err(RemoteError::of_stream(io::Error::new(io::ErrorKind::UnexpectedEof, why)));
                }
                count => buffer = &mut buffer[count..],
            }
        }
        Ok(())
    }

    fn say(&mut self, mut bytes: &[u8]) -> Result<(), RemoteError> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(self.left()?).map_err(RemoteError::system)?;
            let count = self.stream.write(&[IoSlice::new(bytes)]).map_err(Self::explain)?;
            bytes = &bytes[count..];
        }
        Ok(())
    }
}

/// For what goes between the stream and the greeting.
impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left().map_err(|_| io::ErrorKind::WouldBlock)?)?;
        self.stream.read(buffer)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// All at once: TLS writes what it has to say of an error once.
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left().map_err(|_| io::ErrorKind::WouldBlock)?)?;
        self.stream.write(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
