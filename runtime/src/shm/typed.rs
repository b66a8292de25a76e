//! Values of one type in a block of their own.
//!
//! They lie at its beginning, so at that of a page; at its end is what they are: a mark, a number for the type, the size and
//! the alignment of one, and how many. A handle that arrives looks there before it shows any of them.

use std::any::type_name;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use super::block::{Block, Taking, invalid};
use crate::Shareable;
use crate::sys::Object;
use crate::sys::seal::{self, Seal};
use crate::wire::fingerprint;

/// What says what a block holds.
type Label = [u64; 5];

const MARK: u64 = u64::from_le_bytes(*b"offsprng");

/// Mappings begin at pages, which are no smaller on any system.
const MOST_ALIGNED: usize = 4096;

#[derive(Debug)]
pub(super) struct Typed<T> {
    block: Arc<Block>,
    count: usize,
    values: PhantomData<T>,
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Self {
        Self { block: Arc::clone(&self.block), count: self.count, values: PhantomData }
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
        Ok(Self { block: Arc::new(block), count, values: PhantomData })
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
        Ok(Self { block: Arc::new(block), count, values: PhantomData })
    }

    pub(super) fn object(&self) -> &Object {
        &self.block.object
    }

    pub(super) fn values(&self) -> &[T] {
        self.block.mapping.slice(0, self.count)
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
