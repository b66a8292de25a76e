//! `tracing` across processes: what a child logs arrives in its parent's subscriber.
//!
//! ```text
//!  a worker                                |  the process that has the pool
//!                                          |
//!  info!(…) -> child: as bytes (line) -----+-> channel -> hub, a thread -> the subscriber
//!                      the level wanted <--+-- with each job
//! ```
//!
//! The [child's side](child) is a subscriber that writes each event and span down as a [line] and sends it at once, so that what was
//! logged before a crash has arrived. It becomes the child's global default when the pool's initializer has run; if that has set
//! another one, it stands back. Which levels are wanted comes with each job, so that what nobody wants is not even written
//! down.
//!
//! The [parent's side](hub) is one thread for all pools of a process, and one channel. It gives what arrives to the subscriber, as events
//! and spans with [callsites](callsite) of their own, so that filters by level and target work. They stand in the span that was the
//! current one when the task was submitted.
//!
//! No other thread calls the subscriber with a child's lines, and none waits for the hub but at the end of a pool, and then not for long: a subscriber
//! may hold its locks and use a pool. What the library itself has to say, which is often with the engine's lock held, goes the same way.
//!
//! A child does not wait long for a subscriber that cannot keep up: what finds no room in the channel is dropped, counted, and said.
//!
//! Without the feature there is a twin of all this in which nothing happens.

#[cfg(not(feature = "tracing"))]
mod absent;
#[cfg(feature = "tracing")]
mod callsite;
#[cfg(feature = "tracing")]
mod child;
#[cfg(feature = "tracing")]
mod hub;
#[cfg(feature = "tracing")]
mod line;

#[cfg(not(feature = "tracing"))]
pub(crate) use absent::{Context, Line, Origin, Source, enter, failed, leave, listen};
#[cfg(feature = "tracing")]
pub(crate) use {
    child::{Line, enter, failed, leave, listen},
    hub::{Context, Origin, Source},
};
