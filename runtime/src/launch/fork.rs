//! `fork`: this process is copied.
//!
//! The copy goes its own way before `fork` returns to the starter's code: it closes nothing but what the library holds
//! for its siblings, reads its order like any other child, and exits without a return to `main`.

use std::io::Write;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::order::Adopt;
use super::plan::{Handover, Newborn, Streams};
use super::{Launched, Plan, StartError, StartMethod, guard};
use crate::sys::channel::Channel;
use crate::sys::{borrow, fork};
use crate::wire::parcel::Parcel;

/// Threads of the library itself, which do not stand in the way of a fork.
static OUR_THREADS: AtomicUsize = AtomicUsize::new(0);

/// Counts a thread that waits outside of every section while a fork is under way.
pub(crate) fn count_thread() {
    OUR_THREADS.fetch_add(1, Ordering::Relaxed);
}

/// In a copy, which has none of them.
pub(crate) fn forget_threads() {
    OUR_THREADS.store(0, Ordering::Relaxed);
}

/// Makes the process and hands it its order.
pub(crate) fn start(plan: &Plan<'_>) -> Result<Launched, StartError> {
    if !fork::SUPPORTED {
        return Err(StartError::UnsupportedMethod(StartMethod::Fork));
    }
    let directory = plan.open_directory()?;
    let (channel, theirs) = Channel::pair().map_err(StartError::system("make a channel"))?;
    let theirs = Channel::from_object(theirs).map_err(StartError::system("make a channel"))?;
    // What waits in a buffer would be written by both.
    let _unwritable_output_is_no_reason_to_fail = std::io::stdout().flush();
    let ours = OUR_THREADS.load(Ordering::Relaxed);
    let side = fork::fork_alone(ours).map_err(StartError::system("fork"))?;
    match side.map_err(|threads| StartError::ForkWithThreads { threads })? {
        None => {
            drop(channel);
            *plan.far_ends.lock().unwrap_or_else(PoisonError::into_inner) = Streams::default();
            *plan.parcel.lock().unwrap_or_else(PoisonError::into_inner) = Parcel::default();
            guard::follow_order(theirs)
        }
        Some(handle) => {
            drop(theirs);
            let handover = Handover {
                standard: Some(plan.all_standard()),
                directory: directory.as_ref().map(borrow),
                adopt: Some(Adopt { ambient: None, environment: plan.environment.changed() }),
            };
            let newborn = Newborn::new(handle);
            plan.give_order(&channel, handover)?;
            Ok(Launched { newborn, channel, early: Vec::new(), ready: true })
        }
    }
}
