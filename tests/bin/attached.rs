//! A program that hands handles about and counts its descriptors: its first argument says how. Nothing else runs in it,
//! so that the counts are its own, and every start method serves it, fork too.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};

use offspring::{Attachment, Bytes, JoinError, Process, Run, StartError};
use offspring_tests::{open_descriptors, pipe, until};
use serde::{Deserialize, Deserializer, Serialize};

/// The system calls that the program needs.
mod system {
    #![allow(unsafe_code)]

    /// Sets the limit of descriptors: a number, or as many as may be.
    pub(super) fn limit_descriptors(wanted: Option<libc::rlim_t>) {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the kernel writes one structure.
        unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
        limit.rlim_cur = wanted.unwrap_or(limit.rlim_max);
        // SAFETY: the kernel reads one structure.
        let done = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        assert_eq!(done, 0, "the limit can be set: {}", std::io::Error::last_os_error());
    }
}

fn warm_up() -> BTreeMap<u32, String> {
    for _ in 0..2 {
        offspring::spawn(|| (), ()).expect("it starts").join().expect("it ends well");
    }
    open_descriptors()
}

/// Waits until what is open is what was open: what ended is let go of by the watcher too.
fn as_before(before: &BTreeMap<u32, String>) {
    let mut now = open_descriptors();
    let deadline = std::time::Instant::now() + offspring_tests::PATIENCE / 4;
    while now != *before && std::time::Instant::now() < deadline {
        std::thread::yield_now();
        now = open_descriptors();
    }
    assert_eq!(&now, before, "nothing is left open");
}

fn pipes(count: u32) -> (Vec<Attachment<File>>, Vec<Attachment<File>>) {
    let wrapped = |(reader, writer)| (Attachment::new(reader), Attachment::new(writer));
    (0..count).map(|_| wrapped(pipe())).unzip()
}

/// Whether the other ends of a pipe are gone: it is read to its end.
fn ended(mut reader: impl Read) -> bool {
    reader.read_to_end(&mut Vec::new()).is_ok()
}

/// Many handles in one message: half of the pipes bring their numbers to the child, the other half bring them back. It takes three
/// times as many descriptors.
fn many(count: u32) {
    system::limit_descriptors(None);
    let before = warm_up();
    let double = |readers: Vec<Attachment<File>>, writers: Vec<Attachment<File>>| {
        for (mut reader, mut writer) in readers.into_iter().zip(writers) {
            let mut number = [0; 4];
            reader.read_exact(&mut number).expect("a number is there");
            let doubled = u32::from_le_bytes(number) * 2;
            writer.write_all(&doubled.to_le_bytes()).expect("somebody reads");
        }
    };
    let (theirs, mut ours) = pipes(count / 2);
    let (our_readers, their_writers) = pipes(count / 2);
    for (number, writer) in (0..).zip(&mut ours) {
        writer.write_all(&u32::to_le_bytes(number)).expect("a pipe has room");
    }
    offspring::spawn(double, (theirs, their_writers)).expect("it starts").join().expect("it ends well");
    let numbers = |readers: Vec<Attachment<File>>| {
        let number = |mut reader: Attachment<File>| {
            let mut number = Vec::new();
            reader.read_to_end(&mut number).expect("a pipe can be read");
            u32::from_le_bytes(number.try_into().expect("one number, and the end"))
        };
        readers.into_iter().map(number).collect::<Vec<u32>>()
    };
    let expected: Vec<u32> = (0..count).map(|number| number * 2).collect();
    assert_eq!(numbers(our_readers), expected[..expected.len() / 2]);
    drop(ours);
    as_before(&before);

    let make = |count: u32| {
        let (readers, mut writers) = pipes(count);
        for (number, writer) in (0..).zip(&mut writers) {
            writer.write_all(&u32::to_le_bytes(number * 2)).expect("a pipe has room");
        }
        readers
    };
    let arrived = offspring::spawn(make, (count,)).expect("it starts").join().expect("it ends well");
    assert_eq!(numbers(arrived), expected);
    as_before(&before);
}

