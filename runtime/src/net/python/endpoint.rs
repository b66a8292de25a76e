//! Where a listener is.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a listener is: what Python calls its address, and its family with it.
///
/// ```
/// use offspring::net::python::Endpoint;
///
/// assert_eq!(Endpoint::from(("127.0.0.1", 5000)).to_string(), "127.0.0.1:5000"); // in Python: ("127.0.0.1", 5000)
/// assert_eq!(Endpoint::from("/run/jobs.socket").to_string(), "/run/jobs.socket"); // in Python: "/run/jobs.socket"
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// A host, by name or number, and a port. Port 0, to listen at, is any that is free.
    #[doc(alias = "AF_INET")]
    Tcp(String, u16),
    /// The path of a socket.
    #[doc(alias = "AF_UNIX")]
    Path(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

impl From<(&str, u16)> for Endpoint {
    fn from((host, port): (&str, u16)) -> Self {
        Self::Tcp(host.to_owned(), port)
    }
}

/// A path.
impl From<&str> for Endpoint {
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl From<&Path> for Endpoint {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<PathBuf> for Endpoint {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<&Endpoint> for Endpoint {
    fn from(endpoint: &Endpoint) -> Self {
        endpoint.clone()
    }
}
