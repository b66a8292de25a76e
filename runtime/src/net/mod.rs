//! Connections between processes that are not parent and child: one listens at an address, others connect to it.
//!
//! ```
//! use offspring::net::{self, Address, Listener};
//!
//! /// Knows nothing of the listener but its address. It could be another program.
//! fn ask(address: Address) -> String {
//!     let connection = net::connect::<u32, String>(&address).expect("somebody listens");
//!     connection.send(21).expect("it is received");
//!     connection.recv().expect("it is answered")
//! }
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let listener = Listener::<String, u32>::new()?; // sends strings, receives numbers
//!     let child = offspring::spawn(ask, (listener.address().clone(),))?;
//!     let connection = listener.accept()?;
//!     let number = connection.recv()?;
//!     connection.send(format!("twice {number} is {}", 2 * number))?;
//!     assert_eq!(child.join()?, "twice 21 is 42");
//!     Ok(())
//! }
//! ```
//!
//! # Addresses
//!
//! An [`Address`] is a name that is in no file system, or the path of a socket. [`Listener::new`] picks a free name. A name is free
//! again when its listener is gone, however that ended. A path lies in a directory with its rights, and names are
//! those of a network namespace (a container's, often), so a path reaches from one container into another where the directory does. The
//! file is removed with the listener; one that was left by a process that was killed is replaced by the next that
//! binds to it.
//!
//! An address can be printed, parsed, written in a configuration, and be an argument of a process.
//!
//! # Connections
//!
//! Both sides get an ordinary [`Connection`], as of a [`pipe`](crate::pipe()): memory that the two processes share. The address
//! is for meeting only. What one side sends the other receives, so the types at [`connect`] are those of the listener the other way round;
//! a pair that does not fit is an error at [`connect`], and the listener takes no notice. They are
//! compared by name, path included: let two programs take them from one crate. Both programs use the same version of this
//! crate.
//!
//! A client that ends before it is connected is skipped. A client whose listener ends, or does not come to accept it within a time,
//! gets an error.
//!
//! # Who may connect
//!
//! The kernel vouches for the user of the process at the other end (`SO_PEERCRED`), which nothing can imitate. Listeners take
//! clients of their own user, and clients connect to listeners of theirs; [`Builder`] and [`Client`] let in others. So there is no
//! key here: Python's `authkey` proves to a stranger that one knows a secret, which processes of one user know anyway. The two
//! processes share memory afterwards: connect with users only whom you [trust](mod@crate::channel#trust).
//!
//! # Other machines
//!
//! All this is within one machine. [`remote`] is for several: bytes, with a key, and a bound on what comes from there.

mod address;
mod client;
mod error;
mod future;
mod greeting;
mod listener;
mod peer;
#[cfg(all(feature = "python", unix))]
pub mod python;
pub mod remote;

pub use address::{Address, ParseAddressError};
pub use client::{Client, connect, connect_timeout};
pub use error::ConnectError;
pub use future::AcceptFuture;
pub use listener::{Builder, Incoming, Listener};
pub use peer::Peer;

#[doc(no_inline)]
pub use crate::channel::Connection;
