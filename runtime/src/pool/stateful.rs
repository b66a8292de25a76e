//! Functions that are given the state of their worker.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::worker::with_state;
use crate::process::Function;

/// A function that is given the state of its worker, and the elements of the tuple `A` as arguments. Implemented for functions and closures that
/// capture nothing, of up to six arguments behind the state.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no function of a worker's state and the arguments `{A}`",
    label = "its first parameter is the state: `|state: &mut S, input: X| ..`",
    note = "a closure needs the types of its parameters written out"
)]
pub trait StatefulFunction<S, A>: Copy + 'static {
    /// What the function returns.
    type Output: Serialize + DeserializeOwned + 'static;

    #[doc(hidden)]
    fn call_with(self, state: &mut S, arguments: A) -> Self::Output;
}

/// A function that is given the state of its worker: see [`stateful`].
#[derive(Debug)]
pub struct Stateful<F, S, A> {
    function: F,
    takes: PhantomData<fn(S, A)>,
}

impl<F: Copy, S, A> Clone for Stateful<F, S, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Copy, S, A> Copy for Stateful<F, S, A> {}

/// Makes a function whose first parameter is the state of its worker one that all methods of a [`Pool`](super::Pool) take.
///
/// The state is what the worker's [initializer](super::Builder::initializer) returned; in a pool without one it is `()`.
///
/// ```
/// use std::collections::HashMap;
///
/// use offspring::pool::{Pool, stateful};
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let pool = Pool::builder().workers(1).initializer(HashMap::<u64, u64>::new, ()).start()?;
///     let remember = |seen: &mut HashMap<u64, u64>, n: u64| {
///         *seen.entry(n % 3).or_default() += 1;
///         seen.len()
///     };
///     assert_eq!(pool.try_map(stateful(remember), [0, 1, 3, 2])?, [1, 2, 2, 3]);
///     Ok(())
/// }
/// ```
///
/// A call panics, which is its task's failure, when the state is of another type; see [`with_state`].
pub fn stateful<F, S, A>(function: F) -> Stateful<F, S, A>
where
    F: StatefulFunction<S, A>,
{
    Stateful { function, takes: PhantomData }
}

macro_rules! functions {
    ($(($($argument:ident)*))*) => {$(
        impl<F, S, R, $($argument),*> StatefulFunction<S, ($($argument,)*)> for F
        where
            F: Fn(&mut S, $($argument),*) -> R + Copy + 'static,
            R: Serialize + DeserializeOwned + 'static,
        {
            type Output = R;

            #[allow(non_snake_case)] // the arguments are named after their types
            fn call_with(self, state: &mut S, ($($argument,)*): ($($argument,)*)) -> R {
                self(state, $($argument),*)
            }
        }

        impl<F, S, $($argument),*> Function<($($argument,)*)> for Stateful<F, S, ($($argument,)*)>
        where
            F: StatefulFunction<S, ($($argument,)*)>,
            S: 'static,
            $($argument: 'static),*
        {
            type Output = F::Output;

            fn call(self, arguments: ($($argument,)*)) -> F::Output {
                with_state(|state| self.function.call_with(state, arguments))
            }
        }
    )*};
}

functions! { () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E G) }
