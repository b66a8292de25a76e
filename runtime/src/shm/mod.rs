//! Memory that processes share: bytes, values, slices of values.
//!
//! | to share | use |
//! |---|---|
//! | bytes that no one changes any more, large ones above all | [`SharedMemory::freeze`], which gives [`Bytes`](crate::Bytes) |
//! | bytes that processes read and write as they go | [`SharedMemory`]; [`SharedView`] for those who may only read |
//! | one value, most often a struct of atomics | [`Shared`] |
//! | many values of one type | [`SharedSlice`] |
//!
//! All of them can be a field of a process class, an argument, a result or a message: what travels is a handle, and the
//! memory stays where it is.
//!
//! ```
//! use offspring::shm::{Shared, SharedSlice};
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//!
//! fn count(total: Shared<AtomicU64>, words: SharedSlice<AtomicU64>) {
//!     total.fetch_add(words.iter().map(|word| word.load(Relaxed)).sum(), Relaxed);
//!     words[0].store(7, Relaxed);
//! }
//!
//! #[offspring::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let total = Shared::new(AtomicU64::new(0))?;
//!     let words = SharedSlice::from_fn(1000, |index| AtomicU64::new(index as u64))?;
//!     offspring::spawn(count, (total.clone(), words.clone()))?.join()?;
//!     assert_eq!(total.load(Relaxed), 499_500);
//!     assert_eq!(words[0].load(Relaxed), 7);
//!     Ok(())
//! }
//! ```
//!
//! # Why not a plain `&mut [u8]`
//!
//! What another process may write at any moment cannot be borrowed as plain data: Rust's references promise that it stays as it
//! is. So there are four ways, each of which keeps that promise: atomics; copies, by [`read_at`](SharedMemory::read_at) and
//! [`write_at`](SharedMemory::write_at); plain data from the moment on when nobody can write it
//! ([`freeze`](SharedMemory::freeze), and the plain parts of a [`Shared`]); and plain data while nobody else has it
//! ([`get_mut`](SharedMemory::get_mut), [also](SharedSlice::get_mut) of a slice, which a pool can change
//! [in place](crate::pool::Pool::for_each_mut)).
//!
//! # What is left behind
//!
//! Nothing. The memory has no name: it is a memory file (`memfd_create(2)`), in no directory, `/dev/shm` or other, and goes
//! with the last process that holds it, however that ends. A **named** memory has no file either. Its name is an address at which
//! the process that made it answers, and so it is gone with the process that made it, also if that is killed. Others attach to
//! it, which never removes it, and keep the memory for as long as they hold it.
//!
//! The two usual designs were weighed and left: an object of `shm_open(3)` stays in `/dev/shm` after a crash and needs
//! somebody to find it stale, and a file that tells where the memory is leaves that file.
//!
//! # When memory is short
//!
//! Memory is taken when it is made, so that a lack of it is an error of that call, and not the end (`SIGBUS`) of whoever
//! writes first; the system's free memory and the limits of the process's groups are looked at before, for Linux ends
//! processes where a request goes beyond them. [`Builder::reserve`] can do without. No file of this module ever becomes
//! shorter, so no process is cut off from what it has mapped.

mod atomic;
mod block;
mod builder;
mod copy;
mod cursor;
mod freeze;
pub(crate) mod loan;
mod memory;
mod named;
mod shared;
mod slice;
mod typed;
mod view;

pub use atomic::{Atomic, Zero};
pub use builder::Builder;
pub use cursor::Cursor;
pub use freeze::FreezeError;
pub use memory::SharedMemory;
pub use shared::Shared;
pub use slice::SharedSlice;
pub use view::SharedView;
