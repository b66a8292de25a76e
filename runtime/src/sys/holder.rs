//! A lock in shared memory that outlives its holder, on systems whose C library has no robust mutex: a word that names the
//! process that holds it, and whoever waits looks now and then whether that one still lives.
//!
//! One exchange of the word locks, and one takes the lock over from a dead process, so there is no moment at which it is held and
//! nobody is named. To unlock is to empty the word and then to wake one sleeper; a sleep has an end of its own, so one who is
//! killed in between, or a sleeper that is killed once it has been woken, delays the others and no more.
//!
//! What ends with its thread on Linux ends with its process here: a thread that is gone without unlocking (which needs a
//! [`forget`](std::mem::forget)) holds the lock until its process ends.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sys::shareable::shared_layout;
use crate::sys::{futex, owner};

shared_layout! {
    /// The lock. All zero is unlocked.
    pub(crate) struct RobustMutex {
        /// [`owner::tag`] of the process that holds it, or 0.
        holder: AtomicU64,
        /// Which thread of that process does.
        thread: AtomicU64,
        /// What sleepers sleep on: another number after each unlock that has somebody to wake.
        turn: AtomicU32,
        /// How many sleep, or were killed while they slept.
        sleepers: AtomicU32,
    }
}

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

/// How long a thread sleeps at most before it looks at the lock, and whether its holder lives, again.
const SLICE: Duration = Duration::from_millis(20);

/// A number of this thread, not zero, that no other of this process ever has.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: Cell<u64> = const { Cell::new(0) });
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

impl RobustMutex {
    /// Makes the lock, unlocked.
    #[allow(clippy::unnecessary_wraps)] // elsewhere it can fail
    pub(crate) fn initialise(&self) -> io::Result<()> {
        self.thread.store(0, Ordering::Relaxed);
        self.turn.store(0, Ordering::Relaxed);
        self.sleepers.store(0, Ordering::Relaxed);
        self.holder.store(0, Ordering::Release);
        Ok(())
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

    /// Waits at most this long, for one that has just found it held.
    pub(crate) fn wait_for(&self, time: Duration) -> io::Result<Option<Held<'_>>> {
        let deadline = Instant::now() + time;
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let held = loop {
            let turn = self.turn.load(Ordering::SeqCst);
            match self.try_lock() {
                Ok(None) => {}
                result => break result,
            }
            let now = Instant::now();
            if now >= deadline {
                break Ok(None);
            }
            if let Err(error) = futex::wait(&self.turn, turn, Some(deadline.min(now + SLICE))) {
                break Err(error);
            }
        };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        held
    }

