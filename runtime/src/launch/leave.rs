//! How a process ends of itself: the hooks of the library and of its users, then the exit.
//!
//! A main process, and a child in whose `run` somebody calls [`std::process::exit`], end by `exit(3)`; the hooks here are
//! one of its exit handlers. A child whose `run` is over ends by `_exit(2)` after the same hooks, as the children of a fork
//! should and as Python's do: the exit handlers and static destructors that C and C++ code registered before the
//! clone are the forkserver's business, and must not run once in each child. What is to happen at the end of a child is
//! registered with [`at_exit`].

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};

use crate::sys::{fork, runtime};

type Hook = Box<dyn FnOnce() + Send>;

struct Hooks {
    /// The process that registered them: a copy has none.
    owner: u32,
    users: Vec<Hook>,
    /// The library's own, which comes after the users'.
    rules: Option<fn()>,
}

static HOOKS: Mutex<Hooks> = Mutex::new(Hooks { owner: 0, users: Vec::new(), rules: None });

fn with<T>(action: impl FnOnce(&mut Hooks) -> T) -> T {
    let _no_fork_meanwhile = fork::enter();
    let mut hooks = HOOKS.lock().unwrap_or_else(PoisonError::into_inner);
    let me = std::process::id();
    if hooks.owner != me {
        // The hooks of the original are leaked: what they own belongs to it.
        hooks.users.drain(..).for_each(std::mem::forget);
        hooks.rules = None;
        hooks.owner = me;
    }
    action(&mut hooks)
}

/// Has the C library run the hooks at `exit(3)`. In a process that has none that does nothing.
fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let registered = runtime::at_exit(at_exit_of_c);
        debug_assert!(registered.is_ok(), "atexit: out of memory");
    });
}

/// Has something done when this process ends of itself, after `run` or `main` or by [`std::process::exit`]; what was
/// registered last is done first.
///
/// Children do not inherit it. In children it takes the place of the C library's `atexit`, whose handlers do not run when
/// `run` returns (they do after `std::process::exit`). It is not called when the process aborts or is killed.
///
/// ```
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let child = offspring::target(
///         || {
///             offspring::at_exit(|| println!("last"));
///             println!("first");
///         },
///         (),
///     );
///     let child = child.stdout(offspring::Stdio::piped()).start()?;
///     assert_eq!(std::io::read_to_string(child.stdout().unwrap())?, "first\nlast\n");
///     child.join()?;
///     Ok(())
/// }
/// ```
#[doc(alias = "atexit")]
pub fn at_exit(hook: impl FnOnce() + Send + 'static) {
    register();
    with(|hooks| hooks.users.push(Box::new(hook)));
}

/// Registers the library's own rules for this process.
pub(crate) fn register_rules(rules: fn()) {
    register();
    with(|hooks| hooks.rules = Some(rules));
}

extern "C" fn at_exit_of_c() {
    run_hooks();
}

/// Runs what is registered, each once. Nothing that goes wrong here keeps the process from ending.
fn run_hooks() {
    let flush = || {
        let _unwritable = std::io::stdout().flush();
    };
    while let Some(hook) = with(|hooks| hooks.users.pop()) {
        let _panicked_and_said_so = catch_unwind(AssertUnwindSafe(hook));
    }
    let _panicked_and_said_so = catch_unwind(flush);
    if let Some(rules) = with(|hooks| hooks.rules.take()) {
        let _panicked_and_said_so = catch_unwind(rules);
    }
}

/// Ends a child whose `run` is over.
pub(crate) fn now(code: i32) -> ! {
    if cfg!(coverage) {
        std::process::exit(code) // the counters are written by an exit handler
    }
    run_hooks();
    runtime::exit_now(code)
}
