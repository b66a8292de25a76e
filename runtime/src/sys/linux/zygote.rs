//! Makes siblings by cloning: what the forkserver does at each request.
//!
//! `clone3(CLONE_PARENT | CLONE_PIDFD)` in a small process that has one thread gives a copy of that process as a
//! child of **its parent**, at a cost that does not depend on the parent's memory. Two things that `fork(3)` of the C
//! library does after the system call are done here as well: its cached thread id (`CLONE_CHILD_SETTID` at the
//! address that `PR_GET_TID_ADDRESS` gives) and the list of robust mutexes (`set_robust_list(2)`).
//!
//! The kernel writes the new process's number into a page shared with the requester (`CLONE_PARENT_SETTID`), before
//! the process first runs: should the server be killed right after the clone, the requester still learns of its child.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, munmap};

use super::process::Handle;
use super::{Object, above_standard, procfs};
use crate::sys::unix::own;
use crate::sys::unix::signal::without_file_size_signal;

/// Whether this system has a forkserver.
pub(crate) const SUPPORTED: bool = true;

/// A page with one slot per outstanding request, shared by requester and server.
#[derive(Debug)]
pub(crate) struct Slots(NonNull<[AtomicI32; Slots::COUNT]>);

// SAFETY: the page holds atomics alone and stays mapped until drop.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Slots {
    /// How many requests can be outstanding.
    pub(crate) const COUNT: usize = 1024;

    const LENGTH: NonZeroUsize = NonZeroUsize::new(Self::COUNT * size_of::<AtomicI32>()).unwrap();

    /// Makes the page, and the object by which the server maps it.
    pub(crate) fn create() -> io::Result<(Self, Object)> {
        let object = memfd_create(c"offspring-births", MFdFlags::MFD_CLOEXEC)?;
        let object = above_standard(object)?;
        without_file_size_signal(|| {
            nix::unistd::ftruncate(&object, (Self::COUNT * size_of::<AtomicI32>()) as libc::off_t)
        })?;
        Ok((Self::map(&object)?, object))
    }

    /// Maps the page of a requester.
    pub(crate) fn map(object: &Object) -> io::Result<Self> {
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice aliases nothing of ours.
        let page = unsafe { mmap(None, Self::LENGTH, protection, MapFlags::MAP_SHARED, object, 0) }?;
        Ok(Self(page.cast()))
    }

    /// Keeps the page out of clones of this process: what they run is not to be trusted with it.
    pub(crate) fn keep_from_clones(&self) -> io::Result<()> {
        // SAFETY: the page is ours, and a clone does not touch it.
        unsafe { madvise(self.0.cast(), Self::LENGTH.get(), MmapAdvise::MADV_DONTFORK) }?;
        Ok(())
    }

    /// In a clone, where there is no page.
    pub(crate) fn forget_in_clone(self) {
        std::mem::forget(self);
    }

    fn slot(&self, index: u16) -> &AtomicI32 {
        // SAFETY: mapped until drop, page-aligned, and any bits are a valid atomic integer.
        let all = unsafe { self.0.as_ref() };
        &all[usize::from(index) % Self::COUNT]
    }

    /// Empties a slot before a request.
    pub(crate) fn clear(&self, index: u16) {
        self.slot(index).store(0, Ordering::Release);
    }

    /// Says that the requester knows of its process, so that the server need not tell.
    pub(crate) fn see(&self, index: u16, pid: u32) {
        self.slot(index).store(-(pid as i32), Ordering::Release);
    }

    /// Whether the requester knows of its process.
    pub(crate) fn is_seen(&self, index: u16) -> bool {
        self.slot(index).load(Ordering::Acquire) < 0
    }

    /// Makes the process of a request end that there is no handle of, for want of a descriptor.
    pub(crate) fn end_born(&self, index: u16) {
        if let Some(pid) = self.born(index) {
            super::process::end_by_number(pid);
        }
    }

    /// The process that a request made, if it got so far.
    pub(crate) fn born(&self, index: u16) -> Option<u32> {
        u32::try_from(self.slot(index).load(Ordering::Acquire)).ok().filter(|pid| *pid > 0)
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length; the borrow checker knows of no slot that is still borrowed.
        if let Err(errno) = unsafe { munmap(self.0.cast(), Self::LENGTH.get()) } {
            debug_assert!(false, "unmapping the slots failed: {errno}");
        }
    }
}

/// Which side of [`Zygote::clone`] this is.
#[derive(Debug)]
pub(crate) enum Side {
    /// In the server: the new sibling.
    Server(Handle),
    /// In the new process.
    Child,
}

