//! `sys`: everything that the operating system does for us, and all the unsafe code of this crate.
//!
//! One facility per file. `unix/` holds what every Unix shares, `linux/`, `macos/` and `windows/` what is their
//! own; each platform offers the same names, so that code above this module has no `cfg(target_os)`. `absent/` stands in for what
//! a platform lacks so far. Files beside this one hold what the standard library can do everywhere.
//!
//! | name | what it is |
//! |---|---|
//! | [`Object`] | an owned kernel object that can travel: a descriptor, a handle |
//! | [`channel`] | a pair of ends that carry whole messages with objects attached |
//! | [`memory`] | memory that processes share |
//! | [`clock`] | the time: read often and not exact, or exact and the same in all processes |
//! | [`cpu`] | where a thread runs |
//! | [`seal`] | what can no longer be done to it |
//! | [`available`] | how much there is |
//! | [`rendezvous`] | an object under a name |
//! | [`local`] | addresses by which processes of one machine find each other, and who they are |
//! | [`stream`] | streams of bytes within a machine and between two |
//! | [`futex`] | sleeping until a word of shared memory changes |
//! | [`robust`] | a lock in shared memory that outlives its holder |
//! | [`locked`] | that lock with the data that it guards |
//! | [`fixed`] | data that is written once |
//! | [`slots`] | data that several read at once, or one writes, by such locks |
//! | [`owner`] | which process something in shared memory belongs to |
//! | [`own`] | the number of this process |
//! | [`blob`] | bytes out of line: too large for a message, alive after their writer |
//! | [`process`] | a handle of a child: wait, signal, sentinel |
//! | [`exec`] | starts this same program afresh |
//! | [`zygote`] | makes a sibling by cloning, for the forkserver |
//! | [`fork`] | the raw fork |
//! | [`ambient`] | what a process inherits besides its arguments: limits, masks, directory, stdio |
//! | [`lifeline`] | a process dies when its parent does |
//! | [`poller`] | waits for many things at once |
//! | [`usage`] | how much a process uses |
//! | [`tree`] | who descends from a process |
//! | [`image`] | the build id of this program and offsets of its functions |
//! | [`stack`] | how deep calls may go |
//! | [`runtime`] | exit hooks, environment, threads |
//!
//! What a platform cannot do yet fails with [`Unsupported`](std::io::ErrorKind::Unsupported), and what would exist after
//! it alone is a type without values. The tree of macOS, which the BSDs share, is type-checked; what it takes from `unix/` has
//! its tests run on Linux.
#![allow(unsafe_code)]

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod absent;
// What Linux has better means for is compiled there for its tests.
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
#[cfg_attr(any(target_os = "linux", target_os = "android"), allow(dead_code))]
pub(crate) mod agreed;
pub(crate) mod atomic;
mod attachable;
mod conjure;
mod deadline;
mod environment;
pub(crate) mod fixed;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
#[cfg_attr(any(target_os = "linux", target_os = "android"), allow(dead_code))]
pub(crate) mod holder;
pub(crate) mod locked;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android", target_os = "freebsd"))))]
#[cfg_attr(any(target_os = "linux", target_os = "android"), allow(dead_code))]
mod naps;
pub(crate) mod shareable;
pub(crate) mod slots;
pub(crate) mod spin;
pub(crate) mod stack;
mod status;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) mod ticks;
#[cfg(unix)]
mod unix;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod unsupported;

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux/mod.rs"]
mod platform;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
#[path = "macos/mod.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows/mod.rs"]
mod platform;

pub use attachable::Attachable;
pub(crate) use platform::{
    Borrowed, Object, above_standard, ambient, available, blob, borrow, channel, clock, cpu, exec, fork,
    futex, image, lifeline, local, memory, own, owner, poller, process, rendezvous, robust, runtime, seal,
    stream, tree, usage, zygote,
};
pub use shareable::Shareable;
pub use status::ExitStatus;
