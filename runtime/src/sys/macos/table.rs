//! What the kernel knows of processes: `proc_pidinfo(3)` of Apple's systems, `sysctl(3)` with `KERN_PROC` on FreeBSD. Other
//! BSDs are not asked yet, and no process of theirs is known.

use std::io;

/// One process as the kernel shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) parent: i32,
    pub(crate) group: i32,
    /// Microseconds since 1970: with the number, this names a process for good. Not zero.
    pub(crate) started: u64,
    pub(crate) zombie: bool,
    /// How many threads it has, if that is told.
    pub(crate) threads: Option<usize>,
    /// How many bytes of memory it has resident, if that is told.
    pub(crate) resident: Option<u64>,
}

/// Looks at a process: `None` when there is none.
pub(crate) fn look(pid: i32) -> Option<Seen> {
    system::look(pid)
}

/// All processes that can be looked at.
pub(crate) fn all() -> io::Result<Vec<(i32, Seen)>> {
    system::all()
}

fn time(seconds: u64, microseconds: u64) -> u64 {
    seconds.wrapping_mul(1_000_000).wrapping_add(microseconds).max(1)
}

#[cfg(target_os = "macos")]
mod system {
    use std::io;
    use std::mem::MaybeUninit;

    use super::{Seen, time};

    /// `SZOMB` of `sys/proc.h`.
    const ZOMBIE: u32 = 5;

    /// `proc_pidinfo(3)`: what is told of a process, all of it or nothing.
    fn info<T>(pid: i32, flavour: libc::c_int, argument: u64) -> Option<T> {
        let mut info = MaybeUninit::<T>::zeroed();
        let size = libc::c_int::try_from(size_of::<T>()).ok()?;
        // SAFETY: the place is valid for writing as many bytes as are said.
        let written = unsafe { libc::proc_pidinfo(pid, flavour, argument, info.as_mut_ptr().cast(), size) };
        // SAFETY: written in full, and of numbers alone.
        (written == size).then(|| unsafe { info.assume_init() })
    }

    pub(super) fn look(pid: i32) -> Option<Seen> {
        // With 1, those that have ended and are not reaped are told of as well.
        let told: libc::proc_bsdinfo = info(pid, libc::PROC_PIDTBSDINFO, 1)?;
        let zombie = told.pbi_status == ZOMBIE;
        let task: Option<libc::proc_taskinfo> =
            if zombie { None } else { info(pid, libc::PROC_PIDTASKINFO, 0) };
        Some(Seen {
            parent: told.pbi_ppid as i32,
            group: told.pbi_pgid as i32,
            started: time(told.pbi_start_tvsec, told.pbi_start_tvusec),
            zombie,
            threads: task.and_then(|task| usize::try_from(task.pti_threadnum).ok()),
            resident: task.map(|task| task.pti_resident_size),
        })
    }

    pub(super) fn all() -> io::Result<Vec<(i32, Seen)>> {
        // SAFETY: no buffer: it only counts.
        let count = unsafe { libc::proc_listallpids(std::ptr::null_mut(), 0) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        // Some may come into being meanwhile.
        let mut pids = vec![0_i32; count + count / 2 + 64];
        let size = libc::c_int::try_from(size_of_val(pids.as_slice())).map_err(io::Error::other)?;
        // SAFETY: the buffer is valid for writing as many bytes as are said.
        let count = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast(), size) };
        pids.truncate(usize::try_from(count).map_err(|_| io::Error::last_os_error())?);
        Ok(pids.into_iter().filter_map(|pid| Some((pid, look(pid)?))).collect())
    }
}

#[cfg(target_os = "freebsd")]
mod system {
    use std::io;
    use std::mem::MaybeUninit;

    use super::{Seen, time};

    /// `SZOMB` of `sys/proc.h`.
    const ZOMBIE: libc::c_char = 5;

    fn seen(told: &libc::kinfo_proc) -> Seen {
        let resident = u64::try_from(told.ki_rssize).unwrap_or(0);
        // SAFETY: an integer.
        let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
        Seen {
            parent: told.ki_ppid,
            group: told.ki_pgid,
            started: time(told.ki_start.tv_sec as u64, told.ki_start.tv_usec as u64),
            zombie: told.ki_stat == ZOMBIE,
            threads: usize::try_from(told.ki_numthreads).ok(),
            resident: Some(resident.saturating_mul(page)),
        }
    }

    /// `sysctl(3)` of `kern.proc`: fills the places, and says how many are needed or filled.
    fn ask(what: libc::c_int, pid: i32, places: &mut [MaybeUninit<libc::kinfo_proc>]) -> io::Result<usize> {
        const NAME: u32 = 4;
        let name = [libc::CTL_KERN, libc::KERN_PROC, what, pid];
        let mut size = size_of_val(places);
        let room = if places.is_empty() { std::ptr::null_mut() } else { places.as_mut_ptr().cast() };
        // SAFETY: the name is an array of so many integers; the room is null or valid for writing as many bytes as are said.
        let result = unsafe { libc::sysctl(name.as_ptr(), NAME, room, &raw mut size, std::ptr::null(), 0) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(size / size_of::<libc::kinfo_proc>())
    }

    pub(super) fn look(pid: i32) -> Option<Seen> {
        let mut place = [MaybeUninit::zeroed()];
        (ask(libc::KERN_PROC_PID, pid, &mut place).ok()? == 1).then_some(())?;
        // SAFETY: written by the call, and zeroed before.
        let told = unsafe { place[0].assume_init_ref() };
        (told.ki_pid == pid).then(|| seen(told))
    }

    pub(super) fn all() -> io::Result<Vec<(i32, Seen)>> {
        let count = ask(libc::KERN_PROC_PROC, 0, &mut [])?;
        // Some may come into being meanwhile.
        let mut places = Vec::new();
        places.resize_with(count + count / 2 + 64, MaybeUninit::zeroed);
        let count = ask(libc::KERN_PROC_PROC, 0, &mut places)?;
        let told = places[..count].iter().map(|place| {
            // SAFETY: written by the call, and zeroed before.
            let told = unsafe { place.assume_init_ref() };
            (told.ki_pid, seen(told))
        });
        Ok(told.collect())
    }
}

#[cfg(not(any(target_os = "macos", target_os = "freebsd")))]
mod system {
    use std::io;

    use super::Seen;
    use crate::sys::unsupported::unsupported;

    pub(super) fn look(_pid: i32) -> Option<Seen> {
        let _numbers: fn(u64, u64) -> u64 = super::time;
        None
    }

    pub(super) fn all() -> io::Result<Vec<(i32, Seen)>> {
        Err(unsupported())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_is_seen_with_its_parent() {
        let me = super::look(std::process::id() as i32).unwrap();
        assert_eq!(me.parent as u32, std::os::unix::process::parent_id());
        assert!(me.threads.unwrap() > 0 && me.resident.unwrap() > 4096 && !me.zombie);
        assert!(
            super::all().unwrap().iter().any(|(pid, seen)| *pid as u32 == std::process::id() && *seen == me)
        );
    }
}
