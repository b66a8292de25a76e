//! Process classes and their processes: what a user holds in hand.
//!
//! A start makes a [`Record`](record::Record), which the [`Child`] handle, the table of [`children`] and the
//! [`watcher`] share. The record is `Running` until somebody sees the process end, be it the thread that joins or the
//! watcher; whoever is first reaps it, reads what it reported, and makes the record `Ended`. So no process stays a zombie,
//! joined or not, and every wait looks at the process's death and at nothing else.
//!
//! Others than the parent have a [`ProcessHandle`], and the [`obituary`] tells them what only the parent is told.

pub(crate) mod builder;
pub(crate) mod child;
pub(crate) mod children;
pub(crate) mod class;
pub(crate) mod current;
pub(crate) mod error;
pub(crate) mod exit;
pub(crate) mod function;
pub(crate) mod future;
pub(crate) mod handle;
pub(crate) mod obituary;
pub(crate) mod record;
pub(crate) mod stdio;
pub(crate) mod tree;
pub(crate) mod wait;
pub(crate) mod watcher;

pub use builder::Builder;
pub use child::Child;
pub use children::{ChildInfo, active_children};
pub use class::{Process, Run, run};
pub use current::{Current, Parent, cpu_count, current, parent, usable_cpus};
pub use error::JoinError;
pub use function::{Function, spawn, target};
pub use future::JoinFuture;
pub use handle::{ProcessHandle, WaitFuture};
pub use stdio::Stdio;
pub use wait::{Sentinel, Waitable, wait};
