//! The secret that both sides know.

use std::fmt;

/// The secret that both sides know: Python's `authkey`. It is never shown, and never sent.
///
/// ```
/// use offspring::net::python::AuthKey;
///
/// let key = AuthKey::new("abc"); // in Python: b"abc"
/// assert_eq!(format!("{key:?}"), "AuthKey(..)");
/// ```
#[derive(Clone)]
pub struct AuthKey(Vec<u8>);

impl AuthKey {
    /// A key of these bytes.
    ///
    /// A key of no bytes is a key that everybody knows. Listeners of CPython before 3.13 take it for none.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(..)")
    }
}

impl From<&str> for AuthKey {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<&[u8]> for AuthKey {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes)
    }
}

impl<const N: usize> From<&[u8; N]> for AuthKey {
    fn from(bytes: &[u8; N]) -> Self {
        Self::new(bytes)
    }
}
