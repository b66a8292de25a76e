//! Values of one type in a block of their own.
//!
//! They lie at its beginning, so at that of a page; at its end is what they are: a mark, a number for the type, the size and
//! the alignment of one, and how many. A handle that arrives looks there before it shows any of them.

use std::any::type_name;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::block::{Block, Taking, invalid};
use crate::Shareable;
use crate::process::exit;
use crate::sys::memory::Mapping;
use crate::sys::seal::{self, Seal};
use crate::sys::{Borrowed, Object, borrow, fork};
use crate::wire::fingerprint;

/// What says what a block holds.
type Label = [u64; 5];

const MARK: u64 = u64::from_le_bytes(*b"offsprng");

/// Mappings begin at pages, which are no smaller on any system.
const MOST_ALIGNED: usize = 4096;

#[derive(Debug)]
pub(super) struct Typed<T> {
    held: Arc<Held>,
    count: usize,
    values: PhantomData<T>,
}

/// What the clones have in common.
#[derive(Debug)]
struct Held {
    block: Block,
    /// When it was made, if that was here: it is another moment in a copy of this process, and after it.
    made: Option<u64>,
    travelled: AtomicBool,
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Self {
        Self { held: Arc::clone(&self.held), count: self.count, values: PhantomData }
    }
}

impl<T: Shareable> Typed<T> {
    /// Makes a block for values that are all zero. Who calls knows that they may be.
    pub(super) fn zeroed(count: usize) -> io::Result<Self> {
        Self::filled(count, |_| ())
    }

    /// Makes a block of one value.
    pub(super) fn one(value: T) -> io::Result<Self> {
        Self::filled(1, |block| block.mapping.put(0, value))
    }

    /// Makes a block of values.
    pub(super) fn new(count: usize, mut value: impl FnMut(usize) -> T) -> io::Result<Self> {
        Self::filled(count, |block| {
            for index in 0..count {
                block.mapping.put(index * size_of::<T>(), value(index));
            }
        })
    }

    fn filled(count: usize, fill: impl FnOnce(&mut Block)) -> io::Result<Self> {
        const { assert!(align_of::<T>() <= MOST_ALIGNED, "a shared value is aligned to at most 4096 bytes") };
        let length = place_of_label::<T>(count).and_then(|place| place.checked_add(size_of::<Label>()));
        let too_many =
            || invalid(format!("{count} values of `{}` are more than memory can hold", type_name::<T>()));
        let length = length.ok_or_else(too_many)?;
        let mut block = Block::new(length, Taking::default())?;
        seal::seal(&block.object, Seal::Resizing)?;
        block.mapping.put(length - size_of::<Label>(), label::<T>(count));
        fill(&mut block);
        exit::prepare_copies(); // which count
        Ok(Self::of(block, count, Some(fork::generation())))
    }

    /// Takes a block that arrived, if it holds such values.
    pub(super) fn from_object(object: Object) -> io::Result<Self> {
        let other =
            || invalid(format!("what arrived is no shared memory with values of `{}`", type_name::<T>()));
        if !seal::is_sealed(&object, Seal::Resizing)? || seal::is_sealed(&object, Seal::Writing)? {
            return Err(other());
        }
        let block = Block::from_object(object)?;
        let length = block.mapping.len();
        let place = length.checked_sub(size_of::<Label>()).filter(|place| place % align_of::<Label>() == 0);
        let found = *block.mapping.at::<Label>(place.ok_or_else(other)?);
        let count = usize::try_from(found[4]).map_err(|_| other())?;
        if found != label::<T>(count) || place_of_label::<T>(count) != place {
            return Err(other());
        }
        Ok(Self::of(block, count, None))
    }

    fn of(block: Block, count: usize, made: Option<u64>) -> Self {
        let held = Held { block, made, travelled: AtomicBool::new(made.is_none()) };
        Self { held: Arc::new(held), count, values: PhantomData }
    }

    /// The memory file, for who keeps it to himself and lets go of it.
    pub(super) fn lend(&self) -> Borrowed<'_> {
        borrow(&self.held.block.object)
    }

    /// The memory file, for others to have as well.
    pub(super) fn share(&self) -> Borrowed<'_> {
        self.held.travelled.store(true, Relaxed);
        self.lend()
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn values(&self) -> &[T] {
        self.values_at(0, self.count)
    }

    /// Some of the values, and no reference to the others.
    pub(super) fn values_at(&self, first: usize, count: usize) -> &[T] {
        self.held.block.mapping.slice(first * size_of::<T>(), count)
    }

    /// Whether nobody else has the values, nor can have them while this is borrowed.
    pub(super) fn is_alone(&mut self) -> bool {
        Arc::get_mut(&mut self.held)
            .is_some_and(|held| held.made == Some(fork::generation()) && !*held.travelled.get_mut())
    }

    /// The mapping, unless this process has another handle of it.
    pub(super) fn mapping_mut(&mut self) -> Option<&mut Mapping> {
        Arc::get_mut(&mut self.held).map(|held| &mut held.block.mapping)
    }

    /// Says that nobody else has the values yet, who [was alone](Self::is_alone) when this was borrowed, and it has been since: a copy that
    /// was made of the process meanwhile cannot get at what is borrowed for ever there.
    pub(super) fn stays_alone(&mut self) {
        if let Some(held) = Arc::get_mut(&mut self.held) {
            held.made = Some(fork::generation());
        }
    }
}

fn place_of_label<T>(count: usize) -> Option<usize> {
    let length = count.checked_mul(size_of::<T>()).filter(|length| isize::try_from(*length).is_ok())?;
    length.checked_next_multiple_of(align_of::<Label>())
}

fn label<T: Shareable>(count: usize) -> Label {
    let fingerprint = fingerprint::of_memory::<T>("values");
    [MARK, fingerprint, size_of::<T>() as u64, align_of::<T>() as u64, count as u64]
}
