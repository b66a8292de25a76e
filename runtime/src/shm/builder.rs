//! How a [`SharedMemory`] is made.

use std::io;

use super::SharedMemory;
use super::block::Taking;

/// What [`SharedMemory::builder`] collects before the memory is made.
///
/// ```
/// use offspring::shm::SharedMemory;
///
/// let name = format!("frames-{}", std::process::id());
/// let frames = SharedMemory::builder().name(&name).create(1 << 20)?;
/// // In this process or another:
/// let same = SharedMemory::open(&name)?;
/// same.write_at(0, b"hello")?;
/// let mut bytes = [0; 5];
/// frames.read_at(0, &mut bytes)?;
/// assert_eq!(&bytes, b"hello");
/// drop(frames); // who made it takes the name along, and `same` stays
/// assert_eq!(SharedMemory::open(&name).unwrap_err().kind(), std::io::ErrorKind::NotFound);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is made before `create`"]
pub struct Builder {
    name: Option<String>,
    taking: Taking,
}

impl Builder {
    /// Gives the memory a name, by which other processes of the same user can [`open`](SharedMemory::open) it: of 1 to
    /// 64 bytes, none of them NUL. Names are those of one network namespace.
    ///
    /// The name lasts until the last handle in **this** process is dropped, or the process ends in any way; those that were opened or
    /// sent do not count. This process has a thread more from then on, named `offspring`, which answers to those who open it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether the memory is taken at once, which is the default.
    ///
    /// Without, each page is taken when it is first written, by any process. Where none is left, that process is ended by the
    /// system (a SIGBUS, or the killer that Linux sends for want of memory). Use it for large memory of which little will be written.
    pub fn reserve(mut self, reserve: bool) -> Self {
        self.taking.reserve = reserve;
        self
    }

    /// Asks for huge pages, of 2 MiB on most machines: less work for the processor where much memory is read here and there.
    ///
    /// A hint: the system gives them where `/sys/kernel/mm/transparent_hugepage/shmem_enabled` says `advise`, `within_size` or
    /// `always` and there are some, and plain pages otherwise. The pool that administrators set aside (`hugetlbfs`) is not used.
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.taking.huge_pages = huge_pages;
        self
    }

    /// Makes the memory: this many bytes, all zero.
    ///
    /// # Errors
    /// `OutOfMemory` when there is not as much, with [`reserve`](Self::reserve); `FileTooLarge` when a file may not be as large
    /// (`RLIMIT_FSIZE`); for a name `AlreadyExists`, and `InvalidInput` when it is none; those of the system.
    pub fn create(self, length: usize) -> io::Result<SharedMemory> {
        SharedMemory::make(length, self.taking, self.name)
    }
}
