//! Memory that processes share: who sees what, who may do what, and what is left of it.

#![allow(clippy::cast_possible_truncation)] // numbers of elements are small
#![allow(clippy::needless_pass_by_value)] // what a child runs owns its arguments

use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use offspring::shm::{Shared, SharedMemory, SharedSlice, SharedView};
use offspring::{Attachment, Bytes, JoinError, Process, Run, Shareable, spawn};
use offspring_tests::{open_descriptors, runs, until, watchdog};
use serde::{Deserialize, Serialize};

/// A name that no other test has.
fn unique(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

/// The addresses of names, as the system lists them.
fn listed(name: &str) -> bool {
    std::fs::read_to_string("/proc/net/unix").unwrap().contains(name)
}

/// What is in the directories where shared memory is usually left.
fn remains() -> Vec<String> {
    let entries = |directory| std::fs::read_dir(directory).into_iter().flatten();
    let names = ["/dev/shm", "/tmp", "/run", "/var/tmp"].into_iter().flat_map(entries);
    let names = names.filter_map(|entry| Some(entry.ok()?.path().to_string_lossy().into_owned()));
    names
        .filter(|name| name.contains("offspring") && name.contains("shm") || name.starts_with("/dev/shm/"))
        .collect()
}

/// The system calls that the tests need.
mod system {
    #![allow(unsafe_code)]

    use std::ffi::CString;
    use std::os::fd::{AsRawFd, BorrowedFd};

    /// The error of mapping a file for writing, if there is one.
    pub(super) fn map_for_writing(fd: BorrowedFd<'_>) -> Option<i32> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, at an address of the kernel's choice.
        let mapped =
            unsafe { libc::mmap(std::ptr::null_mut(), 1, protection, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
        (mapped == libc::MAP_FAILED).then(|| std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }

    /// The error of writing to a file, if there is one.
    pub(super) fn write(fd: BorrowedFd<'_>) -> Option<i32> {
        // SAFETY: the byte is valid for reading.
        let written = unsafe { libc::pwrite(fd.as_raw_fd(), [1_u8].as_ptr().cast(), 1, 0) };
        (written < 0).then(|| std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }

    /// Limits something for this process.
    pub(super) fn limit(what: libc::__rlimit_resource_t, to: u64) {
        let limit = libc::rlimit { rlim_cur: to, rlim_max: to };
        // SAFETY: the limit is valid for reading.
        assert_eq!(unsafe { libc::setrlimit(what, &raw const limit) }, 0);
    }

    /// Leaves this process an empty directory in place of the file system; false where that takes a privilege.
    pub(super) fn see_only(directory: &str) -> bool {
        let path = CString::new(directory).unwrap();
        // SAFETY: the path is a C string.
        let change = || unsafe { libc::chroot(path.as_ptr()) } == 0;
        // SAFETY: the flag is a number; a user namespace of one's own brings the privilege.
        change() || unsafe { libc::unshare(libc::CLONE_NEWUSER) } == 0 && change()
    }
}

#[offspring::test]
fn bytes_that_one_process_writes_are_seen_by_the_others() {
    let _dog = watchdog();
    let memory = SharedMemory::create(100_000).unwrap();
    let write = |memory: SharedMemory, at: usize| memory.write_at(at, b"hello").unwrap();
    for at in [0, 3, 65_533, 99_995] {
        spawn(write, (memory.clone(), at)).unwrap().join().unwrap();
        let mut bytes = [0; 5];
        memory.read_at(at, &mut bytes).unwrap();
        assert_eq!(&bytes, b"hello");
    }
}

#[offspring::test]
fn new_memory_is_zero_and_has_the_length_that_was_asked_for() {
    let _dog = watchdog();
    for length in [0, 1, 4095, 4096, 4097, 3 << 20] {
        let memory = SharedMemory::create(length).unwrap();
        assert_eq!((memory.len(), memory.is_empty()), (length, length == 0));
        let mut bytes = Vec::new();
        memory.cursor().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, vec![0; length]);
        let length_there = spawn(|memory: SharedMemory| memory.len(), (memory,)).unwrap().join().unwrap();
        assert_eq!(length_there, length);
    }
}

#[offspring::test]
fn what_is_outside_of_the_memory_is_an_error_and_changes_nothing() {
    let memory = SharedMemory::create(10).unwrap();
    for (offset, count) in [(10, 1), (0, 11), (11, 0), (usize::MAX, 2)] {
        assert_eq!(memory.write_at(offset, &vec![1; count]).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(memory.read_at(offset, &mut vec![1; count]).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    memory.write_at(10, &[]).unwrap();
    assert!(
        memory.atomics::<AtomicU64>(0, 2).is_err() && memory.atomics::<AtomicU64>(0, usize::MAX).is_err()
    );
    assert!(memory.atomics::<AtomicU32>(2, 1).unwrap_err().to_string().contains("multiple"));
    assert_eq!(memory.view().unwrap().to_vec(), [0; 10]);
}

#[offspring::test]
fn atomics_in_memory_count_for_all_processes() {
    let _dog = watchdog();
    let memory = SharedMemory::create(64).unwrap();
    let count = |memory: SharedMemory| {
        for _ in 0..10_000 {
            memory.atomics::<AtomicU64>(8, 1).unwrap()[0].fetch_add(1, Relaxed);
        }
    };
    let children: Vec<_> = (0..4).map(|_| spawn(count, (memory.clone(),)).unwrap()).collect();
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(memory.atomics::<AtomicU64>(0, 8).unwrap()[1].load(Relaxed), 40_000);
}

#[offspring::test]
fn a_cursor_ends_with_the_memory() {
    let memory = SharedMemory::create(8).unwrap();
    let mut cursor = memory.cursor();
    assert_eq!(cursor.write(b"0123456789").unwrap(), 8);
    assert_eq!(cursor.write(b"x").unwrap(), 0);
    assert_eq!(cursor.seek(SeekFrom::End(-3)).unwrap(), 5);
    let mut rest = String::new();
    cursor.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "567");
    assert!(cursor.seek(SeekFrom::Current(-9)).is_err());
    cursor.seek(SeekFrom::Start(u64::MAX)).unwrap();
    assert_eq!(cursor.read(&mut [0]).unwrap(), 0);
}

#[offspring::test]
fn memory_grows_and_others_see_it_when_they_refresh() {
    let _dog = watchdog();
    let mut memory = SharedMemory::create(100).unwrap();
    let mut clone = memory.clone();
    let mut view = memory.view().unwrap();
    let grow = |mut memory: SharedMemory| {
        memory.resize(1 << 20).unwrap();
        memory.write_at((1 << 20) - 3, b"end").unwrap();
    };
    spawn(grow, (memory.clone(),)).unwrap().join().unwrap();
    assert_eq!((memory.len(), clone.len(), view.len()), (100, 100, 100));
    memory.refresh().unwrap();
    view.refresh().unwrap();
    assert_eq!((memory.len(), clone.len(), view.len()), (1 << 20, 100, 1 << 20));
    let mut end = [0; 3];
    view.read_at((1 << 20) - 3, &mut end).unwrap();
    assert_eq!(&end, b"end");
    clone.resize(2 << 20).unwrap();
    assert_eq!(clone.len(), 2 << 20);
}

#[offspring::test]
fn memory_does_not_become_shorter_under_those_who_have_it() {
    let mut memory = SharedMemory::create(10_000).unwrap();
    let error = memory.resize(100).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("does not become shorter"), "{error}");
    assert_eq!(memory.len(), 10_000);
    // Nor by who goes behind the library's back.
    let file = std::fs::File::from(memory.as_fd().try_clone_to_owned().unwrap());
    assert_eq!(file.set_len(0).unwrap_err().kind(), ErrorKind::PermissionDenied);
    memory.write_at(9_999, b"x").unwrap();
}

#[offspring::test]
fn bytes_are_plain_while_nobody_else_has_them() {
    let _dog = watchdog();
    let mut memory = SharedMemory::create(100).unwrap();
    memory.get_mut().unwrap().fill(7);
    memory.resize(200).unwrap();
    assert_eq!(memory.get_mut().unwrap()[99..101], [7, 0]);
    drop(memory.clone());
    assert!(memory.get_mut().is_some());
    spawn(|mut memory: SharedMemory| assert!(memory.get_mut().is_none()), (memory.clone(),))
        .unwrap()
        .join()
        .unwrap();
    assert!(memory.get_mut().is_none(), "it has travelled");
    let mut viewed = SharedMemory::create(1).unwrap();
    drop(viewed.view().unwrap());
    assert!(viewed.get_mut().is_none());
    let mut named = SharedMemory::builder().name(unique("plain")).create(1).unwrap();
    assert!(named.get_mut().is_none());
}

#[offspring::test]
fn a_view_cannot_be_written_by_who_receives_it() {
    let _dog = watchdog();
    let memory = SharedMemory::create(4096).unwrap();
    memory.write_at(0, b"look").unwrap();
    let attack = |view: SharedView| {
        let fd = view.as_fd();
        (system::map_for_writing(fd), system::write(fd), view.to_vec()[..4].to_vec())
    };
    let child = spawn(attack, (memory.view().unwrap(),)).unwrap();
    assert_eq!(child.join().unwrap(), (Some(libc::EACCES), Some(libc::EBADF), b"look".to_vec()));
    // The memory itself is not harmed by having a view.
    memory.write_at(0, b"seen").unwrap();
    let again = |view: SharedView| view.to_vec()[..4].to_vec();
    assert_eq!(spawn(again, (memory.view().unwrap(),)).unwrap().join().unwrap(), b"seen");
}

#[offspring::test]
fn memory_that_can_be_written_does_not_arrive_as_a_view_nor_the_other_way_round() {
    let _dog = watchdog();
    let memory = SharedMemory::create(10).unwrap();
    let wrong = |error: JoinError| error.to_string();
    let error = confuse::<SharedMemory, SharedView>(memory.clone()).unwrap_err();
    assert!(wrong(error).contains("no view of shared memory"));
    let error = confuse::<SharedView, SharedMemory>(memory.view().unwrap()).unwrap_err();
    assert!(wrong(error).contains("shared memory"));
}

/// Sends a value that says of itself that it is another.
#[derive(Process)]
#[process(instances(
    Confused<SharedMemory, SharedView>, Confused<SharedView, SharedMemory>, Confused<Shared<u64>, Shared<i64>>,
    Confused<Shared<u64>, Shared<u32>>, Confused<Shared<u64>, SharedMemory>, Confused<SharedMemory, Shared<u64>>,
    Confused<SharedSlice<u64>, Shared<u64>>, Confused<Shared<u64>, SharedSlice<u64>>,
    Confused<Attachment<std::fs::File>, Shared<u64>>, Confused<Attachment<std::fs::File>, SharedMemory>
))]
struct Confused<A, B>(Option<A>, std::marker::PhantomData<B>);

impl<A: Serialize, B> Serialize for Confused<A, B> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, A, B: Deserialize<'de>> Deserialize<'de> for Confused<A, B> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<B>::deserialize(deserializer).map(|_| Self(None, std::marker::PhantomData))
    }
}

