//! What stands for TLS without the feature `rustls`: there is none.

use serde::{Deserialize, Serialize};

/// There is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum TlsServer {}

/// There is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum TlsClient {}
