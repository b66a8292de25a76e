//! Where one listens that others, of other machines too, connect to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::net::Address;

/// Where an [`Acceptor`](super::Acceptor) is.
///
/// ```
/// use offspring::net::remote::Endpoint;
///
/// let there: Endpoint = "tcp://127.0.0.1:5000".parse()?;
/// assert_eq!(there, Endpoint::tcp("127.0.0.1", 5000));
/// let version6: Endpoint = "tcp://[::1]:5000".parse()?;
/// assert_eq!(version6, Endpoint::tcp("::1", 5000));
/// assert_eq!(version6.to_string(), "tcp://[::1]:5000");
/// let here: Endpoint = "/run/queue.socket".parse()?;
/// assert!(here.is_local());
/// assert!("127.0.0.1:5000".parse::<Endpoint>().is_err()); // neither a path nor `tcp://`
/// # Ok::<(), offspring::net::remote::ParseEndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Endpoint {
    /// A port of a host. To listen: the address of this machine's to listen at, with port 0 for one that is free.
    Tcp {
        /// A name, or an address of version 4 or 6 of the protocol.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket of this machine, for processes of one user.
    Local(Address),
}

/// A text that is no [`Endpoint`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseEndpointError {
    /// It begins with `tcp://`, and does not go on with a host and a port.
    #[error(
        "`{0}` is no endpoint: write `tcp://HOST:PORT`, as in `tcp://127.0.0.1:5000` or `tcp://[::1]:5000`"
    )]
    Tcp(String),
    /// It begins with neither `tcp://`, nor an `@`, nor is it a path.
    #[error("`{0}` is no endpoint: write `tcp://HOST:PORT`, `@NAME`, or a path with a `/` in it")]
    Local(String),
}

impl Endpoint {
    /// A port of a host.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::Tcp { host: host.into(), port }
    }

    /// A socket of this machine.
    pub fn local(address: impl Into<Address>) -> Self {
        Self::Local(address.into())
    }

    /// A socket of this machine under a name that nobody has.
    #[must_use]
    pub fn fresh() -> Self {
        Self::Local(Address::fresh())
    }

    /// Whether only processes of this machine can connect to it for certain. A port of `127.0.0.1` does not count: all users do
    /// who have a process here.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Local(address) => address.fmt(f),
        }
    }
}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(rest) = text.strip_prefix("tcp://") else {
            return match text.parse::<Address>() {
                Ok(address) => Ok(Self::Local(address)),
                Err(_says_less) => Err(ParseEndpointError::Local(text.to_owned())),
            };
        };
        let wrong = || ParseEndpointError::Tcp(text.to_owned());
        let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let host = match host.strip_prefix('[') {
            Some(host) => host.strip_suffix(']').ok_or_else(wrong)?,
            None if host.contains(':') => return Err(wrong()),
            None => host,
        };
        if host.is_empty() { Err(wrong()) } else { Ok(Self::tcp(host, port)) }
    }
}

impl From<Address> for Endpoint {
    fn from(address: Address) -> Self {
        Self::Local(address)
    }
}