    /// Locks if nobody holds it, or a process that has ended.
    ///
    /// # Errors
    /// [`Deadlock`](io::ErrorKind::Deadlock) when this thread holds it.
    #[inline]
    pub(crate) fn try_lock(&self) -> io::Result<Option<Held<'_>>> {
        let me = owner::tag();
        match self.holder.compare_exchange(0, me, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => Ok(Some(self.held(Locked::Clean))),
            Err(holder) => self.try_inherit(holder, me),
        }
    }

    #[cold]
    fn try_inherit(&self, holder: u64, me: u64) -> io::Result<Option<Held<'_>>> {
        if holder == me {
            // Another thread writes here only while it holds the lock, and never our number.
            let is_ours = self.thread.load(Ordering::Relaxed) == this_thread();
            return if is_ours { Err(io::ErrorKind::Deadlock.into()) } else { Ok(None) };
        }
        if !owner::is_dead_tag(holder) {
            return Ok(None);
        }
        let exchanged = self.holder.compare_exchange(holder, me, Ordering::SeqCst, Ordering::SeqCst);
        Ok(exchanged.is_ok().then(|| self.held(Locked::Inherited)))
    }

    fn held(&self, locked: Locked) -> Held<'_> {
        self.thread.store(this_thread(), Ordering::Relaxed);
        Held { mutex: self, locked, _not_send: std::marker::PhantomData }
    }

    /// Unlocks what this thread holds although its [`Held`] has been forgotten.
    ///
    /// # Errors
    /// When this thread does not hold it: it stays as it is.
    #[inline]
    pub(crate) fn unlock(&self) -> io::Result<()> {
        let is_ours = self.holder.load(Ordering::Relaxed) == owner::tag()
            && self.thread.load(Ordering::Relaxed) == this_thread();
        if !is_ours {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.thread.store(0, Ordering::Relaxed);
        self.holder.store(0, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            self.turn.fetch_add(1, Ordering::SeqCst);
            futex::wake(&self.turn, 1);
        }
        Ok(())
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        // In a copy made by a fork, which is another process, it is not ours, and stays the original's.
        let _is_the_originals = self.mutex.unlock();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::sys::agreed::{self as memory, Mapping};
    use crate::{Fork, fork, waitpid};

    fn shared() -> Mapping {
        let object = memory::create(4096).unwrap();
        Mapping::new(&object, 0, 4096).unwrap()
    }

    #[test]
    fn the_lock_of_a_process_that_ended_is_inherited_once() {
        let mapping = shared();
        let mutex = mapping.at::<RobustMutex>(0);
        // SAFETY: the child locks a lock of its own kind, and exits.
        match unsafe { fork() }.unwrap() {
            Fork::Child => {
                std::mem::forget(mutex.lock(None).unwrap());
                crate::sys::runtime::exit_now(0)
            }
            Fork::Parent(child) => {
                waitpid(child, true).unwrap();
                assert_eq!(mutex.lock(None).unwrap().unwrap().locked, Locked::Inherited);
                assert_eq!(mutex.lock(None).unwrap().unwrap().locked, Locked::Clean);
            }
        }
    }

    #[test]
    fn whoever_waits_inherits_from_a_holder_that_is_killed() {
        let mapping = shared();
        let mutex = mapping.at::<RobustMutex>(0);
        let (ready, tell) = nix::unistd::pipe().unwrap();
        // SAFETY: the child locks a lock of its own kind, says so, and sleeps.
        match unsafe { fork() }.unwrap() {
            Fork::Child => {
                let _held = mutex.lock(None).unwrap();
                nix::unistd::write(&tell, b"!").unwrap();
                loop {
                    std::thread::park();
                }
            }
            Fork::Parent(child) => {
                nix::unistd::read(&ready, &mut [0]).unwrap();
                assert!(mutex.try_lock().unwrap().is_none());
                std::thread::scope(|scope| {
                    let waiter = scope.spawn(|| mutex.lock(None).unwrap().unwrap().locked);
                    let child = nix::unistd::Pid::from_raw(child as i32);
                    nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL).unwrap();
                    assert_eq!(waiter.join().unwrap(), Locked::Inherited);
                });
                waitpid(child, true).unwrap();
            }
        }
    }

    #[test]
    fn a_thread_that_locks_twice_is_told_so() {
        let mapping = shared();
        let mutex = mapping.at::<RobustMutex>(0);
        let held = mutex.lock(None).unwrap();
        assert_eq!(mutex.lock(None).unwrap_err().kind(), io::ErrorKind::Deadlock);
        assert_eq!(mutex.try_lock().unwrap_err().kind(), io::ErrorKind::Deadlock);
        drop(held);
        assert!(mutex.unlock().is_err());
    }

    #[test]
    fn a_held_lock_is_waited_for_until_the_deadline() {
        let mapping = shared();
        let mutex = mapping.at::<RobustMutex>(0);
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

    #[test]
    fn one_at_a_time_has_it() {
        const TIMES: u64 = 2_000;
        let mapping = shared();
        let (mutex, count) = (mapping.at::<RobustMutex>(0), mapping.at::<AtomicU64>(2048));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..TIMES {
                        let _held = mutex.lock(None).unwrap().unwrap();
                        let seen = count.load(Ordering::Relaxed);
                        std::hint::spin_loop();
                        count.store(seen + 1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 4 * TIMES);
    }
}