impl<A, B> Run for Confused<A, B>
where
    Self: Serialize + serde::de::DeserializeOwned + 'static,
{
    type Output = ();
    fn run(self) {}
}

fn confuse<A, B>(value: A) -> Result<(), JoinError>
where
    Confused<A, B>: Process + Run<Output = ()>,
{
    let child = Confused::<A, B>(Some(value), std::marker::PhantomData).start().unwrap();
    child.join()
}

#[offspring::test]
fn a_shared_value_that_arrives_as_another_type_is_an_error() {
    let _dog = watchdog();
    let value = || Shared::new(7_u64).unwrap();
    let refused = |outcome: Result<(), JoinError>| {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("what arrived is"), "{error}");
    };
    refused(confuse::<_, Shared<i64>>(value()));
    refused(confuse::<_, Shared<u32>>(value()));
    refused(confuse::<_, SharedMemory>(value()));
    refused(confuse::<_, Shared<u64>>(SharedMemory::create(4096).unwrap()));
    refused(confuse::<_, Shared<u64>>(SharedSlice::from_slice(&[1_u64, 2]).unwrap()));
    let file = || Attachment::new(std::fs::File::open("/dev/null").unwrap());
    refused(confuse::<_, Shared<u64>>(file()));
    refused(confuse::<_, SharedMemory>(file()));
    // A value is a slice of one.
    confuse::<_, SharedSlice<u64>>(value()).unwrap();
}

