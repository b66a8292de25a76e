//! What can go wrong with a call.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_pickle::Value;

use super::super::PythonError;
use super::super::object::{Instance, Object};
use super::served::Fault;

/// Why a method has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The queue is empty, and nothing came in time: `queue.Empty`.
    #[error("the queue is empty")]
    Empty,
    /// The queue is full, and there came no room in time: `queue.Full`.
    #[error("the queue is full")]
    Full,
    /// The server did not answer in time, which it may do later, for nobody: see [`Builder::call_timeout`](super::super::Builder::call_timeout) and [`Proxy::with_timeout`](super::Proxy::with_timeout).
    #[error("the manager's server did not answer in time: see `python::Builder::call_timeout`")]
    TimedOut,
    /// The method raised an exception.
    #[error("the method raised {0}")]
    Raised(Exception),
    /// The server could not call the method, as when there is none of this name. In Python this is a `RemoteError`.
    #[error("the manager's server refused: {}", .0.lines().last().unwrap_or_default())]
    Remote(String),
    /// The result of the method is not plain data, or there is no pickle of it.
    #[error("the result cannot be sent: {0}")]
    Unserializable(String),
    /// What listens there, and knows the key, does not answer as the server of a manager.
    #[error("the peer is no server of a manager: {0}")]
    Protocol(String),
    /// The other side is gone, or has another key, or a value is not plain data or has another shape.
    #[error(transparent)]
    Python(#[from] PythonError),
}

/// An exception of Python, as far as it is plain data.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Exception {
    /// The module of its class: `builtins` for those that Python knows by itself.
    pub module: String,
    /// The name of its class.
    pub class: String,
    /// Its `args`. What is not plain data is a string that says so.
    pub args: Vec<Value>,
}

impl Exception {
    /// Whether its class has this name, as `KeyError` or `mymodule.MyError`. Base classes are not known.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        let own = name.strip_suffix(&*self.class).and_then(|module| module.strip_suffix('.'));
        own.map_or(name == self.class && self.module == "builtins", |module| module == self.module)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.module != "builtins" {
            write!(f, "{}.", self.module)?;
        }
        f.write_str(&self.class)?;
        match &self.args[..] {
            [] => Ok(()),
            [Value::String(message)] => write!(f, ": {message}"),
            [arg] => write!(f, ": {arg}"),
            several => write!(f, ": {}", Value::Tuple(several.to_vec())),
        }
    }
}

impl CallError {
    /// The exception, if it is one of this class: see [`Exception::is`].
    #[must_use]
    pub fn raised(&self, name: &str) -> Option<&Exception> {
        match self {
            Self::Raised(exception) if exception.is(name) => Some(exception),
            _ => None,
        }
    }

    pub(super) fn from_instance(instance: Instance) -> Self {
        let Instance { module, name, arguments, .. } = instance;
        match (&module[..], &name[..]) {
            // `_queue` is where CPython from 3.7 on has it.
            ("queue" | "_queue", "Empty") => Self::Empty,
            ("queue" | "_queue", "Full") => Self::Full,
            _ => {
                let arg = |arg| match arg {
                    Object::Plain(value) => value,
                    other => Value::String(format!("<no plain data: {other:?}>")),
                };
                let args = arguments.into_iter().map(arg).collect();
                Self::Raised(Exception { module, class: name, args })
            }
        }
    }

    pub(super) fn from_fault(fault: Fault) -> Self {
        match fault {
            Fault::Raised(instance) => Self::from_instance(*instance),
            Fault::Gone => PythonError::Closed.into(),
        }
    }

    /// A value as a type.
    pub(super) fn shape<T: DeserializeOwned>(value: Value) -> Result<T, Self> {
        Ok(serde_pickle::from_value(value).map_err(PythonError::OtherShape)?)
    }
}
