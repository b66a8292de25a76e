//! TLS between the stream and the greeting (feature `rustls`): version 1.3, with ring.
//!
//! The server shows a certificate. A client takes either one certificate and no other, or all that an authority has signed for a name. The client
//! shows none: the [`AuthKey`](super::AuthKey) says who it is, and its proofs are bound to the TLS connection, so a server
//! that a client takes for another's cannot pass the greeting on.
//!
//! A TLS connection has one state for both directions, which is locked while bytes are put in or taken out, and never while a thread
//! waits for the stream. What one side says is in order because only one thread at a time writes.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};

use serde::{Deserialize, Serialize};

use super::RemoteError;
use super::greeting::{Binding, Talk};
use super::timed::Timed;
use crate::sys::stream::Stream;

/// How much is decrypted at once.
const CHUNK: usize = 16 << 10;

fn failed(error: impl fmt::Display) -> RemoteError {
    RemoteError::Tls(error.to_string())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, RemoteError> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if all.is_empty() { Err(failed("there is no certificate in the text")) } else { Ok(all) }
}

/// What a server shows: see [`Acceptor::bind_tls`](super::Acceptor::bind_tls).
///
/// As an [`AuthKey`](super::AuthKey) it can be an argument of a process. What prints it prints nothing of its private key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Shown", into = "Shown")]
pub struct TlsServer {
    config: Arc<ServerConfig>,
    made_of: Shown,
}

/// What a [`TlsServer`] is made of: PEM.
#[derive(Clone, Serialize, Deserialize)]
struct Shown {
    chain: Vec<u8>,
    key: Vec<u8>,
}

impl From<TlsServer> for Shown {
    fn from(tls: TlsServer) -> Self {
        tls.made_of
    }
}

impl TryFrom<Shown> for TlsServer {
    type Error = RemoteError;

    fn try_from(shown: Shown) -> Result<Self, RemoteError> {
        Self::from_pem(&shown.chain, &shown.key)
    }
}

impl TlsServer {
    /// A certificate, with those that lead to its authority behind it, and its private key; both as PEM.
    ///
    /// # Errors
    /// [`RemoteError::Tls`] when they cannot be read, or do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, RemoteError> {
        let made_of = Shown { chain: chain.into(), key: key.into() };
        let key = PrivateKeyDer::from_pem_slice(key).map_err(failed)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(failed)?
            .with_no_client_auth()
            .with_single_cert(certificates(chain)?, key)
            .map_err(failed)?;
        config.send_tls13_tickets = 0; // nobody resumes, and the server speaks only when it is asked
        Ok(Self { config: Arc::new(config), made_of })
    }

    pub(super) fn connection(&self) -> Result<Connection, RemoteError> {
        ServerConnection::new(Arc::clone(&self.config)).map(Connection::Server).map_err(failed)
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsServer(..)")
    }
}

/// Whom a client takes for the server: see [`Link::connect_tls`](super::Link::connect_tls).
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Trust", into = "Trust")]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    made_of: Trust,
}

/// What a [`TlsClient`] is made of: PEM.
#[derive(Clone, Serialize, Deserialize)]
enum Trust {
    Pinned { certificate: Vec<u8> },
    SignedBy { authorities: Vec<u8>, name: String },
}

impl From<TlsClient> for Trust {
    fn from(tls: TlsClient) -> Self {
        tls.made_of
    }
}

impl TryFrom<Trust> for TlsClient {
    type Error = RemoteError;

    fn try_from(trust: Trust) -> Result<Self, RemoteError> {
        match trust {
            Trust::Pinned { certificate } => Self::pinned(&certificate),
            Trust::SignedBy { authorities, name } => Self::signed_by(&authorities, &name),
        }
    }
}

impl TlsClient {
    /// The server with exactly this certificate, which may be signed by itself, under whatever name or address it is reached. Given as PEM.
    ///
    /// # Errors
    /// [`RemoteError::Tls`] when it cannot be read.
    pub fn pinned(certificate: &[u8]) -> Result<Self, RemoteError> {
        let made_of = Trust::Pinned { certificate: certificate.into() };
        let certificate = certificates(certificate)?.swap_remove(0);
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(failed)?
            .dangerous() // is what rustls calls a verifier of one's own
            .with_custom_certificate_verifier(Arc::new(Pinned { certificate, provider: provider() }))
            .with_no_client_auth();
        config.enable_sni = false;
        let name = ServerName::try_from("pinned.invalid").map_err(failed)?;
        Ok(Self { config: Arc::new(config), name, made_of })
    }

    /// Servers that one of these authorities has signed for this name. Given as PEM.
    ///
    /// # Errors
    /// [`RemoteError::Tls`] when they cannot be read, or the name cannot be one.
    pub fn signed_by(authorities: &[u8], name: &str) -> Result<Self, RemoteError> {
        let made_of = Trust::SignedBy { authorities: authorities.into(), name: name.into() };
        let mut roots = RootCertStore::empty();
        for authority in certificates(authorities)? {
            roots.add(authority).map_err(failed)?;
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(failed)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).map_err(failed)?;
        Ok(Self { config: Arc::new(config), name, made_of })
    }

