//! Lists.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Item;
use super::function::{Change, Function, Returned, output};
use crate::manager::CallError;

/// There is no such place in a list or an array. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("there is no place {index} in {len} elements")]
#[non_exhaustive]
pub struct OutOfRange {
    /// The place.
    pub index: usize,
    /// How many elements there are.
    pub len: usize,
}

/// Puts a value in the place of another.
pub(super) fn replace<T>(elements: &mut [T], index: usize, value: T) -> Result<T, OutOfRange> {
    let len = elements.len();
    let place = elements.get_mut(index).ok_or(OutOfRange { index, len })?;
    Ok(std::mem::replace(place, value))
}

/// A copy of what there is in a range.
pub(super) fn part<T: Clone>(elements: &[T], range: &Range<usize>) -> Vec<T> {
    let end = range.end.min(elements.len());
    elements.get(range.start..end).map(<[T]>::to_vec).unwrap_or_default()
}

/// The service of lists.
pub(super) struct List<T>(Vec<T>);

impl<T: Item> List<T> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }
}

/// A list at a manager, for all who have this: made by [`Manager::list`](crate::Manager::list).
///
/// What comes out is a copy; what is changed, is changed by a method, each of which is done whole. [`update`](Self::update) changes an element
/// where it is, by a function, and [`with`](Self::with) the list.
///
/// ```
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let list = manager.list()?;
///     list.extend(vec![vec![3], vec![1]])?;
///     list.update(0, |first: &mut Vec<u32>, number: u32| first.push(number), (4,))?;
///     list.sort()?;
///     assert_eq!(list.to_vec()?, [vec![1], vec![3, 4]]);
///     assert_eq!(list.set(7, vec![])?.unwrap_err().to_string(), "there is no place 7 in 2 elements");
///     Ok(())
/// }
/// ```
#[crate::service(crate = crate)]
impl<T: Item> List<T> {
    /// A copy of an element, if there is such a place.
    pub fn get(&self, index: usize) -> Option<T> {
        self.0.get(index).cloned()
    }

    /// Puts a value in the place of another, which is returned.
    pub fn set(&mut self, index: usize, value: T) -> Result<T, OutOfRange> {
        replace(&mut self.0, index, value)
    }

    /// Adds a value at the end: how many there are then.
    #[doc(alias = "append")]
    pub fn push(&mut self, value: T) -> usize {
        self.0.push(value);
        self.0.len()
    }

    /// Adds values at the end: how many there are then.
    pub fn extend(&mut self, values: Vec<T>) -> usize {
        self.0.extend(values);
        self.0.len()
    }

    /// Puts a value before the one at a place, or at the end.
    pub fn insert(&mut self, index: usize, value: T) -> Result<(), OutOfRange> {
        if index > self.0.len() {
            return Err(OutOfRange { index, len: self.0.len() });
        }
        self.0.insert(index, value);
        Ok(())
    }

    /// Takes the last element out, if there is one.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Takes an element out, if there is such a place.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        (index < self.0.len()).then(|| self.0.remove(index))
    }

    /// A copy of what there is in a range.
    pub fn slice(&self, range: Range<usize>) -> Vec<T> {
        part(&self.0, &range)
    }

    /// A copy of all, as they are at one moment.
    #[doc(alias = "copy")]
    #[doc(alias = "iter")]
    pub fn to_vec(&self) -> Vec<T> {
        self.0.clone()
    }

    /// Puts other elements in the place of all.
    pub fn replace(&mut self, values: Vec<T>) -> Vec<T> {
        std::mem::replace(&mut self.0, values)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Turns the order round.
    pub fn reverse(&mut self) {
        self.0.reverse();
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    #[doc(hidden)]
    pub fn run(&mut self, index: usize, function: Function) -> Option<Returned> {
        self.0.get_mut(index).map(|value| function.run(value))
    }

    #[doc(hidden)]
    pub fn run_on_all(&mut self, function: Function) -> Returned {
        function.run(&mut self.0)
    }
}

impl<T: Item> ListProxy<T> {
    /// Changes an element where it is, by a function or a closure that captures nothing, with further arguments: what it
    /// returns, or `None` where there is no such place. No other call sees the list meanwhile.
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

    /// Changes the list, or looks at it, where it is: as [`update`](Self::update) does with an element.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    ///
    /// ```
    /// # #[offspring::main]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = offspring::Manager::start()?;
    /// let numbers = manager.list::<u32>()?;
    /// numbers.extend((0..100).collect())?;
    /// numbers.with(|numbers: &mut Vec<u32>, by: u32| numbers.retain(|number| number % by == 0), (30,))?;
    /// assert_eq!(numbers.to_vec()?, [0, 30, 60, 90]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with<F, A>(&self, function: F, arguments: A) -> Result<F::Output, CallError>
    where
        F: Change<Vec<T>, A>,
        F::Output: Serialize + DeserializeOwned,
        A: Serialize + DeserializeOwned,
    {
        output(self.run_on_all(Function::new::<F, Vec<T>, A>(function, arguments)?)?)
    }

    /// Puts the elements in order.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn sort(&self) -> Result<(), CallError>
    where
        T: Ord,
    {
        self.with(|all: &mut Vec<T>| all.sort(), ())
    }

    /// Whether there is such an element.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    #[doc(alias = "__contains__")]
    pub fn contains(&self, value: T) -> Result<bool, CallError>
    where
        T: PartialEq,
    {
        self.with(|all: &mut Vec<T>, value: T| all.contains(&value), (value,))
    }

    /// The first place of such an element.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    #[doc(alias = "index")]
    pub fn position(&self, value: T) -> Result<Option<usize>, CallError>
    where
        T: PartialEq,
    {
        self.with(|all: &mut Vec<T>, value: T| all.iter().position(|other| *other == value), (value,))
    }
}
