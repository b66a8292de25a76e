//! What the other side may cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a peer may cost: memory, connections, time.
///
/// ```
/// use offspring::net::remote::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::new().max_message(1 << 20).max_connections(16).handshake_timeout(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct Limits {
    pub(super) max_message: u32,
    pub(super) max_connections: usize,
    pub(super) max_handshakes: usize,
    pub(super) handshake_timeout: Duration,
    pub(super) peer_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 64 << 20,
            max_connections: 1024,
            max_handshakes: 128,
            handshake_timeout: Duration::from_secs(10),
            peer_timeout: Duration::from_secs(60),
        }
    }
}

impl Limits {
    /// The defaults: those that each method names.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes one message may have that is received: 64 MiB, and never more than 4 GiB less a byte. The other side learns of it when it
    /// connects, and does not send what is longer. Memory is taken as the bytes come in, not for what is announced.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = u32::try_from(bytes).unwrap_or(u32::MAX);
        self
    }

    /// With messages that may have so many bytes in any case.
    pub(crate) fn at_least(mut self, bytes: u32) -> Self {
        self.max_message = self.max_message.max(bytes);
        self
    }

    /// As [`max_message`](Self::max_message) has it.
    pub(crate) fn largest_message(&self) -> usize {
        usize::try_from(self.max_message).unwrap_or(usize::MAX)
    }

    /// As [`handshake_timeout`](Self::handshake_timeout) has it.
    pub(crate) fn handshake(&self) -> Duration {
        self.handshake_timeout
    }

    /// How many links of one [`Acceptor`](super::Acceptor) may be there at once: 1,024. Who comes thereafter is told that there are too
    /// many.
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count;
        self
    }

    /// How many clients may be in the middle of their greeting: 128. For one more the one that began first is given up, so that many who
    /// say nothing do not keep out one who does.
    pub fn max_handshakes(mut self, count: usize) -> Self {
        self.max_handshakes = count.max(1);
        self
    }

    /// How long the greeting may take, from the first byte to the last: 10 seconds.
    pub fn handshake_timeout(mut self, time: Duration) -> Self {
        self.handshake_timeout = time;
        self
    }

    /// How long a peer may be silent when its machine is asked whether it is there, or take nothing of what is sent to it, until it counts as gone:
    /// 60 seconds, in whole seconds, and 2 at least. A peer that has just nothing to say is not gone, and one whose process
    /// ended is seen to be gone at once.
    pub fn peer_timeout(mut self, time: Duration) -> Self {
        self.peer_timeout = time.max(Duration::from_secs(2));
        self
    }
}