    pub(super) fn connection(&self) -> Result<Connection, RemoteError> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        connection.map(Connection::Client).map_err(failed)
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient").field("name", &self.name).finish_non_exhaustive()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Takes one certificate, whose key the server has to have.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *certificate == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General(
                "the server has another certificate than the one it is to have".into(),
            ))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A greeting through TLS, whose own handshake it begins with.
pub(super) struct TlsTalk<'a> {
    connection: Connection,
    timed: Timed<'a>,
}

impl<'a> TlsTalk<'a> {
    pub(super) fn new(connection: Connection, timed: Timed<'a>) -> Self {
        Self { connection, timed }
    }

    /// The connection, with what it has received already.
    pub(super) fn into_connection(self) -> Connection {
        self.connection
    }

    /// Reads and writes what TLS wants.
    fn complete(&mut self) -> Result<(), RemoteError> {
        let done = self.connection.complete_io(&mut self.timed).map_err(Self::explain)?;
        if done == (0, 0) { Err(Self::ended()) } else { Ok(()) }
    }

    fn ended() -> RemoteError {
        let why = "it ended within the greeting";
        RemoteError::of_stream(io::Error::new(io::ErrorKind::UnexpectedEof, why))
    }

    fn explain(error: io::Error) -> RemoteError {
        match error.kind() {
            io::ErrorKind::WouldBlock => RemoteError::HandshakeTimeout,
            io::ErrorKind::InvalidData => failed(error),
            _ => RemoteError::of_stream(error),
        }
    }
}

impl Talk for TlsTalk<'_> {
    fn hear(&mut self, buffer: &mut [u8]) -> Result<(), RemoteError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.connection.reader().read(&mut buffer[filled..]) {
                Ok(0) => return Err(Self::ended()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.complete()?,
                Err(error) => return Err(Self::explain(error)),
            }
        }
        Ok(())
    }

    fn say(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
        while self.connection.is_handshaking() {
            self.complete()?;
        }
        self.connection.writer().write_all(bytes).map_err(Self::explain)?;
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.timed).map_err(Self::explain)?;
        }
        Ok(())
    }

    fn binding(&self) -> Result<Binding, RemoteError> {
        let exported =
            self.connection.export_keying_material(Binding::default(), b"EXPORTER-offspring-link", None);
        exported.map_err(failed)
    }
}

/// A stream with TLS on it, after the handshake.
pub(super) struct Encrypted {
    stream: Arc<Stream>,
    connection: Mutex<Connection>,
    /// Of the thread that reads.
    incoming: Mutex<Incoming>,
}

/// What has come and is not decrypted yet.
struct Incoming {
    chunk: Box<[u8]>,
    bytes: Range<usize>,
}

impl Encrypted {
    pub(super) fn new(stream: Arc<Stream>, connection: Connection) -> Self {
        let incoming = Mutex::new(Incoming { chunk: vec![0; CHUNK].into(), bytes: 0..0 });
        Self { stream, connection: Mutex::new(connection), incoming }
    }

    pub(super) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Stream::read`]. A stream that ends without TLS having said so is an error.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut connection = self.connection();
            match connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            let mut end = false;
            if incoming.bytes.is_empty() {
                drop(connection);
                let Incoming { chunk, bytes } = &mut *incoming;
                let count = self.stream.read(chunk)?;
                *bytes = 0..count;
                end = count == 0;
                connection = self.connection();
            }
            // It takes as much as it has room for: what is in there is taken out first.
            let Incoming { chunk, bytes } = &mut *incoming;
            let taken = connection.read_tls(&mut &chunk[bytes.clone()])?;
            bytes.start += taken;
            let processed = connection.process_new_packets();
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if taken == 0 && !end {
                return Err(io::Error::other("TLS takes nothing more"));
            }
        }
    }

    /// As [`Stream::read_behind`].
    pub(super) fn read_behind(&self, buffer: &mut Vec<u8>, count: usize) -> io::Result<usize> {
        let mut left = count;
        while left > 0 {
            let length = buffer.len();
            buffer.resize(length + left.min(CHUNK), 0);
            let read = self.read(&mut buffer[length..]);
            buffer.truncate(length + *read.as_ref().unwrap_or(&0));
            match read? {
                0 => break,
                came => left -= came,
            }
        }
        Ok(count - left)
    }

    /// As [`Stream::write`], but all that it takes is written.
    pub(super) fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut connection = self.connection();
        let count = connection.writer().write_vectored(parts)?;
        self.flush(connection)?;
        Ok(count)
    }

    /// Says that nothing more comes.
    pub(super) fn end(&self) -> io::Result<()> {
        let mut connection = self.connection();
        connection.send_close_notify();
        self.flush(connection)
    }

    /// Writes what is encrypted, without the lock.
    fn flush(&self, mut connection: MutexGuard<'_, Connection>) -> io::Result<()> {
        let mut cipher = Vec::new();
        while connection.wants_write() {
            connection.write_tls(&mut cipher)?;
        }
        drop(connection);
        let mut left = &cipher[..];
        while !left.is_empty() {
            let count = self.stream.write(&[IoSlice::new(left)])?;
            left = &left[count..];
        }
        Ok(())
    }
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted").field("stream", &self.stream).finish_non_exhaustive()
    }
}
