//! Arrays.

use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Item;
use super::function::{Change, Function, Returned, output};
use super::list::{OutOfRange, part, replace};
use crate::manager::CallError;

/// The service of arrays.
pub(super) struct Array<T>(Box<[T]>);

impl<T: Item> Array<T> {
    pub(super) fn new(values: Vec<T>) -> Self {
        Self(values.into())
    }
}

/// A number of values at a manager that stays the same: made by [`Manager::array`](crate::Manager::array).
///
/// For numbers that processes of one machine work at, [`SharedSlice`](crate::shm::SharedSlice) is memory, and needs no server.
///
/// ```
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let array = manager.array(vec![0_u64; 4])?;
///     array.update(2, |count: &mut u64, by: u64| *count += by, (5,))?;
///     assert_eq!(array.set_slice(3, vec![7, 8])?.unwrap_err().len, 4);
///     assert_eq!(array.slice(1..9)?, [0, 5, 0]);
///     Ok(())
/// }
/// ```
#[crate::service(crate = crate)]
impl<T: Item> Array<T> {
    /// A copy of an element, if there is such a place.
    pub fn get(&self, index: usize) -> Option<T> {
        self.0.get(index).cloned()
    }

    /// Puts a value in the place of another, which is returned.
    pub fn set(&mut self, index: usize, value: T) -> Result<T, OutOfRange> {
        replace(&mut self.0, index, value)
    }

    /// A copy of what there is in a range.
    pub fn slice(&self, range: Range<usize>) -> Vec<T> {
        part(&self.0, &range)
    }

    /// Puts values in the places from this one on: all, or none where they would not fit.
    pub fn set_slice(&mut self, start: usize, values: Vec<T>) -> Result<(), OutOfRange> {
        let len = self.0.len();
        let end = start.saturating_add(values.len());
        let places = self.0.get_mut(start..end).ok_or(OutOfRange { index: end.saturating_sub(1), len })?;
        places.iter_mut().zip(values).for_each(|(place, value)| *place = value);
        Ok(())
    }

    /// A copy of all, as they are at one moment.
    pub fn to_vec(&self) -> Vec<T> {
        self.0.to_vec()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[doc(hidden)]
    pub fn run(&mut self, index: usize, function: Function) -> Option<Returned> {
        self.0.get_mut(index).map(|value| function.run(value))
    }
}

impl<T: Item> ArrayProxy<T> {
    /// Changes an element where it is, by a function or a closure that captures nothing, with further arguments: what it
    /// returns, or `None` where there is no such place. No other call sees the array meanwhile.
    ///
    /// # Errors
    /// [`CallError::Refused`] when the server runs another build of the program; [`CallError::Panicked`] when the function does, and
    /// leaves the element as it is then; see [`CallError`].
    pub fn update<F, A>(
        &self,
        index: usize,
        function: F,
        arguments: A,
    ) -> Result<Option<F::Output>, CallError>
    where
        F: Change<T, A>,
        F::Output: Serialize + DeserializeOwned,
        A: Serialize + DeserializeOwned,
    {
        self.run(index, Function::new::<F, T, A>(function, arguments)?)?.map(output).transpose()
    }
}
