//! Links between processes of any machines: whole messages over TCP and local sockets, between two sides that have proved to each other
//! that they know the same key.
//!
//! ```
//! use offspring::net::remote::{Acceptor, AuthKey, Endpoint, Limits, Link};
//!
//! let key = AuthKey::random();
//! let acceptor = Acceptor::bind(&Endpoint::tcp("127.0.0.1", 0), Some(key.clone()), Limits::new())?;
//! let mut client = Link::connect(acceptor.endpoint(), Some(&key), &Limits::new())?;
//! let mut server = acceptor.accept()?;
//! client.send(b"question")?;
//! assert_eq!(server.recv()?, b"question");
//! server.send(b"answer")?;
//! assert_eq!(client.recv()?, b"answer");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod acceptor;
mod endpoint;
mod error;
mod key;
mod limits;
mod link;
mod nonce;

pub use acceptor::Acceptor;
pub use endpoint::{Endpoint, ParseEndpointError};
pub use error::RemoteError;
pub use key::AuthKey;
pub use limits::Limits;
pub use link::{Caller, Link, LinkReceiver, LinkSender};
