//! From a start to a running `run`: the registry, the guard, the handshake, the three start methods.
//!
//! ```text
//! parent                                        child
//! Plan ── method ──┬─ spawn: exec of this program ── main ── guard ─┐
//!                  ├─ forkserver: clone of the server ──────────────┼─ child::live ── registry ── run ── exit
//!                  └─ fork: copy of this process ───────────────────┘
//!   └─ Order (header, payload, descriptors) ── channel ──────────────▶ read once
//!   ◀────────────────── Report (ready, done, failed) ── channel ── written at most twice
//! ```
//!
//! Whatever the method, a child reads one [`Order`](order::Order) from its channel and answers with
//! [`Report`](order::Report)s; the methods differ only in how the process comes to hold its end. **When either side dies:**
//!
//! | who dies | when | what the other sees |
//! |---|---|---|
//! | child | before the guard | no `Ready`: the parent says that it ended before `offspring::init()` |
//! | child | after it | the exit status, without a result |
//! | child | while it answers | a message is whole or absent: as above |
//! | parent | before the order is read | end of file instead of the order: the child exits |
//! | parent | later | the lifeline kills the child (unless detached) |
//! | forkserver | before the clone | end of file: the parent makes a new server and asks again |
//! | forkserver | after the clone | the parent reads its child's number from the shared page |

pub(crate) mod child;
pub(crate) mod error;
pub(crate) mod forkserver;
pub(crate) mod guard;
pub(crate) mod identity;
pub(crate) mod leave;
pub(crate) mod link;
pub(crate) mod method;
pub(crate) mod order;
pub(crate) mod panic;
pub(crate) mod plan;
pub(crate) mod registry;

mod fork;
mod spawn;

pub use error::{BootError, Location, Panic, StartError};
pub use forkserver::{renew_forkserver, set_spares};
pub use guard::init;
pub use leave::at_exit;
pub use method::{
    StartMethod, StartMethodAlreadySet, UnknownStartMethod, set_start_method, start_method, start_methods,
};
pub use order::Failure;
pub use registry::{Class, Entry};

pub(crate) use plan::{Launched, Plan};

pub(crate) use fork::count_thread;

/// In a copy of this process: neither its server nor its threads are there.
pub(crate) fn forget() {
    forkserver::forget();
    crate::sys::lifeline::forget();
    fork::forget_threads();
}

/// Makes the process of a plan and hands it its order.
pub(crate) fn launch(plan: &Plan<'_>) -> Result<Launched, StartError> {
    guard::check()?;
    match plan.method {
        StartMethod::ForkServer => {
            // Where no server can be had: what a program sees of its children is the same with spawn.
            forkserver::start(plan)?.map_or_else(|| spawn::start(plan), Ok)
        }
        StartMethod::Spawn => spawn::start(plan),
        StartMethod::Fork => fork::start(plan),
    }
}
