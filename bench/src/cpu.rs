//! Processors and clocks.

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// Confines this process, and those that it will start, to one of its CPUs.
pub(crate) fn pin_to_one() -> Result<()> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let last = (0..CpuSet::count()).rev().find(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    let mut one = CpuSet::new();
    one.set(last.context("no CPU is allowed")?)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &one)?)
}

/// Whether this process may run on more than one CPU, so that a peer can run while it spins.
pub(crate) fn has_several() -> bool {
    std::thread::available_parallelism().is_ok_and(|count| count.get() > 1)
}

/// Nanoseconds of a clock that all processes share.
pub(crate) fn now() -> Result<u64> {
    nanoseconds(ClockId::CLOCK_MONOTONIC)
}

/// The processor time that all threads of a process have taken, in nanoseconds.
pub(crate) fn time_of(pid: u32) -> Result<u64> {
    nanoseconds(clock_getcpuclockid(Pid::from_raw(pid.cast_signed()))?)
}

fn nanoseconds(clock: ClockId) -> Result<u64> {
    let time = clock_gettime(clock)?;
    Ok(u64::try_from(time.tv_sec())? * 1_000_000_000 + u64::try_from(time.tv_nsec())?)
}
