//! Processors and clocks.

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::procfs;

/// The first and the last of the CPUs that this process may run on.
pub(crate) fn first_and_last() -> Result<(usize, usize)> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let mut numbers = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    let first = numbers.next().context("no CPU is allowed")?;
    Ok((first, numbers.next_back().unwrap_or(first)))
}

/// Confines this thread, and threads and processes that it will start, to a CPU.
pub(crate) fn pin(cpu: usize) -> Result<()> {
    let mut one = CpuSet::new();
    one.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &one)?)
}

/// Nanoseconds of a clock that all processes share.
pub(crate) fn now() -> Result<u64> {
    nanoseconds(ClockId::CLOCK_MONOTONIC)
}

/// The processor time that all threads of a process have taken, in nanoseconds.
pub(crate) fn time_of(pid: u32) -> Result<u64> {
    nanoseconds(clock_getcpuclockid(Pid::from_raw(pid.cast_signed()))?)
}

/// The processor time that this thread has taken, in nanoseconds.
pub(crate) fn time_of_thread() -> Result<u64> {
    nanoseconds(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Confines all threads of a process to a CPU, and those of its children to another.
pub(crate) fn part(parent: u32, here: usize, there: usize) -> Result<()> {
    let mut family = procfs::family(parent)?.into_iter();
    family.try_for_each(|pid| confine(pid, if pid == parent { here } else { there }))
}

/// Confines all threads of a process to a CPU.
fn confine(pid: u32, cpu: usize) -> Result<()> {
    let mut one = CpuSet::new();
    one.set(cpu)?;
    for thread in procfs::thread_ids(pid)? {
        match sched_setaffinity(Pid::from_raw(thread), &one) {
            Ok(()) | Err(Errno::ESRCH) => {} // some have ended meanwhile
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn nanoseconds(clock: ClockId) -> Result<u64> {
    let time = clock_gettime(clock)?;
    Ok(u64::try_from(time.tv_sec())? * 1_000_000_000 + u64::try_from(time.tv_nsec())?)
}
