//! Process classes: a struct with a `run` method becomes something that you can start, talk to, wait for and kill, in an
//! operating-system process of its own.
//!
//! ```
//! use offspring::{Process, Run};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Process, Serialize, Deserialize)]
//! struct Downloader {
//!     url: String,
//!     size: u64,
//! }
//!
//! impl Run for Downloader {
//!     type Output = u64;
//!     fn run(self) -> u64 {
//!         // Runs in the child, with a copy of the value.
//!         println!("{} fetches {}", offspring::current().name, self.url);
//!         self.size
//!     }
//! }
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let child = Downloader { url: "http://localhost/".into(), size: 1 << 20 }.start()?;
//!     println!("the child is {} with pid {}", child.name(), child.pid());
//!     let bytes: u64 = child.join()?;
//!     assert_eq!(bytes, 1 << 20);
//!     Ok(())
//! }
//! ```
//!
//! # What a process class is
//!
//! A type that derives [`Process`](macro@Process), implements [`Run`], and can be encoded and decoded by serde. Its value
//! is copied to the child, which runs [`Run::run`]; what that returns is copied back, and
//! [`Child::join`] has it. Structs and enums can be classes, generic ones through a list of their instances.
//! A function, or a closure that captures nothing, needs no class: see [`spawn`].
//!
//! # The guard
//!
//! A child is this same program. So that it does not do what `main` does, `main` begins with the guard:
//! [`#[offspring::main]`](macro@main), or a call of [`init`] in its first line. A program without it cannot start
//! processes, and is told so by an error. Tests that start processes carry [`#[offspring::test]`](macro@test)
//! in place of `#[test]`, and need nothing else under `cargo test` and `cargo nextest`.
//!
//! # How a child ends, and what its parent learns
//!
//! | the child | [`Child::join`] | [`Child::exitcode`] |
//! |---|---|---|
//! | returns from `run` | the output | 0 |
//! | panics | [`JoinError::Panicked`], with message, location and backtrace | 101 |
//! | calls `std::process::exit(n)` | [`JoinError::Ended`] | n |
//! | is ended by signal n | [`JoinError::Ended`] | -n |
//! | does not come by the guard | [`JoinError::Boot`] | as it ended |
//!
//! ```
//! use offspring::JoinError;
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let child = offspring::spawn(|| std::process::exit(3), ())?;
//!     let outcome: Result<(), JoinError> = child.join();
//!     assert!(matches!(outcome, Err(JoinError::Ended { .. })));
//!     assert_eq!(child.exitcode(), Some(3));
//!     Ok(())
//! }
//! ```
//!
//! # Who dies with whom
//!
//! Nothing is left behind. A parent that is killed takes its children along, and theirs, whatever killed it. At an
//! orderly end of a process its children are waited for, but [daemons](Builder::daemon) are terminated. Only
//! [detached](Builder::detached) processes live on. A child that ended is no zombie, joined or not.
//! [`Child::terminate_tree`] ends a child with all its descendants.
//!
//! # Start methods
//!
//! How a process is made does not show in what it sees: arguments, directory, environment, streams, signal state and limits
//! are its parent's. [`StartMethod`] compares the three ways; the default is the fastest that is safe with threads.
//!
//! # Waiting
//!
//! [`Child::join`] and its siblings wait for one child; [`wait()`] waits for several, and for sockets and pipes; `.await`
//! works on any executor.
//!
//! # Talking
//!
//! [`channel`](mod@channel) has channels of many producers and consumers, pipes and queues. What can be encoded can be sent, files and sockets
//! ([`Attachment`]), large buffers ([`Bytes`]) and the ends of other channels included:
//!
//! ```
//! use offspring::{Receiver, Sender};
//!
//! fn square(jobs: Receiver<u64>, answers: Sender<u64>) {
//!     for job in &jobs {
//!         let job = job.expect("it can be decoded");
//!         answers.send(job * job).expect("the parent listens");
//!     }
//! }
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (sender, jobs) = offspring::channel()?;
//!     let (answers, receiver) = offspring::channel()?;
//!     let child = offspring::spawn(square, (jobs, answers))?;
//!     sender.send(7)?;
//!     assert_eq!(receiver.recv()?, 49);
//!     drop(sender); // so that the jobs end
//!     child.join()?;
//!     Ok(())
//! }
//! ```
//!
//! # Sharing memory
//!
//! [`shm`] has memory that processes share: bytes ([`SharedMemory`](shm::SharedMemory)), values
//! ([`Shared`](shm::Shared)) and slices of them ([`SharedSlice`](shm::SharedSlice)). Handles travel like any other value, and
//! large [`Bytes`] are read by all where they lie:
//!
//! ```
//! use offspring::shm::SharedMemory;
//! use offspring::{Bytes, spawn};
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut image = SharedMemory::create(1 << 20)?;
//!     image.get_mut().unwrap()[1000] = 7;
//!     let image: Bytes = image.freeze()?; // nobody can write it any more
//!     let look = |image: Bytes| image[1000]; // in place, without a copy
//!     assert_eq!(spawn(look, (image.clone(),))?.join()?, 7);
//!     assert_eq!(image[1000], 7);
//!     Ok(())
//! }
//! ```
//!
//! What can be shared as a value is [`Shareable`](macro@Shareable): numbers, atomics, arrays and structs of them.
//!
//! # Synchronisation
//!
//! [`sync`] has locks, conditions, semaphores, events and barriers in shared memory, which travel to other processes like any value and
//! survive whoever is killed while using them:
//!
//! ```
//! use offspring::sync::Mutex;
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sum = Mutex::new(0_u64)?;
//!     let add = |sum: Mutex<u64>, n: u64| *sum.lock().unwrap() += n;
//!     let children = [1, 2, 3].map(|n| offspring::spawn(add, (sum.clone(), n)));
//!     for child in children {
//!         child?.join()?;
//!     }
//!     assert_eq!(*sum.lock().unwrap(), 6);
//!     Ok(())
//! }
//! ```
//!
//! # Meeting
//!
//! Processes that are not parent and child meet at an address: [`net`] has the [`Listener`](net::Listener) that one of them holds, and
//! [`connect`](net::connect()) for the others. On other machines, with a key: [`net::remote`].
//!
//! # Many tasks
//!
//! A [`Pool`] of workers does tasks, each of which fails alone, whatever it does to its worker.
//!
//! ```
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let pool = offspring::Pool::new(2)?;
//!     assert_eq!(pool.try_map(|n: u64| n * n, 1..=4)?, [1, 4, 9, 16]);
//!     let results = pool.map(|n: i32| if n == 2 { std::process::abort() } else { n }, 1..=3);
//!     assert!(results[1].is_err() && results[0].is_ok() && results[2].is_ok());
//!     Ok(())
//! }
//! ```
//!
//! Workers may also be on other machines, come and go: [`tasks`] has a queue for them that loses nothing.
//!
//! # Inside
//!
//! The crate has layers, each of which uses only those below it: `pool`, `tasks`, `net` (addresses to meet at), `channel`, `sync`, `shm` (talk, synchronise, share), `process`
//! (handles, builders, the rules of a life), `launch` (registry, guard, handshake, the three start methods), `wire` (values as
//! bytes, messages), `sys` (the operating systems, and all unsafe code). A process is followed from its start to its end in one
//! direction:
//!
//! ```text
//! Builder::start -> wire: encode -> launch: forkserver | spawn | fork -> sys
//!     => child: guard -> registry -> Run::run -> wire: encode -> exit => Child::join
//! ```
//!
//! A process that starts others has one thread more, named `offspring`, which sleeps until a child ends that nobody joins.
//!
//! # Environment variables
//!
//! | variable | what it sets |
//! |---|---|
//! | `OFFSPRING_START_METHOD` | the start method of the program: `forkserver`, `spawn` or `fork` |
//! | `OFFSPRING_SPARES` | how many processes the forkserver keeps ready: see [`set_spares`] |
//! | `OFFSPRING_MAX_DEPTH` | how deep processes may nest: 16 |
//! | `OFFSPRING_BOOT_TIMEOUT` | the seconds that a process may take to reach the guard: 30 |