#[derive(Debug, Shareable)]
#[repr(C)]
struct Progress {
    total: u32,
    state: State,
    done: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Shareable)]
#[repr(u8)]
enum State {
    Idle = 1,
    Busy = 2,
}

#[offspring::test]
fn a_shared_value_is_one_value_for_all() {
    let _dog = watchdog();
    let progress = Progress { total: 10, state: State::Busy, done: AtomicU64::new(0) };
    let progress = Shared::new(progress).unwrap();
    let work = |progress: Shared<Progress>| {
        assert_eq!(progress.state, State::Busy);
        progress.done.fetch_add(u64::from(progress.total), Relaxed);
        progress
    };
    let back = spawn(work, (progress.clone(),)).unwrap().join().unwrap();
    back.done.fetch_add(1, Relaxed);
    assert_eq!(progress.done.load(Relaxed), 11);
    assert_eq!(format!("{progress:?}"), format!("Shared({:?})", *back));
    assert_ne!(progress.state, State::Idle);
}

#[derive(Clone, Copy, Shareable)]
#[repr(C, align(4096))]
struct Page(u8);

#[derive(Clone, Copy, Debug, PartialEq, Shareable)]
#[repr(C)]
struct Nothing;

#[offspring::test]
fn shared_slices_of_every_length_and_alignment_arrive() {
    let _dog = watchdog();
    let sum = |bytes: SharedSlice<u8>| (bytes.len(), bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>());
    for count in [0, 1, 7, 8, 4055, 4056, 4057, 100_000] {
        let slice = SharedSlice::from_fn(count, |index| index as u8).unwrap();
        let expected: u64 = (0..count).map(|index| index as u64 & 255).sum();
        assert_eq!(spawn(sum, (slice,)).unwrap().join().unwrap(), (count, expected));
    }
    let pages = SharedSlice::from_slice(&[Page(1), Page(2)]).unwrap();
    let pages = spawn(|pages: SharedSlice<Page>| pages, (pages,)).unwrap().join().unwrap();
    assert_eq!((pages[0].0, pages[1].0), (1, 2));
    let nothing = SharedSlice::from_slice(&[Nothing; 5]).unwrap();
    assert_eq!(spawn(|nothing: SharedSlice<Nothing>| nothing.len(), (nothing,)).unwrap().join().unwrap(), 5);
    let zero = SharedSlice::<[AtomicU8; 3]>::zeroed(5).unwrap();
    assert!(zero.iter().flatten().all(|byte| byte.load(Relaxed) == 0));
    assert_eq!(SharedSlice::<u64>::zeroed(usize::MAX / 4).unwrap_err().kind(), ErrorKind::InvalidInput);
}

