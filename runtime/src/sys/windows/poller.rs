//! Waiting for many things at once: `WaitForMultipleObjects` for one call, `RegisterWaitForSingleObject` for the watcher and for more than 64.

use std::collections::HashMap;
use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, OwnedHandle};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE, WAIT_FAILED, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEINWAITTHREAD, WT_EXECUTEONLYONCE,
    WaitForMultipleObjects, WaitForSingleObject,
};

use super::channel::{event, reset, set};
use super::{Object, borrow};
pub(crate) use crate::sys::absent::poller::Bundle;
pub(crate) use crate::sys::deadline::deadline;

/// What can be waited for: a handle that becomes signalled.
pub(crate) type Sentinel<'a> = BorrowedHandle<'a>;

/// How many handles one call waits for (`MAXIMUM_WAIT_OBJECTS`).
const AT_ONCE: usize = 64;

/// What becomes ready when an object does.
pub(crate) fn sentinel(object: &Object) -> Sentinel<'_> {
    borrow(object)
}

/// The time until a deadline as the system wants it, rounded up: a wait that ends early would be repeated at once.
fn milliseconds(deadline: Option<Instant>) -> u32 {
    let Some(deadline) = deadline else { return INFINITE };
    let rest = deadline.saturating_duration_since(Instant::now());
    u32::try_from(rest.as_nanos().div_ceil(1_000_000)).unwrap_or(INFINITE).min(INFINITE - 1)
}

/// Whether a handle is signalled.
fn is_ready(sentinel: Sentinel<'_>) -> io::Result<bool> {
    // SAFETY: the handle is open.
    match unsafe { WaitForSingleObject(sentinel.as_raw_handle(), 0) } {
        WAIT_FAILED => Err(io::Error::last_os_error()),
        result => Ok(result == WAIT_OBJECT_0),
    }
}

/// Waits until at least one of the sentinels is ready, or the deadline: which are ready.
///
/// A wait for nothing is a sleep.
pub(crate) fn wait(sentinels: &[Sentinel<'_>], deadline: Option<Instant>) -> io::Result<Vec<bool>> {
    match sentinels.len() {
        0 => loop {
            let rest = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match rest {
                Some(Duration::ZERO) => return Ok(Vec::new()),
                rest => std::thread::sleep(rest.unwrap_or(Duration::MAX)),
            }
        },
        count @ 1..=AT_ONCE => {
            let handles: Vec<HANDLE> = sentinels.iter().map(AsRawHandle::as_raw_handle).collect();
            loop {
                let timeout = milliseconds(deadline);
                #[allow(clippy::cast_possible_truncation)] // at most 64
                // SAFETY: so many handles, which are open.
                let result = unsafe { WaitForMultipleObjects(count as u32, handles.as_ptr(), 0, timeout) };
                if result == WAIT_FAILED {
                    return Err(io::Error::last_os_error());
                }
                let over = deadline.is_some_and(|deadline| deadline <= Instant::now());
                if over || (result as usize) < count {
                    break;
                }
            }
            sentinels.iter().map(|sentinel| is_ready(*sentinel)).collect()
        }
        _ => {
            let poller = Poller::new()?;
            let numbered = (0..).zip(sentinels);
            numbered.clone().try_for_each(|(token, sentinel)| poller.add(*sentinel, token))?;
            while poller.wait(deadline)?.is_empty() {
                if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    break;
                }
            }
            sentinels.iter().map(|sentinel| is_ready(*sentinel)).collect()
        }
    }
}

/// A set of sentinels that one thread waits for while others add and remove.
///
/// Threads of the system's pool wait for them, each for up to 63; what they see, they put into a list.
#[derive(Debug)]
pub(crate) struct Poller {
    list: Arc<List>,
    /// By the number of the handle that is waited for.
    waits: Mutex<HashMap<usize, Vec<Wait>>>,
}

/// What the system's threads have seen.
#[derive(Debug)]
struct List {
    ready: Mutex<Vec<u64>>,
    bell: OwnedHandle,
}

/// One wait of the system's pool.
#[derive(Debug)]
struct Wait {
    number: HANDLE,
    /// What its thread is told; a box that was leaked.
    note: *mut Note,
}

/// What the thread of a wait is told.
#[derive(Debug)]
struct Note {
    list: Arc<List>,
    token: u64,
}

// SAFETY: the number means the same in every thread, and the note is not touched until the wait is over.
unsafe impl Send for Wait {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Called by a thread of the pool, once.
extern "system" fn seen(note: *mut c_void, _timed_out: bool) {
    // SAFETY: the note that `add` leaked; it is freed after the wait is over.
    let note = unsafe { &*note.cast::<Note>() };
    lock(&note.list.ready).push(note.token);
    set(&note.list.bell);
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let list = List { ready: Mutex::new(Vec::new()), bell: event()? };
        Ok(Self { list: Arc::new(list), waits: Mutex::new(HashMap::new()) })
    }

    /// Watches a sentinel under a token. It is reported once.
    pub(crate) fn add(&self, sentinel: Sentinel<'_>, token: u64) -> io::Result<()> {
        let note = Box::into_raw(Box::new(Note { list: Arc::clone(&self.list), token }));
        let mut number = ptr::null_mut();
        let object = sentinel.as_raw_handle();
        let options = WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD;
        // SAFETY: the handle is open until it is removed, the note lives until the wait is over, and the function takes it.
        let registered = unsafe {
            RegisterWaitForSingleObject(&raw mut number, object, Some(seen), note.cast(), INFINITE, options)
        };
        let wait = Wait { number, note };
        if registered == 0 {
            let error = io::Error::last_os_error();
            wait.free();
            return Err(error);
        }
        lock(&self.waits).entry(object.addr()).or_default().push(wait);
        Ok(())
    }

    /// Stops watching a sentinel.
    #[allow(clippy::unnecessary_wraps)] // as on other systems
    pub(crate) fn remove(&self, sentinel: Sentinel<'_>) -> io::Result<()> {
        let waits = lock(&self.waits).remove(&sentinel.as_raw_handle().addr());
        waits.into_iter().flatten().for_each(Wait::end);
        Ok(())
    }

    /// Makes a running [`wait`](Self::wait) return.
    #[allow(clippy::unnecessary_wraps)] // as above
    pub(crate) fn ring(&self) -> io::Result<()> {
        set(&self.list.bell);
        Ok(())
    }

    /// Waits until sentinels are ready, the bell rings, or the deadline: the tokens that are ready.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> io::Result<Vec<u64>> {
        // SAFETY: the bell is open.
        let result = unsafe { WaitForSingleObject(self.list.bell.as_raw_handle(), milliseconds(deadline)) };
        if result == WAIT_FAILED {
            return Err(io::Error::last_os_error());
        }
        reset(&self.list.bell);
        Ok(std::mem::take(&mut *lock(&self.list.ready)))
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        lock(&self.waits).drain().flat_map(|(_, waits)| waits).for_each(Wait::end);
    }
}

impl Wait {
    /// Ends the wait, and waits for a call that is under way.
    fn end(self) {
        // SAFETY: the number of a wait that was registered and not ended yet. No lock is held that the call under way takes.
        let ended = unsafe { UnregisterWaitEx(self.number, INVALID_HANDLE_VALUE) };
        debug_assert!(ended != 0, "a wait that was registered can be ended");
        self.free();
    }

    fn free(self) {
        // SAFETY: leaked by `add`, and nobody is told of it any more.
        drop(unsafe { Box::from_raw(self.note) });
    }
}