pub mod channel;
pub(crate) mod launch;
pub(crate) mod process;
pub(crate) mod sys;
pub(crate) mod trace;
pub(crate) mod wire;

pub mod manager;
pub mod net;
pub mod pool;
pub mod shm;
pub mod subprocess;
pub mod sync;
pub mod tasks;

pub use offspring_macros::{Process, Shareable, main, service, test};

pub use channel::{Connection, Receiver, RecvError, SendError, Sender, channel, pipe};
pub use launch::{
    BootError, Location, Panic, StartError, StartMethod, StartMethodAlreadySet, UnknownStartMethod, at_exit,
    init, renew_forkserver, set_spares, set_start_method, start_method, start_methods,
};
pub use manager::{CallError, Manager};
pub use pool::Pool;
pub use process::{
    Builder, Child, ChildInfo, Current, Function, JoinError, JoinFuture, Parent, Process, ProcessHandle, Run,
    Sentinel, Stdio, WaitFuture, Waitable, active_children, cpu_count, current, parent, spawn, target,
    usable_cpus, wait,
};
pub use sys::fork::{Fork, fork, waitpid};
pub use sys::{Attachable, ExitStatus, Shareable};
pub use wire::attachment::{self, Attachment};
pub use wire::bytes::{self, Bytes};

