//! Proxies of what is shared most: queues, dictionaries and lists.

use std::ops::Deref;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CallError, Proxy};

macro_rules! proxy {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Proxy);

        impl From<Proxy> for $name {
            fn from(proxy: Proxy) -> Self {
                Self(proxy)
            }
        }

        impl $name {
            /// The same, whose calls may take as long: see [`Proxy::with_timeout`].
            #[must_use]
            pub fn with_timeout(self, limit: Option<Duration>) -> Self {
                Self(self.0.with_timeout(limit))
            }
        }

        impl Deref for $name {
            type Target = Proxy;

            fn deref(&self) -> &Proxy {
                &self.0
            }
        }
    };
}

proxy! {
    /// A `queue.Queue` in a manager in Python, or what has its methods.
    ///
    /// A call that waits in the server waits there to its end, even when this process is killed: CPython's server does not look, and
    /// a value that it takes then is lost. `get_timeout` limits that.
    QueueProxy
}

impl QueueProxy {
    /// Puts a value, and waits for room.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn put<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), CallError> {
        self.call("put", &(value,))
    }

    /// Puts a value if there comes room in time.
    ///
    /// # Errors
    /// [`CallError::Full`], and others.
    pub fn put_timeout<T: Serialize + ?Sized>(&self, value: &T, timeout: Duration) -> Result<(), CallError> {
        self.call("put", &(value, true, timeout.as_secs_f64()))
    }

    /// Waits for a value, and takes it.
    ///
    /// # Errors
    /// See [`CallError`]. A value that has another shape is taken.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        self.call("get", &())
    }

    /// Takes a value, if there comes one in time.
    ///
    /// # Errors
    /// [`CallError::Empty`], and others as [`get`](Self::get).
    pub fn get_timeout<T: DeserializeOwned>(&self, timeout: Duration) -> Result<T, CallError> {
        self.call("get", &(true, timeout.as_secs_f64()))
    }

    /// How many values are in it.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "qsize")]
    pub fn len(&self) -> Result<usize, CallError> {
        self.call("qsize", &())
    }

    /// Whether nothing is in it.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "empty")]
    pub fn is_empty(&self) -> Result<bool, CallError> {
        self.call("empty", &())
    }

    /// Says that a value that was taken is done.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn task_done(&self) -> Result<(), CallError> {
        self.call("task_done", &())
    }

    /// Waits until all values that were put are done.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn join(&self) -> Result<(), CallError> {
        self.call("join", &())
    }
}

proxy! {
    /// A `dict` in a manager in Python.
    DictProxy
}

impl DictProxy {
    /// Sets a value.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn insert<K: Serialize, V: Serialize>(&self, key: &K, value: &V) -> Result<(), CallError> {
        if self.exposes("__setitem__") {
            return self.call("__setitem__", &(key, value));
        }
        // Registered without a `proxytype`, only methods without underscores are there.
        self.call("update", &([(key, value)],))
    }

    /// A value. One that is `None` in Python is none.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn get<V: DeserializeOwned>(&self, key: &(impl Serialize + ?Sized)) -> Result<Option<V>, CallError> {
        self.call("get", &(key,))
    }

    /// Takes a value out.
    ///
    /// # Errors
    /// `KeyError` when there is none, for which [`CallError::raised`] asks.
    #[doc(alias = "pop")]
    pub fn remove<V: DeserializeOwned>(&self, key: &(impl Serialize + ?Sized)) -> Result<V, CallError> {
        self.call("pop", &(key,))
    }

    /// Its keys.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn keys<K: DeserializeOwned>(&self) -> Result<Vec<K>, CallError> {
        self.call("keys", &())
    }

    /// Its keys and values.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn items<K: DeserializeOwned, V: DeserializeOwned>(&self) -> Result<Vec<(K, V)>, CallError> {
        self.call("items", &())
    }
}

proxy! {
    /// A `list` in a manager in Python.
    ListProxy
}

impl ListProxy {
    /// Adds a value at the end.
    ///
    /// # Errors
    /// See [`CallError`].
    #[doc(alias = "append")]
    pub fn push<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), CallError> {
        self.call("append", &(value,))
    }

    /// The value at an index; a negative one counts from the end.
    ///
    /// # Errors
    /// `IndexError` when there is none, for which [`CallError::raised`] asks.
    pub fn get<T: DeserializeOwned>(&self, index: i64) -> Result<T, CallError> {
        self.call("__getitem__", &(index,))
    }

    /// Takes the last value.
    ///
    /// # Errors
    /// `IndexError` when there is none.
    pub fn pop<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        self.call("pop", &())
    }

    /// How many values there are.
    ///
    /// # Errors
    /// See [`CallError`].
    #[allow(clippy::len_without_is_empty)] // each would be one more call
    pub fn len(&self) -> Result<usize, CallError> {
        self.call("__len__", &())
    }
}
