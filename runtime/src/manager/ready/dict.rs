//! Dictionaries.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Item;
use super::function::{Change, Function, Returned, output};
use crate::manager::CallError;

/// The service of dictionaries: its entries in the order in which their keys came.
pub(super) struct Dict<K, V> {
    places: HashMap<K, u64>,
    entries: BTreeMap<u64, (K, V)>,
    came: u64,
}

impl<K: Item + Eq + Hash, V: Item> Dict<K, V> {
    pub(super) fn new() -> Self {
        Self { places: HashMap::new(), entries: BTreeMap::new(), came: 0 }
    }

    fn put(&mut self, key: K, value: V) -> Option<V> {
        if let Some(old) = self.value(&key) {
            return Some(std::mem::replace(old, value));
        }
        self.came += 1;
        self.places.insert(key.clone(), self.came);
        self.entries.insert(self.came, (key, value));
        None
    }

    fn value(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(self.places.get(key)?).map(|(_, value)| value)
    }
}

/// A dictionary at a manager, for all who have this: made by [`Manager::dict`](crate::Manager::dict).
///
/// It keeps the order in which keys came, as Python's does. What comes out is a copy; what is changed, is changed by a method, each of
/// which is done whole: nothing is lost between two processes. [`update`](Self::update) changes a value where it is, by a function.
///
/// ```
/// use offspring::manager::Dict;
///
/// fn tag(dict: Dict<String, Vec<u32>>, number: u32) {
///     dict.get_or_insert("all".into(), Vec::new()).unwrap();
///     dict.update("all".into(), |all: &mut Vec<u32>, number: u32| all.push(number), (number,)).unwrap();
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let dict = manager.dict()?;
///     let children = [1, 2, 3].map(|number| offspring::spawn(tag, (dict.clone(), number)));
///     for child in children {
///         child?.join()?;
///     }
///     let mut all = dict.get("all".into())?.unwrap();
///     all.sort();
///     assert_eq!(all, [1, 2, 3]);
///     Ok(())
/// }
/// ```
#[crate::service(crate = crate)]
impl<K: Item + Eq + Hash, V: Item> Dict<K, V> {
    /// A copy of the value of a key.
    pub fn get(&self, key: K) -> Option<V> {
        self.entries.get(self.places.get(&key)?).map(|(_, value)| value.clone())
    }

    /// Enters a value: the one that the key had.
    #[doc(alias = "set")]
    #[doc(alias = "__setitem__")]
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.put(key, value)
    }

    /// Enters all, in place of those with the same keys.
    #[doc(alias = "update")]
    pub fn extend(&mut self, entries: Vec<(K, V)>) {
        for (key, value) in entries {
            self.put(key, value);
        }
    }

    /// A copy of the value of a key, which is this one if it had none.
    #[doc(alias = "setdefault")]
    pub fn get_or_insert(&mut self, key: K, value: V) -> V {
        if let Some(value) = self.value(&key) {
            return value.clone();
        }
        self.put(key, value.clone());
        value
    }

    /// Takes an entry out: its value.
    #[doc(alias = "pop")]
    pub fn remove(&mut self, key: K) -> Option<V> {
        let place = self.places.remove(&key)?;
        self.entries.remove(&place).map(|(_, value)| value)
    }

    /// Takes out the entry whose key came last.
    #[doc(alias = "popitem")]
    pub fn pop(&mut self) -> Option<(K, V)> {
        let (_, (key, value)) = self.entries.pop_last()?;
        self.places.remove(&key);
        Some((key, value))
    }

    /// Whether there is such a key.
    #[doc(alias = "__contains__")]
    pub fn contains_key(&self, key: K) -> bool {
        self.places.contains_key(&key)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All keys, in the order in which they came.
    pub fn keys(&self) -> Vec<K> {
        self.entries.values().map(|(key, _)| key.clone()).collect()
    }

    /// All values, in the order in which their keys came.
    pub fn values(&self) -> Vec<V> {
        self.entries.values().map(|(_, value)| value.clone()).collect()
    }

    /// All entries, in the order in which their keys came, as they are at one moment.
    #[doc(alias = "copy")]
    #[doc(alias = "_getvalue")]
    pub fn items(&self) -> Vec<(K, V)> {
        self.entries.values().cloned().collect()
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.places.clear();
        self.entries.clear();
    }

    #[doc(hidden)]
    pub fn run(&mut self, key: K, default: Option<V>, function: Function) -> Option<Returned> {
        if let Some(default) = default.filter(|_| !self.places.contains_key(&key)) {
            self.put(key.clone(), default);
        }
        self.value(&key).map(|value| function.run(value))
    }
}

impl<K: Item + Eq + Hash, V: Item> DictProxy<K, V> {
    /// Changes the value of a key where it is, by a function or a closure that captures nothing, with further arguments: what it
    /// returns, or `None` where there is no such key. No other call sees the value meanwhile.
    ///
    /// # Errors
    /// [`CallError::Refused`] when the server runs another build of the program; [`CallError::Panicked`] when the function does, and
    /// leaves the value as it is then; see [`CallError`].
    pub fn update<F, A>(&self, key: K, function: F, arguments: A) -> Result<Option<F::Output>, CallError>
    where
        F: Change<V, A>,
        F::Output: Serialize + DeserializeOwned,
        A: Serialize + DeserializeOwned,
    {
        self.run(key, None, Function::new::<F, V, A>(function, arguments)?)?.map(output).transpose()
    }

    /// As [`update`](Self::update), of this value if the key has none.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn update_or_insert<F, A>(
        &self,
        key: K,
        default: V,
        function: F,
        arguments: A,
    ) -> Result<F::Output, CallError>
    where
        F: Change<V, A>,
        F::Output: Serialize + DeserializeOwned,
        A: Serialize + DeserializeOwned,
    {
        let function = Function::new::<F, V, A>(function, arguments)?;
        let returned = self.run(key, Some(default), function)?;
        returned.map_or_else(|| Err(CallError::UnknownObject), output)
    }
}
