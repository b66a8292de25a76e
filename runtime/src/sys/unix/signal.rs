//! Signals by number: sets of them as bit masks, dispositions, and the mask of the calling thread.

use std::mem::MaybeUninit;

/// Signal numbers that a program may touch: 32 and 33 belong to the C library.
pub(crate) fn numbers() -> impl Iterator<Item = i32> {
    (1..=64).filter(|number| !(32..=33).contains(number))
}

/// The bit that stands for a signal in a mask.
pub(crate) fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set that it is given.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: initialised by the call above, which cannot fail for a valid pointer.
    unsafe { set.assume_init() }
}

/// Builds a `sigset_t` from a mask.
fn set_of(mask: u64) -> libc::sigset_t {
    let mut set = empty_set();
    for signal in numbers().filter(|signal| mask & bit(*signal) != 0) {
        // SAFETY: `set` is initialised and `signal` is a valid number.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}

/// Sets the mask of the calling thread and returns the one before.
pub(crate) fn replace_mask(mask: u64) -> libc::sigset_t {
    let set = set_of(mask);
    restore_mask(&set)
}

/// Sets the mask of the calling thread from a set that [`replace_mask`] returned.
pub(crate) fn restore_mask(set: &libc::sigset_t) -> libc::sigset_t {
    let mut before = empty_set();
    // SAFETY: both sets are valid for the call; SIG_SETMASK with valid pointers cannot fail.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, set, &raw mut before) };
    before
}

/// The mask of the calling thread.
#[cfg(any(target_os = "linux", target_os = "android"))] // for the snapshot that a clone of the forkserver adopts
pub(crate) fn mask() -> u64 {
    let mut set = empty_set();
    // SAFETY: a null new set only reads; `set` is valid for writing.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), &raw mut set) };
    numbers()
        // SAFETY: `set` is initialised and `signal` is a valid number.
        .filter(|signal| unsafe { libc::sigismember(&raw const set, *signal) } == 1)
        .fold(0, |mask, signal| mask | bit(signal))
}

/// What a signal does to this process, as far as exec passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// `SIG_DFL`.
    Default,
    /// `SIG_IGN`: the only one that survives exec.
    Ignored,
    /// A handler; exec turns it into the default.
    Handled,
}

/// Reads the disposition of a signal.
pub(crate) fn disposition(signal: i32) -> Disposition {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only reads; `action` is valid for writing.
    let result = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    if result != 0 {
        return Disposition::Default;
    }
    // SAFETY: filled by the successful call, and zeroed before.
    let action = unsafe { action.assume_init() };
    match action.sa_sigaction {
        libc::SIG_DFL => Disposition::Default,
        libc::SIG_IGN => Disposition::Ignored,
        _ => Disposition::Handled,
    }
}

/// Sets a signal to its default, or to be ignored. Async-signal-safe.
pub(crate) fn set_ignored(signal: i32, ignored: bool) {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let handler = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: zeroed memory is a valid sigaction, and the pointer is ours.
    unsafe { (*action.as_mut_ptr()).sa_sigaction = handler };
    // SAFETY: the action is initialised; a null old action is allowed. SIGKILL and SIGSTOP are refused, which is right.
    unsafe { libc::sigaction(signal, action.as_ptr(), std::ptr::null_mut()) };
}

/// Installs a handler that is gone after its first run.
pub(crate) fn handle_once(signal: i32, handler: extern "C" fn(libc::c_int)) {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let fields = action.as_mut_ptr();
    // SAFETY: zeroed memory is a valid sigaction, and the pointer is ours.
    unsafe { (*fields).sa_sigaction = handler as usize };
    // SAFETY: as above.
    unsafe { (*fields).sa_flags = libc::SA_RESETHAND };
    // SAFETY: the action is initialised, and the handler lives as long as the program.
    unsafe { libc::sigaction(signal, action.as_ptr(), std::ptr::null_mut()) };
}

/// The set of ignored signals, asked one by one.
#[cfg(any(target_os = "linux", target_os = "android"))] // as above
pub(crate) fn ignored() -> u64 {
    numbers()
        .filter(|signal| disposition(*signal) == Disposition::Ignored)
        .fold(0, |mask, signal| mask | bit(signal))
}

/// Does something that may pass the limit on the size of files, which then is an error and not the end of the process.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn without_file_size_signal<T>(action: impl FnOnce() -> T) -> T {
    let before = replace_mask(mask() | bit(libc::SIGXFSZ));
    let result = action();
    let signal = set_of(bit(libc::SIGXFSZ));
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the set and the time are valid for reading; no information is asked for. Takes the signal if it came.
    unsafe { libc::sigtimedwait(&raw const signal, std::ptr::null_mut(), &raw const at_once) };
    restore_mask(&before);
    result
}
