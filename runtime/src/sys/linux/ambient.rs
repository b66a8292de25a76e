//! What a process inherits besides its arguments: signal mask and ignored signals, file mode mask, resource limits,
//! niceness, processors, directory, standard streams.
//!
//! A child that is cloned from the forkserver would inherit these from the server, as they were when that began. So
//! the starter takes a [`Snapshot`] at each start and the child [`adopt`](Ambient::adopt)s what differs from the
//! server's. What cannot be handed over, the credentials, is compared instead: a starter whose rights changed gets a
//! new server.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Object, above_standard, procfs};
pub(crate) use crate::sys::unix::ambient::{
    enter, install_standard, is_terminal, null_device, refuse_terminal_stops, separate, standard,
};
use crate::sys::unix::signal;

/// The inheritable state of a process that can be handed over as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ambient {
    mask: u64,
    ignored: u64,
    umask: Option<u32>,
    limits: Vec<(u64, u64)>,
    nice: i32,
    processors: Vec<u64>,
}

/// An [`Ambient`] with the credentials that must be equal for it to be handed over at all.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) ambient: Ambient,
    pub(crate) credentials: String,
}

/// Takes a snapshot of the calling thread and its process.
pub(crate) fn capture() -> Snapshot {
    let status = procfs::status().unwrap_or_default();
    let ambient = Ambient {
        mask: signal::mask(),
        ignored: status.ignored.unwrap_or_else(signal::ignored),
        umask: status.umask,
        limits: LIMITS.map(limit).to_vec(),
        nice: nice(),
        processors: processors(),
    };
    let credentials = status.credentials + &root();
    Snapshot { ambient, credentials }
}

impl Ambient {
    /// Makes this process like the snapshot, given what it is like now.
    ///
    /// Privileges that the server has are the starter's, so nothing here is expected to be refused; what is refused
    /// all the same (a raised limit that was lowered for good) leaves the stricter value in force.
    pub(crate) fn adopt(&self, now: &Self) {
        for number in signal::numbers() {
            let wanted = self.ignored & signal::bit(number) != 0;
            if wanted != (now.ignored & signal::bit(number) != 0) {
                signal::set_ignored(number, wanted);
            }
        }
        if let Some(umask) = self.umask.filter(|_| self.umask != now.umask) {
            nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(umask));
        }
        for (index, (wanted, now)) in self.limits.iter().zip(&now.limits).enumerate() {
            if wanted != now {
                set_limit(LIMITS[index], *wanted);
            }
        }
        if self.nice != now.nice {
            // SAFETY: setpriority takes integers; 0 is the calling process.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, self.nice) };
        }
        if self.processors != now.processors {
            set_processors(&self.processors);
        }
        if self.mask != now.mask {
            signal::replace_mask(self.mask);
        }
    }
}

/// Which directory is the root: a server that was made before a `chroot(2)` must not serve after it.
fn root() -> String {
    let root = std::fs::metadata("/").ok();
    root.map_or_else(String::new, |root| format!("{}:{}", root.dev(), root.ino()))
}

impl Ambient {
    /// Whether a process like this may open as many descriptors as one like the other: it has to receive what belongs to that
    /// one before it can take on its limits.
    pub(crate) fn opens_as_many_as(&self, other: &Self) -> bool {
        let soft = |ambient: &Self| ambient.limits.get(libc::RLIMIT_NOFILE as usize).map(|limit| limit.0);
        soft(self) >= soft(other)
    }
}

/// The resources that have limits, `RLIMIT_CPU` to `RLIMIT_RTTIME`.
const LIMITS: [u32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn limit(resource: u32) -> (u64, u64) {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a null new limit only reads; `limit` is valid for writing; 0 is the calling process.
    unsafe { libc::prlimit64(0, resource as _, std::ptr::null(), &raw mut limit) };
    (limit.rlim_cur, limit.rlim_max)
}

fn set_limit(resource: u32, (soft, hard): (u64, u64)) {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: `limit` is valid for reading and a null old limit is allowed; 0 is the calling process.
    unsafe { libc::prlimit64(0, resource as _, &raw const limit, std::ptr::null_mut()) };
}

fn nice() -> i32 {
    // SAFETY: getpriority takes integers; -1 is a legal answer, and 0 for the calling process cannot fail.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
}

/// The processors that the calling thread may use, as a bit mask without trailing zero words.
fn processors() -> Vec<u64> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: the size is that of the set, which is valid for writing.
    unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) };
    // SAFETY: zeroed above, and any bits are a set.
    let set = unsafe { set.assume_init() };
    // SAFETY: a cpu_set_t is an array of bits of 128 bytes.
    let words: [u64; 16] = unsafe { std::mem::transmute(set) };
    let used = words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
    words[..used].to_vec()
}

fn set_processors(words: &[u64]) {
    let mut all = [0_u64; 16];
    all[..words.len()].copy_from_slice(words);
    // SAFETY: the size is that of the array, and a set of processors is an array of bits.
    unsafe { libc::sched_setaffinity(0, size_of_val(&all), all.as_ptr().cast()) };
}

/// A pipe: the end to read from, and the end to write to.
pub(crate) fn pipe() -> io::Result<(Object, Object)> {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    Ok((above_standard(reader)?, above_standard(writer)?))
}

/// A handle of a directory, to be entered by another process.
pub(crate) fn directory(path: &Path) -> io::Result<Object> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path is a C string.
    let fd = unsafe { libc::open(path.as_ptr(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    above_standard(unsafe { OwnedFd::from_raw_fd(fd) })
}
