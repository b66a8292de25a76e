//! The secret that two sides share.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A secret by which a client and an [`Acceptor`](super::Acceptor) know each other. What prints it prints no byte of it.
///
/// It never travels in a greeting, only what shows that one knows it. It can be an argument of a process, which goes over a private
/// socket, and is in no command line or environment.
///
/// Whoever listens in on a greeting can try out keys at leisure afterwards. Take [`AuthKey::random`], or a key that cannot be
/// guessed in any time; a word is none.
#[derive(Clone, Serialize, Deserialize)]
#[doc(alias = "authkey")]
pub struct AuthKey(#[serde(with = "crate::wire::bytes")] Vec<u8>);

impl AuthKey {
    /// These bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// 32 bytes that nobody can guess.
    ///
    /// # Panics
    /// When the system has no random numbers, which is a fault of it.
    #[must_use]
    pub fn random() -> Self {
        Self(super::nonce::fresh().expect("the system has random numbers").to_vec())
    }

    /// The bytes: to be kept where others cannot read them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
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
