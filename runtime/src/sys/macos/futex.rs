//! Sleeping until a word of shared memory changes: `os_sync_wait_on_address_with_timeout(3)` of macOS 14.4 and later, `_umtx_op(2)`
//! of FreeBSD, and [`naps`](crate::sys::naps) elsewhere.

use std::io;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Somebody woke this thread, or the word was another already, or a signal came: look again.
    LookAgain,
    /// The deadline has passed.
    TimedOut,
}

/// The longest sleep: whoever sleeps longer looks again.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Sleeps while the word has this value, until somebody wakes the sleepers, or the deadline.
pub(crate) fn wait(word: &AtomicU32, value: u32, deadline: Option<Instant>) -> io::Result<Woken> {
    let left = deadline.map_or(LONGEST, |deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_zero() {
        return Ok(Woken::TimedOut);
    }
    let woken = system::wait(word, value, left.min(LONGEST))?;
    // One that was cut short is not over before the deadline is.
    let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
    Ok(if woken == Woken::TimedOut && !is_over { Woken::LookAgain } else { woken })
}

/// Sleeps while the word has this value, until somebody wakes the sleepers, or for so long.
pub(crate) fn wait_for(word: &AtomicU32, value: u32, time: Option<Duration>) -> io::Result<Woken> {
    wait(word, value, time.and_then(|time| Instant::now().checked_add(time)))
}

/// Wakes sleepers, at most this many (or all, where it is one or all): how many were woken, as far as that is told.
pub(crate) fn wake(word: &AtomicU32, count: u32) -> usize {
    system::wake(word, count)
}

#[cfg(target_vendor = "apple")]
mod system {
    use std::ffi::{CStr, c_int, c_void};
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicU32;
    use std::time::{Duration, Instant};

    use nix::errno::Errno;

    use super::Woken;
    use crate::sys::naps;

    type Wait = unsafe extern "C" fn(*mut c_void, u64, usize, u32, u32, u64) -> c_int;
    type Wake = unsafe extern "C" fn(*mut c_void, usize, u32) -> c_int;

    /// What the system has, if it has all of it.
    struct Calls {
        wait: Wait,
        wake_one: Wake,
        wake_all: Wake,
    }

    fn find(name: &CStr) -> *mut c_void {
        // SAFETY: the name is a C string.
        unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
    }

    fn calls() -> Option<&'static Calls> {
        static CALLS: OnceLock<Option<Calls>> = OnceLock::new();
        let found = CALLS.get_or_init(|| {
            let wait = find(c"os_sync_wait_on_address_with_timeout");
            let [wake_one, wake_all] =
                [c"os_sync_wake_by_address_any", c"os_sync_wake_by_address_all"].map(find);
            // SAFETY: null, or the function of that name, which has had this type wherever it exists.
            let wait = unsafe { std::mem::transmute::<*mut c_void, Option<Wait>>(wait) };
            // SAFETY: as above.
            let wake_one = unsafe { std::mem::transmute::<*mut c_void, Option<Wake>>(wake_one) };
            // SAFETY: as above.
            let wake_all = unsafe { std::mem::transmute::<*mut c_void, Option<Wake>>(wake_all) };
            Some(Calls { wait: wait?, wake_one: wake_one?, wake_all: wake_all? })
        });
        found.as_ref()
    }

    pub(super) fn wait(word: &AtomicU32, value: u32, time: Duration) -> io::Result<Woken> {
        let Some(calls) = calls() else {
            let is_over = naps::wait(word, value, Instant::now().checked_add(time));
            return Ok(if is_over { Woken::TimedOut } else { Woken::LookAgain });
        };
        let place = word.as_ptr().cast::<c_void>();
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
        let flags = libc::OS_SYNC_WAIT_ON_ADDRESS_SHARED;
        let clock = libc::OS_CLOCK_MACH_ABSOLUTE_TIME;
        // SAFETY: the word is valid for the call and of four bytes, which the kernel only reads.
        let result = unsafe { (calls.wait)(place, value.into(), 4, flags, clock, nanoseconds) };
        if result >= 0 {
            return Ok(Woken::LookAgain);
        }
        match Errno::last() {
            Errno::ETIMEDOUT => Ok(Woken::TimedOut),
            Errno::EINTR | Errno::EFAULT | Errno::EAGAIN => Ok(Woken::LookAgain),
            errno => Err(errno.into()),
        }
    }

    pub(super) fn wake(word: &AtomicU32, count: u32) -> usize {
        let Some(calls) = calls() else { return 0 };
        let wake = if count == 1 { calls.wake_one } else { calls.wake_all };
        // SAFETY: the kernel only looks who sleeps at the address, which is valid.
        let result = unsafe { wake(word.as_ptr().cast(), 4, libc::OS_SYNC_WAKE_BY_ADDRESS_SHARED) };
        usize::from(result == 0) // at least
    }
}

#[cfg(target_os = "freebsd")]
mod system {
    use std::io;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::sys::time::TimeSpec;

    use super::Woken;

    pub(super) fn wait(word: &AtomicU32, value: u32, time: Duration) -> io::Result<Woken> {
        let time = TimeSpec::from_duration(time);
        let timeout = std::ptr::from_ref(time.as_ref()).cast_mut().cast();
        // A time that is relative is told by the length of what it lies in.
        let length = std::ptr::without_provenance_mut(size_of::<libc::timespec>());
        let operation = libc::UMTX_OP_WAIT_UINT;
        // SAFETY: the word and the time are valid for the call, and the kernel only reads both.
        let result =
            unsafe { libc::_umtx_op(word.as_ptr().cast(), operation, value.into(), length, timeout) };
        match Errno::result(result) {
            Ok(_) | Err(Errno::EINTR) => Ok(Woken::LookAgain),
            Err(Errno::ETIMEDOUT) => Ok(Woken::TimedOut),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(super) fn wake(word: &AtomicU32, count: u32) -> usize {
        let count = i32::try_from(count).unwrap_or(i32::MAX) as libc::c_ulong;
        let nothing = std::ptr::null_mut();
        // SAFETY: the kernel only looks who sleeps at the address, which is valid.
        unsafe { libc::_umtx_op(word.as_ptr().cast(), libc::UMTX_OP_WAKE, count, nothing, nothing) };
        0 // it does not tell
    }
}

#[cfg(not(any(target_vendor = "apple", target_os = "freebsd")))]
mod system {
    use std::io;
    use std::sync::atomic::AtomicU32;
    use std::time::{Duration, Instant};

    use super::Woken;
    use crate::sys::naps;

    #[allow(clippy::unnecessary_wraps)] // elsewhere it can fail
    pub(super) fn wait(word: &AtomicU32, value: u32, time: Duration) -> io::Result<Woken> {
        let is_over = naps::wait(word, value, Instant::now().checked_add(time));
        Ok(if is_over { Woken::TimedOut } else { Woken::LookAgain })
    }

    pub(super) fn wake(_word: &AtomicU32, _count: u32) -> usize {
        0
    }
}
