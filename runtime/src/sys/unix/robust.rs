//! A lock in shared memory that outlives its holder: a robust, process-shared mutex of the C library
//! (`pthread_mutexattr_setrobust(3)`). When the thread that holds it ends without unlocking, however it ends, the
//! next one gets the lock together with that news.

use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;

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
    /// `EDEADLK`-like errors of a thread that holds it already do not occur: that thread waits for itself, as with
    /// other mutexes, until the deadline.
    pub(crate) fn lock(&self, deadline: Option<Instant>) -> io::Result<Option<Held<'_>>> {
        match self.try_lock()? {
            None => {}
            held => return Ok(held),
        }
        let Some(deadline) = deadline else {
            // SAFETY: an initialised mutex.
            return self.held(unsafe { libc::pthread_mutex_lock(self.0.get()) });
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let until = now.saturating_add(left);
        let until = libc::timespec {
            tv_sec: libc::time_t::try_from(until.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: until.subsec_nanos() as _,
        };
        // SAFETY: an initialised mutex, and a valid time of the real-time clock.
        self.held(unsafe { libc::pthread_mutex_timedlock(self.0.get(), &raw const until) })
    }

    /// Locks if nobody holds it.
    pub(crate) fn try_lock(&self) -> io::Result<Option<Held<'_>>> {
        // SAFETY: an initialised mutex.
        self.held(unsafe { libc::pthread_mutex_trylock(self.0.get()) })
    }

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
    fn drop(&mut self) {
        // SAFETY: this thread locked it, and has not unlocked it yet.
        let result = unsafe { libc::pthread_mutex_unlock(self.mutex.0.get()) };
        debug_assert_eq!(result, 0, "{}", Errno::from_raw(result));
    }
}

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