/// Where in memory, and with which pages behind it, this process reads the bytes.
fn memory_of(bytes: &[u8]) -> String {
    let address = bytes.as_ptr() as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let within = |line: &&str| {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        (number(start)..number(end)).contains(&address)
    };
    let line = maps.lines().find(within).unwrap();
    // The device and the inode tell which file it is.
    line.split_whitespace().skip(3).take(2).collect::<Vec<_>>().join(" ")
}

#[offspring::test]
fn frozen_memory_is_read_by_all_where_it_lies() {
    let _dog = watchdog();
    let mut memory = SharedMemory::create(64 << 20).unwrap();
    memory.get_mut().unwrap().fill(3);
    let image = memory.freeze().unwrap();
    let read = |image: Bytes| (image.len(), image[image.len() - 1], memory_of(&image), image);
    for round in 0..3 {
        let (length, last, file, back) = spawn(read, (image.clone(),)).unwrap().join().unwrap();
        assert_eq!((length, last), (64 << 20, 3), "{round}");
        assert_eq!(file, memory_of(&image), "the child reads the same memory");
        assert_eq!(memory_of(&back), file, "what came back as well");
        assert!(back == image);
    }
    let part = image.slice(1_000_000..2_000_000);
    let (length, _, file, back) = spawn(read, (part.clone(),)).unwrap().join().unwrap();
    assert_eq!((length, file), (1_000_000, memory_of(&image)));
    assert_eq!((back, bytes_hash(&part)), (part, bytes_hash(&image.slice(..1_000_000))));
    let small = image.slice(5..10);
    assert_eq!(&spawn(|small: Bytes| small, (small,)).unwrap().join().unwrap()[..], [3; 5]);
    let plain: Vec<u8> = image.slice(..10).into();
    assert_eq!(plain, [3; 10]);
}

fn bytes_hash(bytes: &Bytes) -> u64 {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
    BuildHasherDefault::<DefaultHasher>::default().hash_one(bytes)
}