/// A process that may be cloned: one thread of it does anything, and the C library's state is known.
#[derive(Debug)]
pub(crate) struct Zygote {
    tid_address: u64,
    robust_list: (usize, usize),
}

impl Zygote {
    /// Checks that this process can be cloned. `idle` other threads are known to wait without a lock.
    pub(crate) fn new(idle: usize) -> io::Result<Self> {
        let threads = procfs::threads().ok_or_else(|| io::Error::other("/proc does not tell of threads"))?;
        let others = threads - 1;
        if others > idle {
            return Err(io::Error::other(format!("{others} other threads run before the guard")));
        }
        let mut tid_address: u64 = 0;
        // SAFETY: the option writes one pointer.
        if unsafe { libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut tid_address) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel gave the address of an int that it clears at the end of this thread, which is running.
        let cached = unsafe { (tid_address as *const i32).read_volatile() };
        if cached != nix::unistd::gettid().as_raw() {
            // Some C libraries keep a lock there: then a clone cannot be made to know itself.
            return Err(io::Error::other("the C library does not cache its thread's number"));
        }
        let (mut head, mut length) = (0_usize, 0_usize);
        // SAFETY: 0 is the calling thread; both pointers are valid for writing.
        let result = unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut length) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { tid_address, robust_list: (head, length) })
    }

    /// Clones this process as a child of its parent; returns twice.
    pub(crate) fn clone(&self, slots: &Slots, slot: u16) -> io::Result<Side> {
        let mut pidfd: libc::c_int = -1;
        let flags = libc::CLONE_PARENT
            | libc::CLONE_PIDFD
            | libc::CLONE_PARENT_SETTID
            | libc::CLONE_CHILD_SETTID
            | libc::CLONE_CHILD_CLEARTID;
        let number = slots.slot(slot);
        let mut arguments = libc::clone_args {
            flags: flags as u64,
            pidfd: (&raw mut pidfd) as u64,
            child_tid: self.tid_address,
            parent_tid: std::ptr::from_ref(number) as u64,
            exit_signal: 0, // with CLONE_PARENT the child gets that of the server
            stack: 0,
            stack_size: 0,
            tls: 0,
            set_tid: 0,
            set_tid_size: 0,
            cgroup: 0,
        };
        // SAFETY: without CLONE_VM the child has a copy of this process and returns on a copy of this stack; no other
        // thread of it does anything; the pointers are to an int each that outlives the call; the C library's own
        // record is set below.
        let mut pid =
            unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) };
        if pid < 0 && matches!(Errno::last(), Errno::ENOSYS | Errno::EPERM) {
            pid = self.clone_without_clone3(&mut pidfd);
            if pid > 0 {
                // The old call has one place for both numbers: the requester learns this one a moment later.
                number.store(i32::try_from(pid).unwrap_or_default(), Ordering::Release);
            }
        }
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        if pid == 0 {
            let (head, length) = self.robust_list;
            // SAFETY: the list of the server's only thread, copied with its memory.
            unsafe { libc::syscall(libc::SYS_set_robust_list, head, length) };
            // No hook of a fork ran.
            own::forget();
            crate::sys::unix::fork::count_copy();
            return Ok(Side::Child);
        }
        let pid = i32::try_from(pid).expect("a process id is an int");
        // SAFETY: the kernel just made this descriptor for us.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        Ok(Side::Server(Handle::new(pid, pidfd)))
    }
}

impl Zygote {
    /// The same by `clone(2)`: filters of system calls, those of container runtimes among them, refuse `clone3`.
    fn clone_without_clone3(&self, pidfd: &mut libc::c_int) -> libc::c_long {
        let flags =
            libc::CLONE_PARENT | libc::CLONE_PIDFD | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID;
        let flags = libc::c_long::from(flags);
        let pidfd = std::ptr::from_mut(pidfd);
        let tid = self.tid_address;
        // The last two arguments, thread-local storage and the place of the child's number, change places between
        // architectures.
        let (fourth, fifth) = if cfg!(target_arch = "x86_64") { (tid, 0) } else { (0, tid) };
        // SAFETY: as for clone3 above.
        unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, pidfd, fourth, fifth) }
    }
}

/// The descriptor by which a new process travels to its parent.
pub(crate) fn as_object(handle: &Handle) -> std::os::fd::BorrowedFd<'_> {
    handle.as_fd()
}

/// The handle that the server sent.
pub(crate) fn from_object(pid: u32, object: Object) -> io::Result<Handle> {
    Ok(Handle::new(i32::try_from(pid).map_err(io::Error::other)?, object))
}
