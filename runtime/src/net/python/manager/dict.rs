//! A dictionary that this program and programs in Python share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_pickle::{HashableValue, Value};

use super::super::plain;
use super::CallError;
use super::served::{Arguments, Caller, Fault, Served};

/// A dictionary of plain values, which a [`ManagerServer`](super::ManagerServer) serves: a `dict` of Python.
///
/// Clones are the same dictionary. Its keys are in their order, not in that of their arrival.
///
/// ```
/// use offspring::net::python::manager::Dict;
///
/// let dict = Dict::new();
/// dict.insert(&"answer", &42)?;
/// assert_eq!(dict.get::<i64>(&"answer")?, Some(42));
/// # Ok::<(), offspring::net::python::manager::CallError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Dict(Arc<State>);

#[derive(Debug, Default)]
struct State(Mutex<BTreeMap<HashableValue, Value>>);

impl Dict {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a value.
    ///
    /// # Errors
    /// When the key or the value is not plain data, or the key none that Python can hash.
    pub fn insert<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &self,
        key: &K,
        value: &V,
    ) -> Result<(), CallError> {
        let (key, value) = (key_of(plain_of(key)?).map_err(CallError::from_fault)?, plain_of(value)?);
        self.0.lock().insert(key, value);
        Ok(())
    }

    /// A copy of a value.
    ///
    /// # Errors
    /// When it is of another shape; as [`insert`](Self::insert) for the key.
    pub fn get<V: DeserializeOwned>(&self, key: &(impl Serialize + ?Sized)) -> Result<Option<V>, CallError> {
        let key = key_of(plain_of(key)?).map_err(CallError::from_fault)?;
        let value = self.0.lock().get(&key).cloned();
        value.map(CallError::shape).transpose()
    }

    /// Takes a value out.
    ///
    /// # Errors
    /// As [`get`](Self::get). A value of another shape is out, too.
    pub fn remove<V: DeserializeOwned>(
        &self,
        key: &(impl Serialize + ?Sized),
    ) -> Result<Option<V>, CallError> {
        let key = key_of(plain_of(key)?).map_err(CallError::from_fault)?;
        let value = self.0.lock().remove(&key);
        value.map(CallError::shape).transpose()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of all of it.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<HashableValue, Value> {
        self.0.lock().clone()
    }

    pub(super) fn served(&self) -> Arc<dyn Served> {
        Arc::clone(&self.0) as _
    }
}

fn plain_of<T: Serialize + ?Sized>(value: &T) -> Result<Value, CallError> {
    Ok(plain::decode_value(&plain::encode(value)?, u64::MAX)?)
}

fn key_of(value: Value) -> Result<HashableValue, Fault> {
    value.into_hashable().map_err(|_| Fault::builtin("TypeError", "unhashable type of a key"))
}

impl State {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<HashableValue, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of a dictionary, or of pairs.
    fn update(&self, others: Value) -> Result<(), Fault> {
        let pairs = match others {
            Value::Dict(pairs) => pairs,
            Value::List(pairs) | Value::Tuple(pairs) => {
                let pair = |pair| match pair {
                    Value::List(pair) | Value::Tuple(pair) => {
                        let [key, value] = <[Value; 2]>::try_from(pair).map_err(|_| not_pairs())?;
                        Ok((key_of(key)?, value))
                    }
                    _ => Err(not_pairs()),
                };
                pairs.into_iter().map(pair).collect::<Result<_, _>>()?
            }
            _ => return Err(not_pairs()),
        };
        self.lock().extend(pairs);
        Ok(())
    }
}

fn not_pairs() -> Fault {
    Fault::builtin("TypeError", "a dictionary is updated by one, or by pairs")
}

fn missing(key: HashableValue) -> Fault {
    Fault::new("builtins", "KeyError", vec![key.into_value()])
}

impl Served for State {
    fn class(&self) -> &'static str {
        "dict"
    }

    fn methods(&self) -> &'static [&'static str] {
        &[
            "__contains__",
            "__delitem__",
            "__getitem__",
            "__len__",
            "__setitem__",
            "clear",
            "copy",
            "get",
            "items",
            "keys",
            "pop",
            "popitem",
            "setdefault",
            "update",
            "values",
        ]
    }

    fn call(&self, method: &str, mut arguments: Arguments, _: &Caller) -> Result<Value, Fault> {
        if method == "update" {
            let named = std::mem::take(&mut arguments.named);
            let [others] = arguments.bind(method, ["others"], 0)?;
            others.map(|others| self.update(others)).transpose()?;
            self.lock().extend(named);
            return Ok(Value::None);
        }
        let names = ["key", "default"];
        let (least, most) = match method {
            "__setitem__" => (2, 2),
            "get" | "pop" | "setdefault" => (1, 2),
            "__contains__" | "__delitem__" | "__getitem__" => (1, 1),
            _ => (0, 0),
        };
        if arguments.placed.len() > most {
            let message = format!("{method}() takes at most {most} arguments");
            return Err(Fault::builtin("TypeError", message));
        }
        let [key, other] = arguments.bind(method, names, least)?;
        let key = key_of(key.unwrap_or(Value::None))?;
        let mut dict = self.lock();
        let pair = |(key, value): (&HashableValue, &Value)| {
            Value::Tuple(vec![key.clone().into_value(), value.clone()])
        };
        Ok(match method {
            "__contains__" => Value::Bool(dict.contains_key(&key)),
            "__getitem__" => dict.get(&key).cloned().ok_or_else(|| missing(key))?,
            "__setitem__" => {
                dict.insert(key, other.unwrap_or(Value::None));
                Value::None
            }
            "__delitem__" => dict.remove(&key).map(|_| Value::None).ok_or_else(|| missing(key))?,
            "__len__" => Value::I64(dict.len() as i64),
            "get" => dict.get(&key).cloned().or(other).unwrap_or(Value::None),
            "pop" => dict.remove(&key).or(other).ok_or_else(|| missing(key))?,
            "setdefault" => dict.entry(key).or_insert(other.unwrap_or(Value::None)).clone(),
            "popitem" => {
                let popped = dict.pop_last();
                let popped = popped.map(|(key, value)| Value::Tuple(vec![key.into_value(), value]));
                popped.ok_or_else(|| Fault::builtin("KeyError", "popitem(): dictionary is empty"))?
            }
            "clear" => {
                dict.clear();
                Value::None
            }
            "copy" => Value::Dict(dict.clone()),
            "keys" => Value::List(dict.keys().cloned().map(HashableValue::into_value).collect()),
            "values" => Value::List(dict.values().cloned().collect()),
            "items" => Value::List(dict.iter().map(pair).collect()),
            _ => return Err(Fault::builtin("NotImplementedError", method)),
        })
    }

    /// As in Python: what was popped for somebody who is killed meanwhile is gone.
    fn take_back(&self, _: &str, _: Value) {}

    fn describe(&self) -> String {
        Value::Dict(self.lock().clone()).to_string()
    }

    fn value(&self) -> Option<Value> {
        Some(Value::Dict(self.lock().clone()))
    }
}
