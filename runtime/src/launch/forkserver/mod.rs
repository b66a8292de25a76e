//! `forkserver`: a small server, made of this program, clones itself for each child.
//!
//! ```text
//!   starter ──(2) order──▶ channel of the child ◀──(3) reads it── child
//!      │                                                            ▲
//!      └──(1) slot + the child's end of the channel ──▶ server ─────┘ clone3(CLONE_PARENT | CLONE_PIDFD)
//!      ◀──(4) number and handle, over the child's channel ── server
//! ```
//!
//! The server is this program executed afresh, up to the guard: one thread, a small heap. It is made at the first
//! start, belongs to one process, and ends when that process does. It knows nothing of classes or payloads: a
//! request is a slot number and a descriptor, and is made first, so that the server clones while the starter composes the order. Its child is the **starter's** own child, so `getppid()` and `waitpid`
//! mean what they should, and the server's death harms no running child.
//!
//! **Spares.** A child may be cloned before it is needed: it then waits for its order. The order brings the
//! starter's surroundings of the moment of the start, so nothing about a spare is stale. While it has nothing to do it goes
//! through the motions of a life once, so that the memory it will touch is there.

mod client;
mod connection;
mod server;
mod spares;

pub use client::renew_forkserver;
pub(crate) use client::{forget, refill, start, strays};
pub(crate) use server::serve;
pub use spares::set_spares;
