//! Who calls, and whether anybody still wants to know: what a method can ask about the call that it is in.

use std::cell::RefCell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::object::guarded;
use crate::net::remote;

thread_local! {
    /// The call that this thread does.
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

#[derive(Clone)]
struct Current {
    caller: Caller,
    call: Arc<Occasion>,
}

/// What is to be done when something has happened.
pub(super) type Action = Box<dyn FnOnce() + Send>;

/// Something that happens once, or never: the end of a client, the end of the interest in a call.
#[derive(Default)]
pub(super) struct Occasion {
    happened: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Which call it belongs to, if to one: the same memory serves a thread's calls one after the other.
    call: Option<u64>,
    next: u64,
    actions: Vec<(u64, Action)>,
}

impl Occasion {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_happened(&self) -> bool {
        self.happened.load(Ordering::SeqCst)
    }

    /// Has an action done when it happens; now, if it has.
    pub(super) fn add(self: &Arc<Self>, action: Action) -> Hook {
        let mut state = self.lock();
        if self.has_happened() {
            drop(state);
            run(action);
            return Hook(None);
        }
        state.next += 1;
        let number = state.next;
        state.actions.push((number, action));
        Hook(Some((Arc::clone(self), number)))
    }

    /// It belongs to a call from now on.
    pub(super) fn begin(&self, call: u64) {
        self.lock().call = Some(call);
    }

    /// The call that it belonged to is over.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.call = None;
        self.happened.store(false, Ordering::SeqCst);
        let forgotten = std::mem::take(&mut state.actions);
        drop(state);
        drop(forgotten);
    }

    /// It happens, if it belongs to this call, or to whichever: what is to be done.
    pub(super) fn happen(&self, call: Option<u64>) -> Consequences {
        let mut state = self.lock();
        if call.is_some() && state.call != call {
            return Consequences(Vec::new());
        }
        self.happened.store(true, Ordering::SeqCst);
        Consequences(std::mem::take(&mut state.actions))
    }
}

/// What is to be done, when nothing is locked.
#[must_use = "it is to be done"]
pub(super) struct Consequences(Vec<(u64, Action)>);

impl Consequences {
    pub(super) fn come(self) {
        self.0.into_iter().for_each(|(_, action)| run(action));
    }
}

/// Does an action, whose panic is printed and nothing more.
fn run(action: Action) {
    let _printed_by_the_hook = guarded(|| {
        action();
        Ok(())
    });
}

/// Where an action waits, until drop.
pub(super) struct Hook(Option<(Arc<Occasion>, u64)>);

impl Drop for Hook {
    fn drop(&mut self) {
        let Some((occasion, number)) = self.0.take() else { return };
        let mut state = occasion.lock();
        let place = state.actions.iter().position(|(other, _)| *other == number);
        let forgotten = place.map(|place| state.actions.swap_remove(place));
        drop(state);
        drop(forgotten);
    }
}

/// A process that calls, from the time it has connected until it is gone: see [`caller`].
///
/// Equal are those of one connection. A process that connects anew is another.
#[derive(Clone)]
pub struct Caller(Arc<Presence>);

struct Presence {
    number: u64,
    peer: Option<remote::Caller>,
    /// Whether it may say which functions of the program are to run.
    may_create: bool,
    gone: Arc<Occasion>,
}

impl Caller {
    pub(super) fn new(number: u64, peer: remote::Caller, may_create: bool) -> Self {
        Self(Arc::new(Presence { number, peer: Some(peer), may_create, gone: Arc::default() }))
    }

    /// The process of the server itself.
    pub(super) fn resident() -> Self {
        Self(Arc::new(Presence { number: 0, peer: None, may_create: true, gone: Arc::default() }))
    }

    /// Where it is, as the network or the kernel knows it; `None` for the process of the server, whose objects call each other.
    #[must_use]
    pub fn peer(&self) -> Option<remote::Caller> {
        self.0.peer
    }

    pub(super) fn may_create(&self) -> bool {
        self.0.may_create
    }

    /// Whether it has ended, or its connection has.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.gone.has_happened()
    }

    /// Does something once when the process is gone, however it went: what it held can be taken from it. At once, on this thread, if it is gone
    /// already: hold no lock that the action takes.
    ///
    /// The action runs on a thread of the server, and should not wait for others: those that are to follow wait for it. Its panic is
    /// printed, and harms nothing. Dropping the hook forgets the action, if it has not begun.
    pub fn when_gone(&self, action: impl FnOnce() + Send + 'static) -> GoneHook {
        GoneHook(self.0.gone.add(Box::new(action)))
    }

    pub(super) fn leave(&self) {
        self.0.gone.happen(None).come();
    }

    pub(super) fn number(&self) -> u64 {
        self.0.number
    }
}

impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Caller {}

impl Hash for Caller {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("number", &self.number()).field("peer", &self.peer()).finish()
    }
}

/// What waits for the end of a process: see [`Caller::when_gone`].
#[must_use = "dropping it forgets the action"]
pub struct GoneHook(#[allow(dead_code)] Hook); // it is there to be dropped

impl fmt::Debug for GoneHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GoneHook(..)")
    }
}

