//! The number of this process, without a system call.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// Zero until somebody asks, and again in a copy of this process.
static PID: AtomicU32 = AtomicU32::new(0);

/// The process id of this process: one load.
#[inline]
pub(crate) fn pid() -> u32 {
    match PID.load(Ordering::Relaxed) {
        0 => ask(),
        pid => pid,
    }
}

#[cold]
fn ask() -> u32 {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        // SAFETY: the hook is a plain function that lives as long as the program.
        let result = unsafe { libc::pthread_atfork(None, None, Some(forget_in_copy)) };
        debug_assert_eq!(result, 0, "pthread_atfork: out of memory");
    });
    let pid = std::process::id();
    PID.store(pid, Ordering::Relaxed);
    pid
}

unsafe extern "C" fn forget_in_copy() {
    forget();
}

/// In a copy of this process, which has a number of its own.
pub(crate) fn forget() {
    PID.store(0, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_copy_of_the_process_knows_its_own_number() {
        assert_eq!(super::pid(), std::process::id());
        // SAFETY: the child only loads, asks for its number and exits.
        match unsafe { crate::fork() }.unwrap() {
            crate::Fork::Child => {
                crate::sys::runtime::exit_now(i32::from(super::pid() != std::process::id()))
            }
            crate::Fork::Parent(child) => {
                assert_eq!(crate::waitpid(child, true).unwrap().unwrap().exitcode(), 0);
            }
        }
    }
}
