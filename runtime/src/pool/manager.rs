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
/// How long it stays away at most from somebody who waits for long, and from one who comes back to that again and again.
const LONG: Duration = Duration::from_millis(64);
const BRIEF: Duration = Duration::from_millis(8);

/// The thread's stack: as callbacks of the user's, which it calls, have on any other thread.
const STACK: usize = 2 << 20;

thread_local! {
    /// Where the engine lies whose manager this thread is.
    static MANAGES: Cell<usize> = const { Cell::new(0) };
}

fn address(engine: &Engine) -> usize {
    std::ptr::from_ref(engine).addr()
}

/// Whether this is a pool's own thread, which calls its callbacks.
pub(super) fn manages(engine: &Engine) -> bool {
    MANAGES.get() == address(engine)
}

/// Manages a pool until its last worker has gone.
pub(super) fn manage(engine: &Arc<Engine>) {
    MANAGES.set(address(engine));
    let mut state = engine.lock();
    let (mut seen, mut attends, mut patience) = (state.activity, state.attends, LINGER);
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
            engine.stir(&mut state); // for who waits for that, and has not seen it
            return;
        }
        if state.is_short_of_workers() {
            engine.replace(&mut state);
            continue;
        }
        let goes_on = state.activity != seen;
        seen = state.activity;
        // One that was to be back soon may be kept by what is the user's.
        let is_there = state.waiters > 0 || (state.present > 0 && state.attends != attends);
        attends = state.attends;
        let most = if state.waiters > 0 { LONG } else { BRIEF };
        patience = if goes_on { LINGER } else { (patience * 2).min(most) };
        if goes_on || is_there {
            engine.sleep(&mut state, Some(Instant::now() + patience), patience > LINGER);
        } else if state.has_work() || !state.is_open() {
            let until = state.next_look();
            engine.listen(&mut state, until);
        } else {
            let until = earlier(state.next_start(), state.next_idle());
            engine.sleep(&mut state, until, true);
        }
    }
}

/// Starts the thread.
pub(super) fn start(engine: &Arc<Engine>) -> Result<(), PoolError> {
    let engine = Arc::clone(engine);
    Ok(runtime::thread("offspring-pool", STACK, move || manage(&engine))?)
}
