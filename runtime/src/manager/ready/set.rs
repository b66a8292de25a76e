//! Sets.

use std::collections::HashSet;
use std::hash::Hash;

use super::Item;

/// The service of sets.
pub(super) struct Set<T>(HashSet<T>);

impl<T: Item + Eq + Hash> Set<T> {
    pub(super) fn new() -> Self {
        Self(HashSet::new())
    }
}

/// A set at a manager, for all who have this: made by [`Manager::set`](crate::Manager::set).
///
/// What comes out is a copy, in any order. Each method is done whole.
///
/// ```
/// use std::collections::HashSet;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let seen = manager.set()?;
///     assert!(seen.insert("a".to_owned())?);
///     assert!(!seen.insert("a".to_owned())?);
///     let new = seen.extend(["a", "b"].map(String::from).into())?;
///     assert_eq!((new, seen.len()?), (1, 2));
///     assert_eq!(seen.difference(HashSet::from(["a".to_owned()]))?, HashSet::from(["b".to_owned()]));
///     Ok(())
/// }
/// ```
#[crate::service(crate = crate)]
impl<T: Item + Eq + Hash> Set<T> {
    /// Puts a value in: whether it is new.
    #[doc(alias = "add")]
    pub fn insert(&mut self, value: T) -> bool {
        self.0.insert(value)
    }

    /// Puts values in: how many are new.
    #[doc(alias = "update")]
    pub fn extend(&mut self, values: Vec<T>) -> usize {
        let before = self.0.len();
        self.0.extend(values);
        self.0.len() - before
    }

    /// Takes a value out: whether it was there.
    #[doc(alias = "discard")]
    pub fn remove(&mut self, value: T) -> bool {
        self.0.remove(&value)
    }

    /// Takes any value out, if there is one.
    pub fn pop(&mut self) -> Option<T> {
        let value = self.0.iter().next()?.clone();
        self.0.take(&value)
    }

    /// Whether a value is there.
    #[doc(alias = "__contains__")]
    pub fn contains(&self, value: T) -> bool {
        self.0.contains(&value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A copy of all, as they are at one moment.
    #[doc(alias = "copy")]
    #[doc(alias = "iter")]
    pub fn to_set(&self) -> HashSet<T> {
        self.0.clone()
    }

    /// All that are there, in the other, or in both.
    pub fn union(&self, other: HashSet<T>) -> HashSet<T> {
        &self.0 | &other
    }

    /// All that are there and in the other.
    pub fn intersection(&self, other: HashSet<T>) -> HashSet<T> {
        &self.0 & &other
    }

    /// All that are there and not in the other.
    pub fn difference(&self, other: HashSet<T>) -> HashSet<T> {
        &self.0 - &other
    }

    /// All that are there or in the other, and not in both.
    pub fn symmetric_difference(&self, other: HashSet<T>) -> HashSet<T> {
        &self.0 ^ &other
    }

    /// Takes all out that are in the other: how many.
    #[doc(alias = "difference_update")]
    pub fn remove_all(&mut self, other: HashSet<T>) -> usize {
        let before = self.0.len();
        self.0.retain(|value| !other.contains(value));
        before - self.0.len()
    }

    /// Takes all out that are not in the other: how many.
    #[doc(alias = "intersection_update")]
    pub fn retain_all(&mut self, other: HashSet<T>) -> usize {
        let before = self.0.len();
        self.0.retain(|value| other.contains(value));
        before - self.0.len()
    }

    /// Whether all that are there are in the other.
    pub fn is_subset(&self, other: HashSet<T>) -> bool {
        self.0.is_subset(&other)
    }

    /// Whether all that are in the other are there.
    pub fn is_superset(&self, other: HashSet<T>) -> bool {
        self.0.is_superset(&other)
    }

    /// Whether none that is there is in the other.
    pub fn is_disjoint(&self, other: HashSet<T>) -> bool {
        self.0.is_disjoint(&other)
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
