//! offspring
pub(crate) mod launch;
pub(crate) mod process;
pub(crate) mod sys;
pub(crate) mod wire;

pub mod subprocess;

pub use offspring_macros::{Process, main, test};

pub use launch::{
    BootError, Location, Panic, StartError, StartMethod, StartMethodAlreadySet, UnknownStartMethod, at_exit,
    init, set_spares, set_start_method, start_method, start_methods,
};
pub use process::{
    Builder, Child, ChildInfo, Current, Function, JoinError, JoinFuture, Parent, Process, Run, Sentinel,
    Stdio, Waitable, active_children, cpu_count, current, parent, spawn, target, wait,
};
pub use sys::ExitStatus;
pub use sys::fork::{Fork, fork, waitpid};

/// What the macros' expansions name. Not public API.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use serde;

    pub use crate::launch::guard::test_guard;
    pub use crate::launch::{Class, Entry, Failure};
    pub use crate::process::run;
}
