//! A mutex of the C library in shared memory, robust or not, with a number beside it.
#![expect(unsafe_code, reason = "the bare mutex is what is measured")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Result, ensure};
use nix::libc;

use super::window::Window;
use super::{Contender, Lock};
use crate::forked::Forked;
use crate::locks::contestant::Work;
use crate::memory::{Common, Memory};

/// What lies in shared memory.
#[derive(Debug)]
#[repr(C)]
struct Guarded {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    /// Relaxed loads and stores of it are plain ones.
    number: AtomicU64,
}

// SAFETY: the mutex is initialised before it is shared, and for processes to share; the number is atomic.
unsafe impl Common for Guarded {}

/// The lock.
#[derive(Clone, Debug)]
pub(crate) struct Pthread(Rc<Memory>);

impl Pthread {
    /// A new one, unlocked.
    pub(crate) fn new(robust: bool) -> Result<Self> {
        let memory = Memory::new(size_of::<Guarded>())?;
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: a place for attributes.
        check(unsafe { libc::pthread_mutexattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: initialised by the call above.
        let mut attributes = unsafe { attributes.assume_init() };
        let shared = libc::PTHREAD_PROCESS_SHARED;
        // SAFETY: initialised attributes.
        check(unsafe { libc::pthread_mutexattr_setpshared(&raw mut attributes, shared) })?;
        if robust {
            let robust = libc::PTHREAD_MUTEX_ROBUST;
            // SAFETY: initialised attributes.
            check(unsafe { libc::pthread_mutexattr_setrobust(&raw mut attributes, robust) })?;
        }
        let mutex = memory.head::<Guarded>().mutex.get();
        // SAFETY: a place for a mutex that nobody uses yet, and initialised attributes.
        check(unsafe { libc::pthread_mutex_init(mutex, &raw const attributes) })?;
        Ok(Self(Rc::new(memory)))
    }

    fn guarded(&self) -> &Guarded {
        self.0.head()
    }

    fn lock(&self) -> Result<()> {
        // SAFETY: an initialised mutex.
        check(unsafe { libc::pthread_mutex_lock(self.guarded().mutex.get()) })
    }

    fn unlock(&self) -> Result<()> {
        // SAFETY: an initialised mutex, which this thread has locked.
        check(unsafe { libc::pthread_mutex_unlock(self.guarded().mutex.get()) })
    }
}

fn check(result: libc::c_int) -> Result<()> {
    ensure!(result == 0, "{}", nix::errno::Errno::from_raw(result));
    Ok(())
}

impl Lock for Pthread {
    fn pair(&self) -> Result<()> {
        self.lock()?;
        self.unlock()
    }

    fn increment(&self) -> Result<()> {
        self.lock()?;
        let number = &self.guarded().number;
        number.store(number.load(Relaxed) + 1, Relaxed);
        self.unlock()
    }

    fn number(&self) -> Result<u64> {
        Ok(self.guarded().number.load(Relaxed))
    }
}

impl Contender for Pthread {
    type Lock = Self;
    type Other = Forked;

    fn lock(&self) -> &Self {
        self
    }

    fn start_other(&self, work: Work, window: Window) -> Result<Forked> {
        Forked::start(|| window.fill(self, work))
    }

    fn finish(other: Forked) -> Result<u64> {
        other.join()
    }
}
