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
//!
//! An [`Acceptor`] listens at an [`Endpoint`], clients [connect](Link::connect) to it, and both have a [`Link`]. What goes over it are
//! bytes; [`net::connect`](crate::net::connect()) is for values between processes of one machine, and is faster there.
//!
//! # Who is let in
//!
//! Both sides prove that they know the [`AuthKey`] before anything is decoded, and without the key itself or anything that could be used
//! again going over the network. A port needs a key. A local socket needs none: the kernel vouches there for the user, who
//! has to be the same on both sides; a key that was given is asked for nevertheless.
//!
//! The key says who is there, at the moment of the greeting. It does not hide what is said, nor protect it from somebody who sits
//! on the way and changes it. Between machines take TLS (the feature `rustls`: `Acceptor::bind_tls`, `Link::connect_tls`), or a network that
//! you trust.
//!
//! # What it may cost
//!
//! [`Limits`] bound how long a message may be, how many connections there are, how many are in their greeting and for how long, and how long a
//! peer may not react. A stranger costs a thread with a small stack and some dozen bytes for at most as long as that.
//! Who knows the key may send messages up to the limit, and the crate's decoder takes no more memory for a value than some times the
//! bytes that came.
//!
//! # Who ends when
//!
//! A process that ends, in whichever way, ends its links, and the other side sees it at once: see [`LinkReceiver::recv`]. A client that fails,
//! lies or stalls in its greeting is told why if it can be, is listed in [`Acceptor::refusals`], and costs nobody
//! else anything. A message that was sent may have been received or not when the link ends; who has to know asks for an answer.

mod acceptor;
mod endpoint;
mod error;
pub(crate) mod greeting;
mod key;
mod limits;
pub(crate) mod link;
#[cfg(not(feature = "rustls"))]
mod no_tls;
mod nonce;
mod timed;
#[cfg(feature = "rustls")]
mod tls;
mod transport;

pub use acceptor::{Acceptor, Refusal, Refusals};
pub use endpoint::{Endpoint, ParseEndpointError};
pub use error::RemoteError;
pub use key::AuthKey;
pub use limits::Limits;
pub(crate) use link::Put;
pub use link::{Caller, Link, LinkReceiver, LinkSender};
#[cfg(not(feature = "rustls"))]
pub(crate) use no_tls::{TlsClient, TlsServer};
pub(crate) use nonce::random_number;
#[cfg(feature = "rustls")]
pub use tls::{TlsClient, TlsServer};
