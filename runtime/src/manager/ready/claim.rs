//! What a client wants of an object, and then has: a lock, a permit, an item that is handed to it.
//!
//! A claim has a number before the server hears of it. Whatever becomes of the call that makes it, when the claim is dropped the server is told its number: what
//! was handed out is taken back. So nothing is held for nobody, also where an answer comes too late or cannot be read. The server
//! does what it is told before it reads what the client says next.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::manager::proxy::Stub;
use crate::sys::own;

/// The number of the method `release(claim, panicked)`, which is the first of every service that has claims.
const RELEASE: u32 = 0;

/// The number of `keep(claim)`, its second.
const KEEP: u32 = 1;

pub struct Claim {
    stub: Stub,
    number: u64,
    /// A copy of the process, made by a fork, has claimed nothing.
    pid: u32,
    was_panicking: bool,
}

impl Claim {
    pub(super) fn new(stub: &Stub) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Self { stub: stub.clone(), number, pid: own::pid(), was_panicking: std::thread::panicking() }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// The server handed out nothing.
    pub(super) fn forget(mut self) {
        self.pid = 0;
    }

    /// What was handed out is not the server's any more.
    pub(super) fn keep(self) {
        if self.pid == own::pid() {
            self.stub.tell(KEEP, &(self.number,));
        }
        self.forget();
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.pid == own::pid() {
            let panicked = !self.was_panicking && std::thread::panicking();
            self.stub.tell(RELEASE, &(self.number, panicked));
        }
    }
}

/// A number for the calling thread that no other of the process has or had.
pub(super) fn thread() -> u64 {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static MINE: Cell<u64> = const { Cell::new(0) };
    }
    MINE.with(|mine| {
        if mine.get() == 0 {
            mine.set(NUMBERS.fetch_add(1, Ordering::Relaxed));
        }
        mine.get()
    })
}
