//! Where a server is, and how that travels.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

use crate::net::remote::{AuthKey, Endpoint, Limits, TlsClient, random_number};
use crate::wire::parcel;

thread_local! {
    /// Whether what this thread encodes for a server goes there over a local socket; `None` while it encodes for no server.
    static PRIVATE: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Where a server is, and how to talk with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Home {
    /// Which server it is: no other has this number, before it or after it. `None` when whoever is there is meant.
    pub(super) server: Option<u64>,
    pub(super) endpoint: Endpoint,
    pub(super) limits: Limits,
    pub(super) key: Option<AuthKey>,
    pub(super) tls: Option<TlsClient>,
}

impl Home {
    /// Of a new server, which local processes reach.
    pub(super) fn fresh(limits: Limits) -> std::io::Result<Self> {
        let server = Some(random_number()?);
        Ok(Self { server, endpoint: Endpoint::fresh(), limits, key: None, tls: None })
    }

    /// As it may be written where this thread writes: its key stays on this machine.
    pub(super) fn to_travel(&self) -> Self {
        let stays_here = PRIVATE.get().unwrap_or_else(parcel::is_packing);
        Self { key: self.key.clone().filter(|_| stays_here), ..self.clone() }
    }
}

/// Encodes something that goes over a link: private is one over a local socket.
pub(super) fn encoding<R>(private: bool, action: impl FnOnce() -> R) -> R {
    struct Restore(Option<bool>);
    impl Drop for Restore {
        fn drop(&mut self) {
            PRIVATE.set(self.0);
        }
    }
    let _restore = Restore(PRIVATE.replace(Some(private)));
    action()
}
