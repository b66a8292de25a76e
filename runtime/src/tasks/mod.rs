//! Tasks for workers on any machine: one server has them, workers get them and bring results, and none is lost.
//!
//! ```
//! use offspring::net::remote::{AuthKey, Endpoint};
//! use offspring::tasks::{TaskServer, TaskWorker};
//!
//! /// Could run on another machine: it knows the server's endpoint and key, and nothing else.
//! fn work(server: Endpoint, key: AuthKey) -> u64 {
//!     let worker = TaskWorker::<u64, u64>::connect(&server, Some(&key)).expect("the server listens");
//!     worker.run(|number| number * number).expect("the server shuts down in order")
//! }
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let key = AuthKey::random();
//!     let server = TaskServer::<u64, u64>::bind(&Endpoint::tcp("127.0.0.1", 0), Some(key.clone()))?;
//!     let worker = offspring::spawn(work, (server.endpoint().clone(), key))?;
//!
//!     let (tasks, results) = (server.get_task_queue(), server.get_result_queue());
//!     for number in 0..10 {
//!         tasks.put(&number)?;
//!     }
//!     let mut sum = 0;
//!     for _ in 0..10 {
//!         sum += results.get()?.into_result()?;
//!     }
//!     assert_eq!(sum, 285);
//!     server.shutdown();
//!     assert_eq!(worker.join()?, 10);
//!     Ok(())
//! }
//! ```
//!
//! [`TaskServer::get_task_queue`] is where tasks are put and [`TaskServer::get_result_queue`] where results come;
//! [`TaskWorker::get_task_queue`] and [`TaskWorker::get_result_queue`] are the same queues seen from a worker. Both programs take the
//! types of tasks and results from one crate, and hold the same [`AuthKey`](crate::net::remote::AuthKey). Everything goes over one
//! [`Link`](crate::net::remote::Link) per worker or producer: see [there](crate::net::remote) for who is let in and what it may cost. With the feature
//! `rustls` it goes through TLS if both sides are told so: `TaskServerBuilder::tls`, `TaskWorkerBuilder::tls`, `TaskClientBuilder::tls`.
//!
//! # Leases
//!
//! A worker does not take a task away, it [leases](Leased) it. The task is done when its result has come. It is given to
//! another worker when its worker
//!
//! - ends, in whichever way, or is cut off: at once,
//! - is stopped, or its machine vanishes: when it has said nothing for [a lease](TaskServerBuilder::lease),
//! - drops it, or [gives it back](Leased::give_back).
//!
//! So a task may be **done more than once**, when a worker that was cut off still works on it. It has **one result**: the first that
//! comes. A task with which [so many](TaskServerBuilder::attempts) workers were lost is given up, and its result is an error.
//!
//! # Producers elsewhere
//!
//! Other programs put tasks into a server with a [`TaskClient`], and get the results of theirs. [`ClientTasks::put`] returns when the server has the
//! task, and has it in its journal if there is one; a task that is sent twice, because the link was cut before the answer came, is there
//! once.
//!
//! ```
//! use offspring::net::remote::{AuthKey, Endpoint};
//! use offspring::tasks::{TaskClient, TaskServer, TaskWorker};
//!
//! let key = AuthKey::random();
//! let server = TaskServer::<u64, u64>::bind(&Endpoint::tcp("127.0.0.1", 0), Some(key.clone()))?;
//! // These could be programs on other machines.
//! let client = TaskClient::<u64, u64>::connect(server.endpoint(), Some(&key))?;
//! let worker = TaskWorker::<u64, u64>::connect(server.endpoint(), Some(&key))?;
//!
//! let number = client.get_task_queue().put(&12)?;
//! let task = worker.get_task_queue().get()?;
//! let square = *task * *task;
//! worker.get_result_queue().put(task, &square)?;
//! let finished = client.get_result_queue().get()?;
//! assert_eq!((finished.number(), finished.into_result()?), (number, 144));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A producer's results are at the server until they are got. Its tasks go on whatever becomes of it. When a producer
//!
//! - ends in order (it is dropped): what it has not got comes to [the server's own queue](TaskServer::get_result_queue), now and later,
//! - is cut off: its results wait for it, and it comes back by itself, as a worker does,
//! - dies, or ends while it is cut off: its results wait for [the retention](TaskServerBuilder::retention), and are had by a program that is started again with its
//!   [name](TaskClientBuilder::name); after that time they come to the server's own queue.
//!
//! So no result is lost that somebody gets, and what there can be is bounded: at [the capacity](TaskServerBuilder::capacity) what was left behind and nobody has got
//! makes room, and then a put is an error. A task whose
//! server was started again without a journal has an outcome too: [`TaskFailure::Forgotten`].
//!
//! # When a side ends
//!
//! | what ends | what the others see |
//! |---|---|
//! | a worker, before it got a task | nothing |
//! | a worker, while it works | the task is given to another |
//! | a worker, after it handed in a result | [`put`](WorkerResults::put) has returned: the result is there |
//! | the way between them | as a worker that ends; it comes back by itself, and brings the result that it has |
//! | a producer | nothing, or what is said above |
//! | the server, and is started again | workers come back, with what they hold; without a journal all else is lost |
//! | the server, with a journal | every task that was put, and every result that was handed in and not got, is there |
//! | the server, for longer than [the patience](TaskWorkerBuilder::patience) of a worker or a producer | its calls are errors |
//! | the server, by [`shutdown`](TaskServer::shutdown) | [`TaskError::Closed`], and [`TaskWorker::run`] returns. With a journal, producers find their results when it is started again |
//!
//! A journal is a file, with the feature `persist`: see `TaskServerBuilder::journal`. It is on the disk before [`TaskQueue::put`] or
//! [`WorkerResults::put`] returns.

mod client;
mod error;
mod finished;
mod journal;
mod ledger;
pub(crate) mod message;
mod server;
mod standing;
mod worker;

use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use client::{ClientResults, ClientTasks, TaskClient, TaskClientBuilder};
pub use error::{TaskError, TaskFailure};
pub use finished::Finished;
pub use ledger::TaskCounts;
pub use message::Receipt;
pub use server::{ResultQueue, TaskQueue, TaskServer, TaskServerBuilder};
pub use worker::{Leased, TaskWorker, TaskWorkerBuilder, WorkerResults, WorkerTasks};

/// How long it is until a deadline.
fn remaining(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
}

/// Waits until it rings; `None` when the deadline has passed.
fn wait<'a, T>(
    bell: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Option<Instant>,
) -> Option<MutexGuard<'a, T>> {
    match remaining(deadline) {
        None => Some(bell.wait(guard).unwrap_or_else(PoisonError::into_inner)),
        Some(Duration::ZERO) => None,
        Some(left) => Some(bell.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0),
    }
}
