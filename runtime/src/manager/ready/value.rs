//! Values.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Item;
use super::function::{Change, Function, Returned, output};
use crate::manager::CallError;

/// The service of values.
pub(super) struct Value<T>(T);

impl<T: Item> Value<T> {
    pub(super) fn new(value: T) -> Self {
        Self(value)
    }
}

/// A value at a manager, of any type that travels: made by [`Manager::value`](crate::Manager::value). A struct with named fields is what Python's
/// `Namespace` is.
///
/// ```
/// use offspring::manager::Value;
///
/// #[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
/// struct Progress {
///     done: u64,
///     last: String,
/// }
///
/// fn note(progress: Value<Progress>, name: String) {
///     let note = |progress: &mut Progress, name: String| {
///         progress.done += 1;
///         progress.last = name;
///     };
///     progress.update(note, (name,)).unwrap();
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let progress = manager.value(Progress::default())?;
///     let children = ["a", "b", "c"].map(|name| offspring::spawn(note, (progress.clone(), name.into())));
///     for child in children {
///         child?.join()?;
///     }
///     assert_eq!(progress.get()?.done, 3);
///     Ok(())
/// }
/// ```
#[crate::service(crate = crate)]
impl<T: Item> Value<T> {
    /// A copy of it.
    pub fn get(&self) -> T {
        self.0.clone()
    }

    /// Puts another in its place.
    pub fn set(&mut self, value: T) {
        self.0 = value;
    }

    /// Puts another in its place, and returns it.
    pub fn replace(&mut self, value: T) -> T {
        std::mem::replace(&mut self.0, value)
    }

    #[doc(hidden)]
    pub fn run(&mut self, function: Function) -> Returned {
        function.run(&mut self.0)
    }
}

impl<T: Item> ValueProxy<T> {
    /// Changes it, or looks at it, where it is, by a function or a closure that captures nothing, with further arguments: what it
    /// returns. No other call sees the value meanwhile.
    ///
    /// # Errors
    /// [`CallError::Refused`] when the server runs another build of the program; [`CallError::Panicked`] when the function does, and
    /// leaves the value as it is then; see [`CallError`].
    pub fn update<F, A>(&self, function: F, arguments: A) -> Result<F::Output, CallError>
    where
        F: Change<T, A>,
        F::Output: Serialize + DeserializeOwned,
        A: Serialize + DeserializeOwned,
    {
        output(self.run(Function::new::<F, T, A>(function, arguments)?)?)
    }
}
