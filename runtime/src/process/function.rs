//! Functions and closures that capture nothing as processes.
//!
//! What travels is the offset, in the program's image, of a wrapper that is compiled for the function's type and its
//! arguments' types; the function itself has no bytes. So this works between processes of one build only, which the
//! handshake checks. A [process class](crate::Process) has a name instead, which holds for other builds too.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::builder::{Builder, Work};
use super::child::Child;
use super::class::{pack_output, unpack_arguments};
use crate::launch::order::Target;
use crate::launch::registry::Runner;
use crate::launch::{Failure, StartError};
use crate::sys::{image, runtime};
use crate::wire::parcel::{self, Beside, Parcel};

/// A function that takes the elements of the tuple `A` as arguments. Implemented for functions and closures of up to
/// eight arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be started with the arguments `{A}`",
    label = "the arguments are a tuple, of the types that the function takes: `spawn(f, (a,))`, `spawn(f, (a, b))`",
    note = "a closure needs the types of its parameters written out: `|n: u64| n + 1`",
    note = "a closure that never returns has no output: declare one, or make it a function `fn f()`"
)]
pub trait Function<A>: Copy + 'static {
    /// What the function returns.
    type Output: Serialize + DeserializeOwned + 'static;

    #[doc(hidden)]
    fn call(self, arguments: A) -> Self::Output;
}

macro_rules! functions {
    ($(($($argument:ident)*))*) => {$(
        impl<F, R, $($argument),*> Function<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> R + Copy + 'static,
            R: Serialize + DeserializeOwned + 'static,
        {
            type Output = R;

            #[allow(non_snake_case)] // the arguments are named after their types
            fn call(self, ($($argument,)*): ($($argument,)*)) -> R {
                self($($argument),*)
            }
        }
    )*};
}

functions! { () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E G) (A B C D E G H) (A B C D E G H I) }

/// Starts a process that calls a function, or a closure that captures nothing.
///
/// The arguments are a tuple; they are encoded, and decoded in the child. A closure that captures something does not
/// compile: give what it captures as arguments.
///
/// ```
/// fn power(base: u64, exponent: u32) -> u64 {
///     base.pow(exponent)
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let one = offspring::spawn(power, (2, 10))?;
///     let other = offspring::spawn(|text: String| text.len(), ("five!".to_string(),))?;
///     assert_eq!((one.join()?, other.join()?), (1024, 5));
///     assert_eq!(one.name(), "power-1");
///     Ok(())
/// }
/// ```
///
/// ```compile_fail
/// let captured = 3;
/// offspring::spawn(move |n: u64| n + captured, (1,));
/// ```
///
/// # Errors
/// See [`StartError`].
pub fn spawn<F, A>(function: F, arguments: A) -> Result<Child<F::Output>, StartError>
where
    F: Function<A>,
    A: Serialize + DeserializeOwned + 'static,
{
    target(function, arguments).start()
}

/// Settings for the start of a function or a closure that captures nothing, as [`spawn`] starts it.
///
/// ```
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let child = offspring::target(|| offspring::current().name, ()).name("scout").start()?;
///     assert_eq!(child.join()?, "scout");
///     Ok(())
/// }
/// ```
#[doc(alias = "Process")]
pub fn target<F, A>(_function: F, arguments: A) -> Builder<'static, F::Output>
where
    F: Function<A>,
    A: Serialize + DeserializeOwned + 'static,
{
    Builder::new(Work {
        base_name: short_name(std::any::type_name::<F>()),
        class: None,
        target: image::offset_of(wrapper::<F, A> as Runner).map(Target::Function),
        pack: Box::new(move || parcel::pack(&arguments)),
    })
}

/// What runs in the child.
fn wrapper<F, A>(payload: &[u8], beside: Beside) -> Result<Parcel, Failure>
where
    F: Function<A>,
    A: DeserializeOwned,
{
    let arguments: A = unpack_arguments(payload, beside)?;
    pack_output(&runtime::conjure::<F>().call(arguments))
}

/// `power` of `program::math::power`, and `Process` for a closure.
fn short_name(path: &'static str) -> &'static str {
    let generic = path.find('<').unwrap_or(path.len());
    match path[..generic].rsplit("::").next() {
        Some(name) if !name.contains('{') && !name.is_empty() => name,
        _ => "Process",
    }
}

#[cfg(test)]
mod tests {
    use super::short_name;

    #[test]
    fn a_function_is_named_after_itself_and_a_closure_after_nobody() {
        assert_eq!(short_name("program::math::power"), "power");
        assert_eq!(short_name("program::sort<alloc::vec::Vec<u8>>"), "sort");
        assert_eq!(short_name("program::main::{{closure}}"), "Process");
    }
}