/// What the macros' expansions name. Not public API.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use serde;

    pub use crate::launch::guard::test_guard;
    pub use crate::launch::{Class, Entry, Failure};
    pub use crate::manager::{Fault, Invocation, Stub, block_on, exclusively, fingerprint, shared};
    pub use crate::process::run;
}

/// What the fuzzers in `fuzz/` feed with their bytes. Not public API.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod __fuzz {
    use crate::wire::specimen::{open_anything, unpack_anything};

    /// Opens a message: its objects by number, what is in them, its bytes, each but the last after its length.
    pub fn envelope(data: &[u8]) {
        let Some((objects, rest)) = counted(data) else { return };
        let Some((within, bytes)) = counted(rest) else { return };
        open_anything(bytes, &objects[..objects.len().min(4)], within);
    }

    /// Unpacks a value: how many objects and buffers are beside it, and its bytes.
    pub fn parcel(data: &[u8]) {
        let &[beside, ref bytes @ ..] = data else { return };
        let buffers =
            (0..beside >> 4 & 3).map(|number| vec![number; usize::from(number) * 9_000].into()).collect();
        unpack_anything(bytes, usize::from(beside & 3), buffers);
    }

    /// Sends and receives through a channel whose memory is damaged meanwhile.
    pub fn ring(data: &[u8]) {
        crate::channel::specimen::use_damaged(data);
    }

    /// Greets a stranger that says these bytes, receives them from one that has been let in, and reads them as messages about tasks.
    #[cfg(unix)]
    pub fn remote(data: &[u8]) {
        let &[piece, ref bytes @ ..] = data else { return };
        crate::net::remote::greeting::specimen::greet_anybody(bytes);
        // A wait in between takes milliseconds.
        let piece = if piece < 8 { usize::from(piece) * 16 } else { usize::MAX };
        crate::net::remote::link::specimen::receive_anything(bytes, piece);
        crate::tasks::message::read_anything(bytes);
    }

    fn counted(data: &[u8]) -> Option<(&[u8], &[u8])> {
        let (count, rest) = data.split_first()?;
        rest.split_at_checked(usize::from(*count))
    }
}
