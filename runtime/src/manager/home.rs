//! Where a server is, and how that travels.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use super::caller::Caller;
use crate::net::remote::{AuthKey, Endpoint, Limits, TlsClient, random_number};
use crate::wire::parcel;

thread_local! {
    /// For whom this thread writes, if it is for the other side of a link.
    static READER: RefCell<Option<Reader>> = const { RefCell::new(None) };
}

/// For whom something is written.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    /// Whether it stays on this machine, and with this user.
    private: bool,
    /// The server that answers, and whom.
    guest: Option<(u64, Caller)>,
}

impl Reader {
    /// A guest of a server, which gets an answer.
    pub(super) fn guest(private: bool, server: u64, caller: Caller) -> Self {
        Self { private, guest: Some((server, caller)) }
    }

    /// For whom this thread writes an answer.
    pub(super) fn current() -> Option<Self> {
        READER.with_borrow(Option::clone).filter(|reader| reader.guest.is_some())
    }

    /// For whom this thread writes, answer or not.
    pub(super) fn of_this_thread() -> Self {
        READER.with_borrow(Option::clone).unwrap_or(Self { private: false, guest: None })
    }

    /// Which server answers.
    pub(super) fn server(&self) -> Option<u64> {
        self.guest.as_ref().map(|(server, _)| *server)
    }

    /// Who gets an answer of this server.
    pub(super) fn of_server(&self, number: u64) -> Option<&Caller> {
        self.guest.as_ref().filter(|(server, _)| *server == number).map(|(_, caller)| caller)
    }

    /// Writes something for it.
    pub(super) fn encoding<R>(&self, action: impl FnOnce() -> R) -> R {
        struct Restore(Option<Reader>);
        impl Drop for Restore {
            fn drop(&mut self) {
                READER.set(self.0.take());
            }
        }
        let _restore = Restore(READER.replace(Some(self.clone())));
        action()
    }
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
        let private = READER.with_borrow(|reader| reader.as_ref().map(|reader| reader.private));
        let stays_here = private.unwrap_or_else(parcel::is_packing);
        Self { key: self.key.clone().filter(|_| stays_here), ..self.clone() }
    }
}

/// Encodes something that goes to a server: private is what goes over a local socket.
pub(super) fn encoding<R>(private: bool, action: impl FnOnce() -> R) -> R {
    Reader { private, guest: None }.encoding(action)
}
