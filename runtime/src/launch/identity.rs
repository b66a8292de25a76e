//! Who this process is: its name, its place in the family, its parent.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, RwLock};

use serde::{Deserialize, Serialize};

use super::StartError;

/// How deep processes may nest unless `OFFSPRING_MAX_DEPTH` says otherwise.
const MAX_DEPTH: u32 = 16;

/// The name of the process that was not started by this library.
const MAIN: &str = "MainProcess";

/// Who a process is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) name: String,
    /// The ordinals from the first generation down: `[1, 2]` for `Downloader-1:2`. Empty in the main process.
    pub(crate) path: Vec<u32>,
    pub(crate) daemon: bool,
    /// How many processes of this library are above.
    pub(crate) depth: u32,
    pub(crate) parent: Option<ParentIdentity>,
}

/// Who started a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParentIdentity {
    pub(crate) name: String,
    pub(crate) pid: u32,
}

static CURRENT: RwLock<Option<Arc<Identity>>> = RwLock::new(None);
static STARTED: AtomicU32 = AtomicU32::new(0);

/// The identity of this process.
pub(crate) fn current() -> Arc<Identity> {
    let known = CURRENT.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    known.unwrap_or_else(|| {
        Arc::new(Identity { name: MAIN.into(), path: Vec::new(), daemon: false, depth: 0, parent: None })
    })
}

/// In a new child: takes on its identity, and begins to count its own children.
pub(crate) fn assume(identity: Identity) {
    *CURRENT.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::new(identity));
    STARTED.store(0, Ordering::Relaxed);
}

/// Gives a child that this process is about to start its identity: `Downloader-1`, and `Downloader-1:2` for the
/// second child of the first.
pub(crate) fn of_next_child(
    class: &str,
    name: Option<&str>,
    daemon: Option<bool>,
) -> Result<Identity, StartError> {
    let me = current();
    let ordinal = STARTED.fetch_add(1, Ordering::Relaxed) + 1;
    let path: Vec<u32> = me.path.iter().copied().chain([ordinal]).collect();
    let name = name.map_or_else(
        || {
            let ordinals: Vec<String> = path.iter().map(u32::to_string).collect();
            format!("{class}-{}", ordinals.join(":"))
        },
        str::to_owned,
    );
    let depth = me.depth + 1;
    let limit = max_depth();
    if depth > limit {
        return Err(StartError::TooDeep { name, depth, limit });
    }
    let parent = ParentIdentity { name: me.name.clone(), pid: std::process::id() };
    Ok(Identity { name, path, daemon: daemon.unwrap_or(me.daemon), depth, parent: Some(parent) })
}

fn max_depth() -> u32 {
    std::env::var("OFFSPRING_MAX_DEPTH").ok().and_then(|depth| depth.parse().ok()).unwrap_or(MAX_DEPTH)
}