/// Cannot be read, and is read first.
#[derive(Serialize)]
struct Refuses;

impl<'de> Deserialize<'de> for Refuses {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("it refuses"))
    }
}

#[derive(Process, Serialize, Deserialize)]
struct NeverDecoded(Refuses, Attachment<File>);

impl Run for NeverDecoded {
    type Output = ();

    fn run(self) {}
}

fn hold(_writers: Vec<Attachment<File>>) {
    loop {
        std::thread::park();
    }
}

/// A handle that nobody receives is closed: whoever reads the other end sees it.
fn unreceived() {
    system::limit_descriptors(None);
    let before = warm_up();
    let pair = || {
        let (reader, writer) = pipe();
        (reader, Attachment::new(writer))
    };

    let (reader, writer) = pair();
    let value = NeverDecoded(Refuses, writer);
    let error = value.start().expect("it starts").join().expect_err("it cannot be read");
    assert!(matches!(error, JoinError::Argument { .. }), "{error}");
    drop(value);
    assert!(ended(reader));

    let (reader, writer) = pair();
    let builder = offspring::target(hold, (vec![writer],)).cwd("/no/such/directory");
    let error = builder.start().expect_err("the directory is not there");
    assert!(matches!(error, StartError::Directory { .. }), "{error}");
    drop(builder);
    assert!(ended(reader));

    // Killed at any moment: before it reads its order, or after.
    for count in [1, 300].repeat(10) {
        let (reader, writer) = pair();
        let clone = || Attachment::new(writer.try_clone().expect("there are descriptors"));
        let writers = (0..count).map(|_| clone()).collect::<Vec<_>>();
        drop(writer);
        let child = offspring::spawn(hold, (writers,)).expect("it starts");
        child.kill().expect("it can be killed");
        assert!(ended(reader));
        child.join().expect_err("it was killed");
    }

    let result = || {
        let (mut reader, writer) = pipe();
        (&writer).write_all(b"a").expect("a pipe has room");
        let mut byte = [0];
        reader.read_exact(&mut byte).expect("it is there");
        (Attachment::new(reader), Attachment::new(writer))
    };
    // Joined, and let go of; never joined, but waited for; not even waited for.
    drop(offspring::spawn(result, ()).expect("it starts").join().expect("it ends well"));
    let child = offspring::spawn(result, ()).expect("it starts");
    child.wait().expect("it ends");
    drop(child);
    drop(offspring::spawn(result, ()).expect("it starts"));
    as_before(&before);
}

/// A child holds what it received once, and no duplicate that was made for the way.
fn held() {
    let before = warm_up();
    let count = |file: Attachment<File>| {
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&*file));
        let lead = std::fs::read_link(path).expect("it is open");
        open_descriptors().values().filter(|other| lead.as_os_str() == other.as_str()).count()
    };
    let full = Attachment::new(File::open("/dev/full").expect("it is there"));
    let held = offspring::spawn(count, (full,)).expect("it starts").join().expect("it ends well");
    // A copy has what its parent had open, too: the original.
    let inherited = usize::from(offspring::start_method() == offspring::StartMethod::Fork);
    assert_eq!(held, 1 + inherited);
    as_before(&before);
}

/// Serialises as one handle and a second mention of it.
struct Forged(Attachment<File>);

impl Serialize for Forged {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.0, 0_u32).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Forged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <(Attachment<File>, Attachment<File>)>::deserialize(deserializer).map(|(first, _)| Self(first))
    }
}

/// Names a handle and a buffer that are not there.
struct Invented;

impl Serialize for Invented {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        7_u32.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Invented {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Attachment::<File>::deserialize(deserializer).map(|_| Self)
    }
}