#[offspring::test]
fn frozen_memory_cannot_be_written_by_anybody() {
    let _dog = watchdog();
    let memory = SharedMemory::create(1 << 20).unwrap();
    let view = memory.view().unwrap();
    let descriptor = memory.as_fd().try_clone_to_owned().unwrap();
    memory.write_at(0, b"before").unwrap();
    let image = memory.freeze().unwrap();
    assert_eq!(system::map_for_writing(descriptor.as_fd()), Some(libc::EPERM));
    assert_eq!(system::write(descriptor.as_fd()), Some(libc::EPERM));
    assert_eq!((&image[..6], &view.to_vec()[..6]), (&b"before"[..], &b"before"[..]));
    // Who was sent a handle before, and looks now, is told.
    let descriptor = Attachment::new(std::fs::File::from(descriptor));
    let error = confuse::<_, SharedMemory>(descriptor).unwrap_err();
    assert!(matches!(error, JoinError::Argument { .. }));
    assert!(error.to_string().contains("write shared memory that was frozen"), "{error}");
}

#[offspring::test]
fn memory_that_somebody_can_write_is_not_frozen_and_not_lost() {
    let _dog = watchdog();
    let memory = SharedMemory::create(1 << 20).unwrap();
    memory.write_at(0, b"kept").unwrap();
    let clone = memory.clone();
    let error = memory.freeze().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    assert!(error.to_string().contains("clone"), "{error}");
    let memory = error.into_memory().unwrap();
    drop(clone);

    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let hold = |memory: SharedMemory, mut until: Attachment<UnixStream>| {
        until.write_all(b"!").unwrap();
        until.read_exact(&mut [0]).unwrap();
        memory.write_at(0, b"late").unwrap();
    };
    let child = spawn(hold, (memory.clone(), Attachment::new(theirs))).unwrap();
    ours.read_exact(&mut [0]).unwrap();
    let error = memory.freeze().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    assert!(error.to_string().contains("another process"), "{error}");
    let memory = error.into_memory().unwrap();
    ours.write_all(b"!").unwrap();
    child.join().unwrap();
    until("the child's memory is gone", || !runs(child.pid()));
    assert_eq!(&memory.freeze().unwrap()[..4], b"late");
}

#[offspring::test]
fn a_name_leads_other_processes_to_the_memory() {
    let _dog = watchdog();
    let name = unique("leads");
    let memory = SharedMemory::builder().name(&name).create(100).unwrap();
    assert_eq!(memory.name(), Some(name.as_str()));
    let open = |name: String| {
        let memory = SharedMemory::open(&name).unwrap();
        memory.write_at(0, b"found").unwrap();
        (memory.len(), memory.name().map(str::to_owned))
    };
    for _ in 0..3 {
        assert_eq!(spawn(open, (name.clone(),)).unwrap().join().unwrap(), (100, Some(name.clone())));
    }
    assert_eq!(&memory.view().unwrap().to_vec()[..5], b"found");
    // Those who attached and ended took nothing with them.
    SharedMemory::open(&name).unwrap();
    assert!(listed(&name));
}

