//! A lock in shared memory that outlives its holder: a robust, process-shared mutex of the C library
//! (`pthread_mutexattr_setrobust(3)`). When the thread that holds it ends without unlocking, however it ends, the
//! next one gets the lock together with that news.
//!
//! It checks for errors (`PTHREAD_MUTEX_ERRORCHECK`), which costs a robust mutex nothing: a thread that locks it twice, or unlocks what
//! another holds, gets an error in place of a deadlock or a broken lock.
//!
//! A wait sleeps in slices. To unlock is to free the word and then to wake one sleeper; if that one is killed before it
//! has written to the word that others sleep, and a third has taken the lock meanwhile, nobody wakes those others ever.
//! The end of their slice does.

use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::time::TimeSpec;

use crate::sys::Shareable;

/// The lock. It must be [`initialise`](Self::initialise)d once, before a second process sees it.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct RobustMutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: threads of all processes may use it at once: that is what it is for.
unsafe impl Sync for RobustMutex {}
// SAFETY: it is used where it lies; only the thread that locked it unlocks it, which `Held` sees to.
unsafe impl Send for RobustMutex {}
// SAFETY: of the C library's fixed layout; what addresses the library keeps in it, it keeps for the holder's own use.
unsafe impl Shareable for RobustMutex {}

/// How a lock was got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locked {
    Clean,
    /// The last holder ended without unlocking. The lock goes on as if it had unlocked.
    Inherited,
}

/// The lock is held by this thread, until drop.
#[derive(Debug)]
#[must_use = "dropping it unlocks"]
pub(crate) struct Held<'a> {
    mutex: &'a RobustMutex,
    pub(crate) locked: Locked,
    /// Another thread must not unlock it.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl RobustMutex {
    /// Makes the lock, unlocked.
    pub(crate) fn initialise(&self) -> io::Result<()> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the place is valid for writing attributes.
        check(unsafe { libc::pthread_mutexattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: initialised by the call above.
        let mut attributes = unsafe { attributes.assume_init() };
        let settings = || {
            // SAFETY: the attributes are initialised.
            check(unsafe {
                libc::pthread_mutexattr_setpshared(&raw mut attributes, libc::PTHREAD_PROCESS_SHARED)
            })?;
            // SAFETY: as above.
            check(unsafe {
                libc::pthread_mutexattr_setrobust(&raw mut attributes, libc::PTHREAD_MUTEX_ROBUST)
            })?;
            // SAFETY: as above.
            check(unsafe {
                libc::pthread_mutexattr_settype(&raw mut attributes, libc::PTHREAD_MUTEX_ERRORCHECK)
            })?;
            // SAFETY: the mutex is in mapped memory that nobody uses yet; the attributes are initialised.
            check(unsafe { libc::pthread_mutex_init(self.0.get(), &raw const attributes) })
        };
        let result = { settings }();
        // SAFETY: initialised above, destroyed once.
        check(unsafe { libc::pthread_mutexattr_destroy(&raw mut attributes) })?;
        result
    }

    /// Locks, waiting until the deadline: `None` when it has passed.
    ///
    /// # Errors
    /// [`Deadlock`](io::ErrorKind::Deadlock) when this thread holds it.
    pub(crate) fn lock(&self, deadline: Option<Instant>) -> io::Result<Option<Held<'_>>> {
        let mut held = self.try_lock()?;
        while held.is_none() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            held = self.wait_for(left.map_or(SLICE, |left| left.min(SLICE)))?;
            if left.is_some_and(|left| left <= SLICE) {
                break;
            }
        }
        Ok(held)
    }

    /// Waits at most this long, for one that has just found it held: each look at a lock that others use slows them down. Not much
    /// longer than a tenth of a second, see above.
    pub(crate) fn wait_for(&self, time: Duration) -> io::Result<Option<Held<'_>>> {
        self.held(lock_in(self.0.get(), time))
    }

    /// Locks if nobody holds it.
    ///
    /// # Errors
    /// [`Deadlock`](io::ErrorKind::Deadlock) when this thread holds it.
    #[inline]
    pub(crate) fn try_lock(&self) -> io::Result<Option<Held<'_>>> {
        // SAFETY: an initialised mutex.
        self.held(unsafe { libc::pthread_mutex_trylock(self.0.get()) })
    }

    /// Unlocks what this thread holds although its [`Held`] has been forgotten.
    ///
    /// # Errors
    /// When this thread does not hold it: it stays as it is.
    #[inline]
    pub(crate) fn unlock(&self) -> io::Result<()> {
        // SAFETY: an initialised mutex, which checks who holds it.
        check(unsafe { libc::pthread_mutex_unlock(self.0.get()) })
    }

    #[inline]
    fn held(&self, result: libc::c_int) -> io::Result<Option<Held<'_>>> {
        let locked = match result {
            0 => Locked::Clean,
            libc::EOWNERDEAD => {
                // SAFETY: this thread has just locked it, and was told that it is inconsistent.
                check(unsafe { libc::pthread_mutex_consistent(self.0.get()) })?;
                Locked::Inherited
            }
            libc::EBUSY | libc::ETIMEDOUT => return Ok(None),
            errno => return Err(io::Error::from_raw_os_error(errno)),
        };
        Ok(Some(Held { mutex: self, locked, _not_send: std::marker::PhantomData }))
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this thread locked it, and has not unlocked it yet. In a copy made by a fork, where that thread is another, the
        // mutex refuses.
        let result = unsafe { libc::pthread_mutex_unlock(self.mutex.0.get()) };
        debug_assert!(matches!(result, 0 | libc::EPERM), "{}", Errno::from_raw(result));
    }
}