/// What lies about its handles is an error, and nothing stays open.
fn lies() {
    let before = warm_up();
    let null = || Attachment::new(File::open("/dev/null").expect("it is there"));
    let twice = "names a handle that did not come along, or names it twice";
    let outcomes = [
        offspring::spawn(|_: Forged| (), (Forged(null()),)).expect("it starts").join(),
        offspring::spawn(|_: Invented| (), (Invented,)).expect("it starts").join(),
    ];
    for outcome in outcomes {
        let error = outcome.expect_err("it lies");
        assert!(matches!(&error, JoinError::Argument { reason, .. } if reason.contains(twice)), "{error}");
    }
    let forge = || Forged(Attachment::new(File::open("/dev/null").expect("it is there")));
    let errors = [
        offspring::spawn(forge, ()).expect("it starts").join().map(drop).expect_err("it lies"),
        offspring::spawn(|| Invented, ()).expect("it starts").join().map(drop).expect_err("it lies"),
    ];
    for error in errors {
        assert!(matches!(&error, JoinError::Output { reason, .. } if reason.contains(twice)), "{error}");
    }
    as_before(&before);
}

/// Lacking descriptors is an error wherever they lack, and leaves nothing open.
fn few() {
    system::limit_descriptors(Some(64));
    let before = warm_up();
    // To duplicate: 40 here leave no room for 40 more.
    let (readers, writers) = pipes(20);
    let count = |readers: Vec<Attachment<File>>, writers: Vec<Attachment<File>>| {
        u32::try_from(readers.len() + writers.len()).expect("few")
    };
    let full = open_descriptors();
    let builder = offspring::target(count, (readers, writers));
    let error = builder.start().expect_err("there is no room");
    let reason = "cannot duplicate a handle: Too many open files";
    assert!(matches!(&error, StartError::Encode { reason: why, .. } if why.contains(reason)), "{error}");
    as_before(&full);
    drop(builder);
    as_before(&before);

    // To receive here: the child may have more than this process.
    for handles in [50, 150] {
        let make = |count: u32| {
            system::limit_descriptors(Some(2000));
            pipes(count)
        };
        let child = offspring::spawn(make, (handles,)).expect("it starts");
        let error = child.join().map(drop).expect_err("there is no room");
        let why = format!("{:?}", std::error::Error::source(&error));
        assert!(format!("{error} {why}").contains("Too many open files"), "{error} {why}");
        drop(child);
        as_before(&before);
    }

    // To receive in a child: what was enough for the server that it is a clone of is not.
    system::limit_descriptors(Some(4000));
    let (readers, writers) = pipes(100);
    assert_eq!(
        offspring::spawn(count, (readers, writers)).expect("it starts").join().expect("it has room"),
        200
    );
    until("the old server is gone", || open_descriptors().len() <= before.len());
}

/// The mappings of this program that hold large values.
fn mapped() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("it can be read");
    maps.lines().filter(|line| line.contains("memfd:offspring (deleted)")).count()
}

/// What large values took is given back with the last who holds a part of one.
fn memory() {
    let before = warm_up();
    let base = mapped();
    let make = |length: usize| (Bytes::from(vec![1; length]), Bytes::from(vec![2; length]));
    for _ in 0..3 {
        let child = offspring::spawn(make, (8 << 20,)).expect("it starts");
        let (one, other) = child.join().expect("it ends well");
        drop(child);
        assert_eq!(mapped(), base + 1, "both lie in one mapping");
        drop(one);
        let part = other.slice(100..200);
        drop(other);
        assert_eq!((mapped(), &part[..]), (base + 1, &[2; 100][..]));
        drop(part);
        assert_eq!(mapped(), base);
        as_before(&before);
    }
    // Arguments too: what is handed over is neither mapped nor open here afterwards.
    let sum = |bytes: Bytes| bytes.len();
    let length = offspring::spawn(sum, (Bytes::from(vec![3; 8 << 20]),)).expect("it starts").join();
    assert_eq!((length.expect("it ends well"), mapped()), (8 << 20, base));
    as_before(&before);
}

#[offspring::main]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments[1].as_str() {
        "many" => many(arguments[2].parse().expect("a number")),
        "unreceived" => unreceived(),
        "held" => held(),
        "lies" => lies(),
        "few" => few(),
        "memory" => memory(),
        other => panic!("no mode `{other}`"),
    }
    println!("done");
}
