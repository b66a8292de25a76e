//! What makes a type a process class.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Builder, Child};
use crate::launch::{Class, Failure, StartError};
use crate::wire::parcel::{self, Beside, Parcel};

/// What a process class does in its process.
///
/// ```
/// use offspring::{Process, Run};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Process, Serialize, Deserialize)]
/// struct Square(u64);
///
/// impl Run for Square {
///     type Output = u64;
///     fn run(self) -> u64 {
///         self.0 * self.0
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     assert_eq!(Square(12).start()?.join()?, 144);
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `run` method to execute in the child",
    label = "this process class does not implement `offspring::Run`",
    note = "write `impl offspring::Run for {Self} {{ type Output = (); fn run(self) {{ … }} }}`"
)]
pub trait Run: Sized {
    /// What comes back to the parent. An error of the task's own is a `Result` here.
    type Output: Serialize + DeserializeOwned + 'static;

    /// Runs in the child with a copy of the value that was started.
    ///
    /// A panic, an exit or a signal does not reach the parent's code: it comes back from [`Child::join`].
    fn run(self) -> Self::Output;
}

/// A type whose values can be started as processes. Implemented by `#[derive(Process)]`.
///
/// What is started is a copy: the value is encoded, and decoded in the child. The original stays the starter's, so one
/// value can be started many times, and its methods can be called in the parent while the child runs.
///
/// A class that its child cannot decode is refused:
///
/// ```compile_fail,E0277
/// #[derive(offspring::Process, serde::Serialize)] // and serde::Deserialize
/// struct Job;
///
/// impl offspring::Run for Job {
///     type Output = ();
///     fn run(self) {}
/// }
/// ```
pub trait Process: Run + Serialize + DeserializeOwned + 'static {
    /// What the registry knows of the class.
    #[doc(hidden)]
    const CLASS: &'static Class;

    /// Starts a process that runs this value.
    ///
    /// # Errors
    /// See [`StartError`]; the value is unchanged, and no process is left behind.
    fn start(&self) -> Result<Child<Self::Output>, StartError> {
        self.builder().start()
    }

    /// Settings for a start: name, daemon, streams, directory, environment and more.
    fn builder(&self) -> Builder<'_, Self::Output> {
        Builder::of_class(self)
    }
}

/// The entry point of a class in the child.
#[doc(hidden)]
pub fn run<P: Process>(payload: &[u8], beside: Beside) -> Result<Parcel, Failure> {
    let value: P = unpack_arguments(payload, beside)?;
    pack_output(&value.run())
}

/// Decodes what came from the parent.
pub(crate) fn unpack_arguments<T: DeserializeOwned>(
    payload: &[u8],
    mut beside: Beside,
) -> Result<T, Failure> {
    parcel::unpack(payload, &mut beside).map_err(|error| Failure::Argument(error.to_string()))
}

/// Encodes what goes back to the parent.
pub(crate) fn pack_output<T: Serialize>(output: &T) -> Result<Parcel, Failure> {
    parcel::pack(output).map_err(|error| Failure::Output(error.to_string()))
}
