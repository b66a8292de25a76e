//! What workers do. `python/tasks.py` does the same.

use anyhow::Result;

use crate::channels::driver::end;
use crate::cpu;

/// The size of large arguments.
pub(crate) const LARGE: usize = 1 << 20;

/// The task that does next to nothing.
pub(crate) fn successor(number: u64) -> u64 {
    number + 1
}

/// What the results of [`successor`] for all numbers below this add up to.
pub(crate) fn sum_of_successors(count: u64) -> u64 {
    count * (count + 1) / 2
}

/// A large argument.
pub(crate) fn large<B: From<Vec<u8>>>() -> B {
    end::message(0, LARGE).into()
}

/// The task with a large argument: it reads a byte of each page, and returns the length.
pub(crate) fn look(bytes: &[u8]) -> u64 {
    end::look(bytes).map_or(0, |_| bytes.len() as u64)
}

/// The task that takes so much processor time of its thread, in nanoseconds: it returns the same.
pub(crate) fn work(ns: u64) -> u64 {
    let taken = || -> Result<u64> { cpu::time_of_thread() };
    let Ok(begin) = taken() else { return 0 }; // which no task is asked for
    while taken().is_ok_and(|now| now - begin < ns) {}
    ns
}