#[offspring::test]
fn names_that_are_taken_missing_or_none_are_errors_that_say_so() {
    let name = unique("taken");
    let first = SharedMemory::builder().name(&name).create(1).unwrap();
    let named = |name: &str| SharedMemory::builder().name(name).create(1).unwrap_err().kind();
    assert_eq!(named(&name), ErrorKind::AlreadyExists);
    assert_eq!(SharedMemory::open(&unique("missing")).unwrap_err().kind(), ErrorKind::NotFound);
    for wrong in ["", "a\0b", &"x".repeat(65)] {
        assert_eq!(named(wrong), ErrorKind::InvalidInput);
        assert_eq!(SharedMemory::open(wrong).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    // The longest, and such as have a meaning in file systems.
    for fine in ["x".repeat(64), format!("/{name}"), format!("../ü/{name}")] {
        let memory = SharedMemory::builder().name(&fine).create(1).unwrap();
        assert_eq!(SharedMemory::open(&fine).unwrap().len(), 1);
        drop(memory);
    }
    drop(first);
    SharedMemory::builder().name(&name).create(1).unwrap();
}

#[offspring::test]
fn a_name_goes_with_its_maker_and_the_memory_with_its_last_user() {
    let _dog = watchdog();
    let name = unique("goes");
    let memory = SharedMemory::builder().name(&name).create(100).unwrap();
    let clone = memory.clone();
    let user = SharedMemory::open(&name).unwrap();
    drop(memory);
    drop(SharedMemory::open(&name).unwrap());
    drop(clone);
    assert_eq!(SharedMemory::open(&name).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!listed(&name));
    user.write_at(0, b"still here").unwrap();
    let read = |memory: SharedMemory| memory.view().unwrap().to_vec()[..5].to_vec();
    assert_eq!(spawn(read, (user,)).unwrap().join().unwrap(), b"still");
}

/// Makes a named memory, has a child of its own attach to it, says so, and waits.
fn maker_and_user(name: String, mut link: Attachment<UnixStream>) {
    let memory = SharedMemory::builder().name(&name).create(1 << 20).unwrap();
    let attach = |name: String, mut link: Attachment<UnixStream>| {
        let memory = SharedMemory::open(&name).unwrap();
        memory.write_at(0, b"used").unwrap();
        link.write_all(&std::process::id().to_ne_bytes()).unwrap();
        loop {
            std::thread::park();
        }
    };
    let user: offspring::Child<()> =
        spawn(attach, (name, Attachment::new(link.try_clone().unwrap()))).unwrap();
    let _never = link.read(&mut [0]);
    drop((memory, user));
}

#[offspring::test]
fn processes_that_are_killed_leave_neither_name_nor_memory_nor_file() {
    let _dog = watchdog();
    let before = remains();
    for round in 0..5 {
        let name = unique(&format!("killed-{round}"));
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let maker = spawn(maker_and_user, (name.clone(), Attachment::new(theirs))).unwrap();
        let mut user = [0; 4];
        ours.read_exact(&mut user).unwrap();
        let user = u32::from_ne_bytes(user);
        assert!(listed(&name));
        let ours_too = SharedMemory::open(&name).unwrap();
        maker.kill().unwrap();
        assert_eq!(maker.wait().unwrap().exitcode(), -9);
        until("the user died with its parent", || !runs(user));
        assert_eq!(SharedMemory::open(&name).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(!listed(&name));
        assert_eq!(&ours_too.view().unwrap().to_vec()[..4], b"used", "who had it keeps it");
        // The name is free for the next.
        SharedMemory::builder().name(&name).create(1).unwrap();
    }
    assert_eq!(remains(), before);
}

/// Pain 7 of Python's users: the resource tracker removes memory that others still use, because one of them ended.
#[offspring::test]
fn a_process_that_attaches_and_ends_in_any_way_takes_nothing_from_the_others() {
    let _dog = watchdog();
    let name = unique("tracker");
    let memory = SharedMemory::builder().name(&name).create(100).unwrap();
    let attach = |name: String, way: u8| {
        let memory = SharedMemory::open(&name).unwrap();
        memory.write_at(usize::from(way), &[way]).unwrap();
        match way {
            1 => std::process::exit(3),
            2 => std::process::abort(),
            3 => panic!("as it should"),
            _ => {}
        }
    };
    for way in 0..4 {
        let child = spawn(attach, (name.clone(), way)).unwrap();
        assert_eq!(child.join().is_ok(), way == 0);
        SharedMemory::open(&name).unwrap();
    }
    assert_eq!(memory.view().unwrap().to_vec()[..4], [0, 1, 2, 3]);
}

/// Pain 21 of Python's users: no `/dev/shm` in a container, and nothing works.
#[offspring::test]
fn nothing_of_a_file_system_is_needed_to_share_memory() {
    let _dog = watchdog();
    let before = remains();
    let work = |directory: String, name: String| {
        let alone = system::see_only(&directory);
        assert!(!alone || !std::path::Path::new("/dev/shm").exists());
        let memory = SharedMemory::builder().name(&name).create(100_000).unwrap();
        SharedMemory::open(&name).unwrap().write_at(0, b"there").unwrap();
        let large = SharedMemory::create(20 << 20).unwrap(); // large enough to look whether there is as much
        large.write_at(0, b"large").unwrap();
        let count = Shared::new(AtomicU64::new(1)).unwrap();
        let list = SharedSlice::from_slice(&[1_u16, 2, 3]).unwrap();
        (memory, large.freeze().unwrap(), count, list)
    };
    let directory = std::env::temp_dir().join(unique("empty"));
    std::fs::create_dir(&directory).unwrap();
    let arguments = (directory.to_str().unwrap().to_owned(), unique("alone"));
    let (memory, large, count, list) = spawn(work, arguments).unwrap().join().unwrap();
    std::fs::remove_dir(&directory).unwrap();
    assert_eq!(&memory.view().unwrap().to_vec()[..5], b"there");
    assert_eq!(&large[..5], b"large");
    assert_eq!((count.fetch_add(1, Relaxed), &list[..]), (1, &[1, 2, 3][..]));
    assert_eq!(remains(), before);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(maps.contains("memfd:offspring") && !maps.contains("/dev/shm"));
}

#[offspring::test]
fn want_of_memory_is_an_error_and_not_a_death() {
    let _dog = watchdog();
    // More than an address space has: refused whatever the machine.
    let error = SharedMemory::create(1 << 52).unwrap_err();
    assert!(error.to_string().contains("cannot make 4503599627370496 bytes of shared memory"), "{error}");
    let no_room = || {
        system::limit(libc::RLIMIT_AS, 1 << 30);
        let kinds = [
            SharedMemory::create(2 << 30).unwrap_err().kind(),
            SharedSlice::<u64>::zeroed(1 << 28).unwrap_err().kind(),
        ];
        kinds.map(|kind| kind == ErrorKind::OutOfMemory)
    };
    assert_eq!(spawn(no_room, ()).unwrap().join().unwrap(), [true, true]);
}

#[offspring::test]
fn a_limit_on_the_size_of_files_is_an_error_and_not_a_death() {
    let _dog = watchdog();
    let small_files = || {
        let mut memory = SharedMemory::create(100).unwrap();
        system::limit(libc::RLIMIT_FSIZE, 4096);
        let grown = memory.resize(1 << 20).unwrap_err().kind();
        let made = SharedMemory::create(1 << 20).unwrap_err().kind();
        let typed = Shared::new([0_u64; 1000]).unwrap_err().kind();
        memory.write_at(99, b"x").unwrap();
        assert!(Shared::new(7_u64).is_ok());
        [grown, made, typed].map(|kind| kind == ErrorKind::FileTooLarge)
    };
    assert_eq!(spawn(small_files, ()).unwrap().join().unwrap(), [true; 3]);
}

/// Memory that is taken on demand is not there before it is written, and memory that is reserved is.
#[offspring::test]
fn memory_is_taken_when_it_is_made_unless_told_otherwise() {
    use std::os::unix::fs::MetadataExt;
    let taken = |memory: &SharedMemory| {
        let file = std::fs::File::from(memory.as_fd().try_clone_to_owned().unwrap());
        file.metadata().unwrap().blocks() * 512
    };
    let length = 4 << 20;
    assert_eq!(taken(&SharedMemory::create(length).unwrap()), length as u64);
    assert_eq!(taken(&SharedMemory::builder().huge_pages(true).create(length).unwrap()), length as u64);
    let lazy = SharedMemory::builder().reserve(false).create(length).unwrap();
    assert_eq!(taken(&lazy), 0);
    lazy.write_at(0, b"x").unwrap();
    assert!(taken(&lazy) > 0 && taken(&lazy) <= 2 << 20);
    let mut grown = SharedMemory::create(length).unwrap();
    grown.resize(2 * length).unwrap();
    assert_eq!(taken(&grown), 2 * length as u64);
}

#[offspring::test]
fn no_descriptor_and_no_mapping_is_left_of_memory_that_was_dropped() {
    let _dog = watchdog();
    // In a child: the tests beside this one have memory, too.
    spawn(dropped, ()).unwrap().join().unwrap();
}

fn dropped() {
    let of_memory =
        || open_descriptors().values().filter(|target| target.contains("memfd:offspring")).count();
    let mapped = || std::fs::read_to_string("/proc/self/maps").unwrap().matches("memfd:offspring").count();
    let before = (of_memory(), mapped());
    for round in 0..50 {
        let mut memory =
            SharedMemory::builder().name(unique(&format!("dropped-{round}"))).create(20_000).unwrap();
        let mut opened = SharedMemory::open(memory.name().unwrap()).unwrap();
        memory.resize(40_000).unwrap();
        opened.refresh().unwrap();
        let view = opened.view().unwrap();
        let slice = SharedSlice::from_slice(&[1, 2, 3]).unwrap();
        drop((view, slice.clone(), opened));
        let image = SharedMemory::create(20_000).unwrap().freeze().unwrap();
        drop((image.slice(5..), image, slice, memory.freeze()));
    }
    assert_eq!((of_memory(), mapped()), before);
}

#[offspring::test]
fn many_processes_attach_to_one_name_at_once() {
    let _dog = watchdog();
    let name = unique("crowd");
    let memory = SharedMemory::builder().name(&name).create(64).unwrap();
    let attach = |name: String| {
        for _ in 0..50 {
            SharedMemory::open(&name).unwrap().atomics::<AtomicU64>(0, 1).unwrap()[0].fetch_add(1, Relaxed);
        }
    };
    let children: Vec<_> = (0..8).map(|_| spawn(attach, (name.clone(),)).unwrap()).collect();
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(memory.atomics::<AtomicU64>(0, 1).unwrap()[0].load(Relaxed), 400);
}

/// Makes a named memory, and uses up all descriptors until it is told to let go.
fn starved_maker(name: String, mut link: Attachment<UnixStream>) {
    let memory = SharedMemory::builder().name(&name).create(100).unwrap();
    system::limit(libc::RLIMIT_NOFILE, 64);
    let hoard: Vec<_> = std::iter::from_fn(|| link.try_clone().ok()).collect();
    assert!(!hoard.is_empty());
    for _ in 0..2 {
        link.write_all(b"!").unwrap();
        link.read_exact(&mut [0]).unwrap();
    }
    drop(hoard);
    link.write_all(b"!").unwrap();
    link.read_exact(&mut [0]).unwrap();
    drop(memory);
}

#[offspring::test]
fn a_maker_without_descriptors_turns_askers_away_until_it_has_some() {
    let _dog = watchdog();
    let name = unique("starved");
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let maker = spawn(starved_maker, (name.clone(), Attachment::new(theirs))).unwrap();
    for _ in 0..2 {
        ours.read_exact(&mut [0]).unwrap();
        for _ in 0..5 {
            assert_eq!(SharedMemory::open(&name).unwrap_err().kind(), ErrorKind::NotFound);
        }
        ours.write_all(b"!").unwrap();
    }
    ours.read_exact(&mut [0]).unwrap();
    assert_eq!(SharedMemory::open(&name).unwrap().len(), 100);
    ours.write_all(b"!").unwrap();
    maker.join().unwrap();
}

#[offspring::test]
fn a_copy_of_the_maker_does_not_keep_the_name() {
    #![allow(unsafe_code)]
    let _dog = watchdog();
    let work = || {
        let name = unique("copied");
        let memory = SharedMemory::builder().name(&name).create(10).unwrap();
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        // SAFETY: the only other thread is the library's, which holds no lock while a fork is under way.
        match unsafe { offspring::fork() }.unwrap() {
            offspring::Fork::Child => {
                drop(ours);
                theirs.write_all(b"!").unwrap();
                let _released = theirs.read(&mut [0]);
                std::process::exit(0);
            }
            offspring::Fork::Parent(pid) => {
                drop(theirs);
                ours.read_exact(&mut [0]).unwrap();
                SharedMemory::open(&name).unwrap();
                drop(memory);
                assert_eq!(SharedMemory::open(&name).unwrap_err().kind(), ErrorKind::NotFound);
                ours.write_all(b"!").unwrap();
                offspring::waitpid(pid, true).unwrap();
            }
        }
    };
    spawn(work, ()).unwrap().join().unwrap();
}

#[offspring::test]
fn a_copy_made_while_a_thread_of_the_library_starts_ends_like_any_other() {
    #![allow(unsafe_code)]
    let _dog = watchdog();
    // The first name starts the thread; the standard library's locks of that moment are those that an exit takes.
    let work = || {
        let _named = SharedMemory::builder().name(unique("starting")).create(10).unwrap();
        // SAFETY: the only other thread is the library's, for which a fork waits.
        match unsafe { offspring::fork() }.unwrap() {
            offspring::Fork::Child => std::process::exit(0),
            offspring::Fork::Parent(pid) => assert!(offspring::waitpid(pid, true).unwrap().is_some()),
        }
    };
    for _ in 0..100 {
        spawn(work, ()).unwrap().join().unwrap();
    }
}
