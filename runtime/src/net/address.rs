//! Where listeners are.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::sys::local::{MAX_LENGTH, Place};

/// Where a listener is. See [the module](super#addresses).
///
/// As text a name stands after an `@`, and a path has a `/` in it:
///
/// ```
/// use offspring::net::Address;
///
/// let name: Address = "@calculator".parse()?;
/// assert_eq!(name, Address::Name("calculator".into()));
/// let path: Address = "/run/calculator.socket".parse()?;
/// assert_eq!(path, Address::Path("/run/calculator.socket".into()));
/// assert_eq!(path.to_string(), "/run/calculator.socket");
/// assert!("calculator".parse::<Address>().is_err());
/// # Ok::<(), offspring::net::ParseAddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Address {
    /// The path of a socket: at most 107 bytes.
    #[doc(alias = "AF_UNIX")]
    Path(PathBuf),
    /// A name in no file system: at most 107 bytes. On Linux an abstract address (`unix(7)`).
    #[doc(alias = "abstract")]
    Name(String),
}

/// A text that is no [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address: write a name after an `@`, or a path with a `/`, as in `./{0}`")]
pub struct ParseAddressError(String);

impl Address {
    /// A name that nobody has.
    pub(super) fn fresh() -> Self {
        let random = RandomState::new().build_hasher().finish();
        Self::Name(format!("offspring-{}-{random:016x}", std::process::id()))
    }

    /// As the system takes it.
    pub(super) fn place(&self) -> io::Result<Place<'_>> {
        let (what, bytes) = match self {
            Self::Path(path) => ("path", path.as_os_str().as_encoded_bytes()),
            Self::Name(name) => ("name", name.as_bytes()),
        };
        let invalid = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if bytes.is_empty() {
            return invalid(format!("an address with an empty {what}: write one"));
        }
        if bytes.contains(&0) {
            return invalid(format!("the {what} of the address {self:?} contains a NUL: remove it"));
        }
        if bytes.len() > MAX_LENGTH {
            let length = bytes.len();
            return invalid(format!(
                "the {what} of the address `{self}` has {length} bytes, and at most {MAX_LENGTH} are possible: take a shorter one"
            ));
        }
        Ok(match self {
            Self::Path(path) => Place::Path(path),
            Self::Name(name) => Place::Name(name),
        })
    }

    /// The same from any directory.
    pub(super) fn absolute(&self) -> io::Result<Self> {
        match self {
            Self::Path(path) if !path.as_os_str().is_empty() => std::path::absolute(path).map(Self::Path),
            other => Ok(other.clone()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "@{name}"),
            Self::Path(path) => {
                let path = path.display().to_string();
                if path.starts_with('@') || !path.contains('/') {
                    f.write_str("./")?;
                }
                f.write_str(&path)
            }
        }
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix('@') {
            Some(name) if !name.is_empty() => Ok(Self::Name(name.to_owned())),
            None if text.contains('/') => Ok(Self::Path(text.into())),
            _ => Err(ParseAddressError(text.to_owned())),
        }
    }
}

impl From<&Path> for Address {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<PathBuf> for Address {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}
