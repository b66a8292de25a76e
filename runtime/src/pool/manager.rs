//! The pool's own thread: it starts workers, calls callbacks, and attends to the pool when nobody waits for a result.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::error::PoolError;
use super::ledger::earlier;
use crate::launch::panic;
use crate::sys::runtime;

/// How long it stays away after somebody has been there: who submits and waits in turn does better without it.
const LINGER: Duration = Duration::from_millis(1);
/// How long it stays away at most from somebody who waits for long.
const LONG: Duration = Duration::from_millis(64);

/// The thread's stack: as callbacks of the user's, which it calls, have on any other thread.
const STACK: usize = 2 << 20;

thread_local! {
    /// Whether this is the thread of a pool.
    static MANAGES: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is the thread of a pool, which calls callbacks.
pub(super) fn is_this_thread() -> bool {
    MANAGES.get()
}

/// Manages a pool until its last worker has gone.
pub(super) fn manage(engine: &Arc<Engine>) {
    MANAGES.set(true);
    let mut state = engine.lock();
    let (mut seen, mut patience) = (state.activity, LINGER);
    loop {
        engine.advance(&mut state);
        let callbacks = state.take_callbacks();
        if !callbacks.is_empty() {
            state.calls_back = true;
            state.unlocked(|| {
                for callback in callbacks {
                    // What it panics with, the hook has printed; the others are called all the same.
                    if let Err(cause) = catch_unwind(AssertUnwindSafe(callback.0)) {
                        panic::drop_quietly(cause);
                    }
                }
            });
            state.calls_back = false;
            engine.stir(&mut state); // for who waits until they have been called
            continue;
        }
        if state.is_deserted() {
            return;
        }
        if state.is_short_of_workers() {
            engine.replace(&mut state);
            continue;
        }
        let goes_on = state.activity != seen;
        seen = state.activity;
        patience = if goes_on { LINGER } else { (patience * 2).min(LONG) };
        if goes_on || state.has_waiters() {
            engine.sleep(&mut state, Some(Instant::now() + patience), patience > LINGER);
        } else if state.has_work() || !state.is_open() {
            let until = state.next_look();
            engine.listen(&mut state, until);
        } else {
            let until = earlier(state.start_again, state.next_idle());
            engine.sleep(&mut state, until, true);
        }
    }
}

/// Starts the thread.
pub(super) fn start(engine: &Arc<Engine>) -> Result<(), PoolError> {
    let engine = Arc::clone(engine);
    Ok(runtime::thread("offspring-pool", STACK, move || manage(&engine))?)
}
