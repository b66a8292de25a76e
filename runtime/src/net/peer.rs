//! Who is at the other end, and whom one connects with.

use serde::{Deserialize, Serialize};

use crate::sys::local::{self, Credentials};

/// The process at the other end, as the kernel knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    pid: Option<u32>,
    uid: u32,
}

impl Peer {
    /// Its process id, at the moment when it connected. `None` for a process that has no number here, as one in an outer container.
    ///
    /// It may have ended since, and its number be another's.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Its effective user, at that moment. `None` where the kernel does not vouch for one.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        Some(self.uid)
    }
}

impl From<Credentials> for Peer {
    fn from(credentials: Credentials) -> Self {
        Self { pid: credentials.pid, uid: credentials.user }
    }
}

/// The users that are allowed beside one's own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Allowed {
    everybody: bool,
    users: Vec<u32>,
}

impl Allowed {
    pub(super) fn add(&mut self, user: u32) {
        self.users.push(user);
    }

    pub(super) fn add_everybody(&mut self) {
        self.everybody = true;
    }

    /// Whether there are others than one's own.
    pub(super) fn has_others(&self) -> bool {
        self.everybody || !self.users.is_empty()
    }

    pub(super) fn admits(&self, user: u32) -> bool {
        self.everybody || user == local::user() || self.users.contains(&user)
    }
}
