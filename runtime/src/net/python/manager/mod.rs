//! Managers of Python: `multiprocessing.managers` at the other end, as it is.
//!
//! A [`ManagerServer`] serves queues and dictionaries of this program, and programs in Python use them over a network or a path:
//! the distributed tasks of the tutorials, with the master in Rust.
//!
//! ```python
//! from multiprocessing.managers import BaseManager
//!
//! class QueueManager(BaseManager): pass
//! QueueManager.register("get_task_queue")
//! QueueManager.register("get_result_queue")
//! m = QueueManager(address=("127.0.0.1", 5000), authkey=b"abc")
//! m.connect()
//! task, result = m.get_task_queue(), m.get_result_queue()
//! n = task.get(timeout=1)
//! result.put((n, n * n))
//! ```
//!
//! In the other direction a [`Manager`] uses what a server in Python has registered. Here both are this crate's:
//!
//! ```
//! use std::time::Duration;
//!
//! use offspring::net::python::manager::{CallError, Manager, ManagerServer, Queue};
//!
//! let (tasks, results) = (Queue::new(0), Queue::new(0));
//! let server = ManagerServer::builder(("127.0.0.1", 0), "abc")
//!     .queue("get_task_queue", &tasks)
//!     .queue("get_result_queue", &results)
//!     .start()?;
//! tasks.put(&12)?;
//!
//! let m = Manager::connect(server.endpoint(), "abc")?;
//! let (task, result) = (m.queue("get_task_queue")?, m.queue("get_result_queue")?);
//! let n: i64 = task.get_timeout(Duration::from_secs(1))?;
//! result.put(&(n, n * n))?;
//! assert!(matches!(task.get_timeout::<i64>(Duration::ZERO), Err(CallError::Empty))); // in Python: queue.Empty
//!
//! assert_eq!(results.get::<(i64, i64)>()?, (12, 144));
//! # Ok::<(), CallError>(())
//! ```
//!
//! # What is promised
//!
//! Values are plain data, as [everywhere with Python](super#values). Requests and answers are pickles; those that come here are read as
//! data, and classes in them are names: nothing is imported, made or called. What Python raises is a [`CallError`] with its class and
//! arguments, without its base classes; what a [`Queue`] or a [`Dict`] raises is the exception of Python that its own ones raise, as
//! `queue.Empty`, `queue.Full` and `KeyError`, in every CPython from 3.6 on.
//!
//! Each thread of a client has a connection, and each connection has a thread of the server. There are limits on how many there are
//! [in all](ServerBuilder::max_connections), and [in their handshake](ServerBuilder::max_handshakes).
//!
//! # When a side dies
//!
//! | who | what the others get |
//! |---|---|
//! | a client of a [`ManagerServer`] is killed while it waits in `get` | nothing is taken for it. What was taken already, and could not be sent, goes back to the front |
//! | it is killed when the answer is under way | the value is lost, as it is after `get`: the protocol has no receipt. [`tasks`](crate::tasks) have leases, between programs in Rust |
//! | it is cut off, and nobody tells | it waits, and a value may be sent to it in vain, until the system gives the connection up: after a minute, when its machine does not answer |
//! | a [`ManagerServer`] is dropped | calls of Python end with `EOFError`, later ones with `ConnectionRefusedError`; what is queued stays with this program |
//! | its program is killed | the same, and what was queued is lost |
//! | this program is killed while it waits in a server in Python | that one waits on, and takes the next value for nobody: CPython does not look. [`QueueProxy::get_timeout`] limits it |
//! | the server in Python is stopped, or stuck | nothing, or [`CallError::TimedOut`] with a [time limit](super::Builder::call_timeout) |
//! | the server in Python is killed | [`CallError::Python`] with a [disconnected](super::PythonError::is_disconnected) error, or [`NotListening`](super::PythonError::NotListening) |
//!
//! A client cannot end a [`ManagerServer`]: its `shutdown` is a `RemoteError`. The objects of a server stay whether anybody refers to them or
//! not; [`ManagerServer`] counts references only for `_number_of_objects`. A [`Proxy`] of a server in Python is one reference, and dropping it
//! takes a connection of its own to say so, as CPython does it; a program that is killed keeps its references, there and here.
//!
//! # What is not promised
//!
//! Both sides prove that they know the key (with MD5, when CPython is older than 3.12), and that is all: nothing is encrypted or signed.
//! **CPython runs what a pickle says**: a program in Python that connects somewhere, or serves, has to trust whoever knows the key. Over a network
//! that is not trusted, use a tunnel.
//!
//! Calls have no time limit, unless [they are given one](super::Builder::call_timeout). Not here: objects of classes as values, proxies within values, iterating over a
//! [`Dict`] from Python (`keys()` is there), locks and other objects of `SyncManager` to be served, `xmlrpclib`, and starting a server in Python.

mod client;
mod dict;
mod error;
mod proxies;
mod queue;
mod served;
mod server;
mod visit;

pub use client::{Manager, Proxy};
pub use dict::Dict;
pub use error::{CallError, Exception};
pub use proxies::{DictProxy, ListProxy, QueueProxy};
pub use queue::Queue;
pub use server::{ManagerServer, ServerBuilder};
