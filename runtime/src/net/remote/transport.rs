//! What messages go over once the greeting is over: the stream itself, or TLS on it.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::sync::Arc;

#[cfg(feature = "rustls")]
use super::tls::Encrypted;
use crate::sys::stream::Stream;

/// One thread reads from it, one at a time writes to it, and both at once.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(Arc<Stream>),
    #[cfg(feature = "rustls")]
    Tls(Box<Encrypted>),
}

impl Transport {
    #[cfg(feature = "rustls")]
    pub(super) fn tls(stream: Arc<Stream>, connection: rustls::Connection) -> Self {
        Self::Tls(Box::new(Encrypted::new(stream, connection)))
    }

    /// What it goes over in the end.
    pub(super) fn stream(&self) -> &Arc<Stream> {
        match self {
            Self::Plain(stream) => stream,
            #[cfg(feature = "rustls")]
            Self::Tls(encrypted) => encrypted.stream(),
        }
    }

    /// As [`Stream::read`].
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            #[cfg(feature = "rustls")]
            Self::Tls(encrypted) => encrypted.read(buffer),
        }
    }

    /// As [`Stream::read_behind`].
    pub(super) fn read_behind(&self, buffer: &mut Vec<u8>, count: usize) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_behind(buffer, count),
            #[cfg(feature = "rustls")]
            Self::Tls(encrypted) => encrypted.read_behind(buffer, count),
        }
    }

    /// As [`Stream::write`].
    pub(super) fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(parts),
            #[cfg(feature = "rustls")]
            Self::Tls(encrypted) => encrypted.write(parts),
        }
    }

    /// Says that nothing more is written. Nobody writes any more.
    pub(super) fn end(&self) -> io::Result<()> {
        #[cfg(feature = "rustls")]
        if let Self::Tls(encrypted) = self {
            encrypted.end()?;
        }
        self.stream().shut_down(Shutdown::Write)
    }
}