/// What waits for the end of the interest in a call: see [`when_cancelled`].
#[must_use = "dropping it forgets the action"]
pub struct CancelHook(#[allow(dead_code)] Hook); // it is there to be dropped

impl fmt::Debug for CancelHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CancelHook(..)")
    }
}

/// Who calls, in a method or in the function that makes an object, on the thread where it was called; elsewhere nobody.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, Mutex};
///
/// use offspring::manager::{Caller, GoneHook, caller};
///
/// /// Counts the processes that have said that they are there, and are.
/// #[derive(Default)]
/// struct Crowd(Arc<Mutex<HashMap<Caller, Option<GoneHook>>>>);
///
/// #[offspring::service]
/// impl Crowd {
///     pub fn come(&self) -> usize {
///         let caller = caller().expect("this is a call");
///         self.0.lock().unwrap().insert(caller.clone(), None);
///         let (members, gone) = (Arc::clone(&self.0), caller.clone());
///         let hook = caller.when_gone(move || drop(members.lock().unwrap().remove(&gone)));
///         let mut members = self.0.lock().unwrap();
///         let count = members.len();
///         if let Some(member) = members.get_mut(&caller) {
///             *member = Some(hook);
///         }
///         count
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let crowd = manager.create(Crowd::default, ())?;
///     assert_eq!(crowd.come()?, 1);
///     assert_eq!(offspring::spawn(|crowd: CrowdProxy| crowd.come().unwrap(), (crowd.clone(),))?.join()?, 2);
///     Ok(())
/// }
/// ```
#[must_use]
pub fn caller() -> Option<Caller> {
    current().map(|current| current.caller)
}

/// Whether nobody waits any more for the call that this thread does: its caller is gone, has cancelled it, or its time limit has passed.
///
/// A long computation can look from time to time, and end. What it returns then goes nowhere.
#[must_use]
pub fn is_cancelled() -> bool {
    current().is_some_and(|current| current.call.has_happened())
}

/// Does something once when nobody waits any more for the call that this thread does, as [`is_cancelled`] has it: a method that waits for
/// something can be woken. At once, on this thread, if it is so already: hold no lock that the action takes. Outside of calls it never is.
///
/// The action runs on a thread of the server, and should not wait for others. Its panic is printed, and harms nothing.
/// Dropping the hook forgets the action, if it has not begun, and so does the end of the call.
///
/// ```
/// use std::sync::{Arc, Condvar, Mutex};
///
/// #[derive(Default)]
/// struct Mailbox(Arc<(Mutex<Vec<String>>, Condvar)>);
///
/// #[offspring::service]
/// impl Mailbox {
///     pub fn put(&self, letter: String) {
///         self.0.0.lock().unwrap().push(letter);
///         self.0.1.notify_all();
///     }
///     /// Takes no letter for somebody who is not there any more.
///     pub fn take(&self) -> Option<String> {
///         let shared = Arc::clone(&self.0);
///         let _hook = offspring::manager::when_cancelled(move || {
///             let _letters = shared.0.lock().unwrap(); // it is asleep, or has not looked yet
///             shared.1.notify_all();
///         });
///         let mut letters = self.0.0.lock().unwrap();
///         loop {
///             if offspring::manager::is_cancelled() {
///                 return None;
///             }
///             if let Some(letter) = letters.pop() {
///                 return Some(letter);
///             }
///             letters = self.0.1.wait(letters).unwrap();
///         }
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     use offspring::manager::Proxy;
///     let manager = offspring::Manager::start()?;
///     let mailbox = manager.create(Mailbox::default, ())?;
///     let short = std::time::Duration::from_millis(1);
///     assert!(mailbox.with_timeout(short).take().unwrap_err().is_timed_out());
///     mailbox.put("here".into())?;
///     assert_eq!(mailbox.take()?, Some("here".into()));
///     Ok(())
/// }
/// ```
pub fn when_cancelled(action: impl FnOnce() + Send + 'static) -> CancelHook {
    CancelHook(current().map_or(Hook(None), |current| current.call.add(Box::new(action))))
}

/// The end of the interest in the call that this thread does, if it does one.
pub(super) fn call() -> Option<Arc<Occasion>> {
    current().map(|current| current.call)
}

fn current() -> Option<Current> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten() // a thread may be at its end
}

/// Does something for a caller within the call that this thread does, if it does one.
pub(super) fn within<R>(caller: &Caller, action: impl FnOnce() -> R) -> R {
    let call = current().map(|current| current.call).unwrap_or_default();
    during(caller, &call, action)
}

/// Does the call of a caller's: what runs meanwhile on this thread can ask about it.
pub(super) fn during<R>(caller: &Caller, call: &Arc<Occasion>, action: impl FnOnce() -> R) -> R {
    struct Restore(Option<Current>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let current = Current { caller: caller.clone(), call: Arc::clone(call) };
    // A thread that is at its end has proxies to drop, and nobody who asks.
    let _restore = CURRENT.try_with(|place| Restore(place.replace(Some(current))));
    action()
}
