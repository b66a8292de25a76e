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
//! [`Link`](crate::net::remote::Link) per worker: see [there](crate::net::remote) for who is let in and what it may cost. With the feature
//! `rustls` it goes through TLS if both sides are told so: `TaskServerBuilder::tls`, `TaskWorkerBuilder::tls`.
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
//! # When a side ends
//!
//! | what ends | what the others see |
//! |---|---|
//! | a worker, before it got a task | nothing |
//! | a worker, while it works | the task is given to another |
//! | a worker, after it handed in a result | [`put`](WorkerResults::put) has returned: the result is there |
//! | the way between them | as a worker that ends; it comes back by itself, and brings the result that it has |
//! | the server, and is started again | workers come back, with what they hold; without a journal all else is lost |
//! | the server, with a journal | every task that was put, and every result that was handed in and not got, is there |
//! | the server, for longer than [the patience](TaskWorkerBuilder::patience) of a worker | the worker's calls are errors |
//! | the server, by [`shutdown`](TaskServer::shutdown) | [`TaskError::Closed`], and [`TaskWorker::run`] returns |
//!
//! A journal is a file, with the feature `persist`: see `TaskServerBuilder::journal`. It is on the disk before [`TaskQueue::put`] or
//! [`WorkerResults::put`] returns.

mod error;
mod journal;
mod ledger;
pub(crate) mod message;
mod server;
mod worker;

use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use error::{TaskError, TaskFailure};
pub use ledger::TaskCounts;
pub use message::Receipt;
pub use server::{Finished, ResultQueue, TaskQueue, TaskServer, TaskServerBuilder};
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