/// How long a thread sleeps at most before it looks at the lock again.
const SLICE: Duration = Duration::from_millis(100);

type ClockLock =
    unsafe extern "C" fn(*mut libc::pthread_mutex_t, libc::clockid_t, *const libc::timespec) -> libc::c_int;

/// `pthread_mutex_clocklock`, where the C library has it: glibc since 2.30.
fn clock_lock() -> Option<ClockLock> {
    static FOUND: OnceLock<Option<ClockLock>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: the name is a C string.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"pthread_mutex_clocklock".as_ptr()) };
        // SAFETY: null, or the function of that name, which has had this type wherever it exists.
        unsafe { std::mem::transmute::<*mut libc::c_void, Option<ClockLock>>(symbol) }
    })
}

/// Locks, or waits for a while: an error number.
///
/// Without the means to wait by the monotonic clock, a jump of the other one ends the wait early or late.
fn lock_in(mutex: *mut libc::pthread_mutex_t, time: Duration) -> libc::c_int {
    let with_clock = clock_lock();
    let clock = if with_clock.is_some() { libc::CLOCK_MONOTONIC } else { libc::CLOCK_REALTIME };
    let mut until = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is valid for writing.
    if unsafe { libc::clock_gettime(clock, &raw mut until) } != 0 {
        return Errno::last_raw();
    }
    let until = *(TimeSpec::from_timespec(until) + TimeSpec::from_duration(time)).as_ref();
    match with_clock {
        // SAFETY: an initialised mutex, and a valid time of that clock.
        Some(lock) => unsafe { lock(mutex, clock, &raw const until) },
        // SAFETY: as above.
        None => unsafe { libc::pthread_mutex_timedlock(mutex, &raw const until) },
    }
}

#[inline]
fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn new() -> Arc<RobustMutex> {
        // SAFETY: all-zero is a place to initialise a mutex in.
        let mutex = Arc::new(RobustMutex(UnsafeCell::new(unsafe { std::mem::zeroed() })));
        mutex.initialise().unwrap();
        mutex
    }

    #[test]
    fn the_lock_of_a_thread_that_ended_is_inherited_once() {
        let mutex = new();
        let holder = Arc::clone(&mutex);
        std::thread::spawn(move || std::mem::forget(holder.lock(None).unwrap())).join().unwrap();
        assert_eq!(mutex.lock(None).unwrap().unwrap().locked, Locked::Inherited);
        assert_eq!(mutex.lock(None).unwrap().unwrap().locked, Locked::Clean);
    }

    #[test]
    fn a_thread_that_locks_twice_is_told_so() {
        let mutex = new();
        let held = mutex.lock(None).unwrap();
        assert_eq!(mutex.lock(None).unwrap_err().kind(), io::ErrorKind::Deadlock);
        assert_eq!(mutex.try_lock().unwrap_err().kind(), io::ErrorKind::Deadlock);
        drop(held);
        assert!(mutex.unlock().is_err());
    }

    #[test]
    fn a_held_lock_is_waited_for_until_the_deadline() {
        let mutex = new();
        let _held = mutex.lock(None).unwrap().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert!(mutex.try_lock().unwrap().is_none());
                let deadline = Instant::now() + Duration::from_millis(20);
                assert!(mutex.lock(Some(deadline)).unwrap().is_none());
                assert!(Instant::now() >= deadline);
            });
        });
    }
}
