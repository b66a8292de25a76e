//! Functions that are run at a server on what an object has.

use std::any::Any;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Bytes;
use crate::manager::object::guarded;
use crate::manager::{CallError, Fault, caller};
use crate::sys::{image, runtime};
use crate::wire::codec::{Codec, Wire};

/// A function that changes a value, with the elements of the tuple `A` as its further arguments. Implemented for functions and closures of up to
/// six of them: what the `update` methods of ready-made objects take.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot change a `{V}` with the arguments `{A}`",
    label = "the function takes `&mut {V}`, then what is in the tuple",
    note = "a closure needs the types of its parameters written out: `|n: &mut u64, by: u64| *n += by`"
)]
pub trait Change<V, A>: Copy + 'static {
    /// What the function returns.
    type Output;

    #[doc(hidden)]
    fn change(self, value: &mut V, arguments: A) -> Self::Output;
}

macro_rules! changes {
    ($(($($argument:ident)*))*) => {$(
        impl<F, V, R, $($argument),*> Change<V, ($($argument,)*)> for F
        where
            F: Fn(&mut V, $($argument),*) -> R + Copy + 'static,
        {
            type Output = R;

            #[allow(non_snake_case)] // the arguments are named after their types
            fn change(self, value: &mut V, ($($argument,)*): ($($argument,)*)) -> R {
                self(value, $($argument),*)
            }
        }
    )*};
}

changes! { () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E G) }

/// What runs at the server. It sees for itself that the value is of its type: an offset could be another's.
type ChangeFn = fn(&mut dyn Any, &[u8]) -> Result<Vec<u8>, Fault>;

fn apply<F, V, A>(value: &mut dyn Any, arguments: &[u8]) -> Result<Vec<u8>, Fault>
where
    F: Change<V, A>,
    F::Output: Serialize,
    V: 'static,
    A: DeserializeOwned,
{
    let value = value.downcast_mut::<V>().ok_or(Fault::OtherService)?;
    let arguments = Wire::decode(arguments).map_err(|error| Fault::Arguments(error.to_string()))?;
    let output = runtime::conjure::<F>().change(value, arguments);
    let mut encoded = Vec::new();
    Wire::append(&output, &mut encoded).map_err(|error| Fault::Result(error.to_string()))?;
    Ok(encoded)
}

/// A function on its way to a server of the same build, with its arguments.
#[derive(Serialize, Deserialize)]
pub(super) struct Function {
    build: Vec<u8>,
    offset: u64,
    arguments: Bytes,
}

/// What it returned, on its way back.
pub(super) type Returned = Result<Bytes, Fault>;

impl Function {
    #[allow(clippy::needless_pass_by_value)] // as `spawn` takes them
    pub(super) fn new<F, V, A>(_function: F, arguments: A) -> Result<Self, CallError>
    where
        F: Change<V, A>,
        F::Output: Serialize,
        V: 'static,
        A: Serialize + DeserializeOwned,
    {
        let offset = image::offset_of(apply::<F, V, A> as ChangeFn).ok_or_else(|| {
            CallError::Refused("the function is in no part of the program that the server has, too".into())
        })?;
        let mut encoded = Vec::new();
        Wire::append(&arguments, &mut encoded).map_err(|error| CallError::Encode(error.to_string()))?;
        Ok(Self { build: image::build_id().to_vec(), offset, arguments: encoded.into() })
    }

    /// Runs it, at the server.
    pub(super) fn run(&self, value: &mut dyn Any) -> Returned {
        if caller().is_some_and(|caller| !caller.may_create()) {
            let why =
                "the server runs no functions for those who come from elsewhere: see `Builder::allow_create`";
            return Err(Fault::Refused(why.into()));
        }
        if self.build != image::build_id() {
            return Err(Fault::Refused("the server runs another build of the program".into()));
        }
        let function = image::function_at::<ChangeFn>(self.offset)
            .ok_or_else(|| Fault::Refused("the server has no such function".into()))?;
        guarded(|| function(value, &self.arguments)).map(Bytes::from)
    }
}

/// What the function returned, at the client.
pub(super) fn output<R: DeserializeOwned>(returned: Returned) -> Result<R, CallError> {
    Wire::decode(&returned?).map_err(|error| CallError::Decode(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(value: &mut u32, and: u32) -> u32 {
        *value = *value * 2 + and;
        *value
    }

    fn doubling() -> Function {
        Function::new::<_, u32, _>(double, (1_u32,)).expect("it is in this program")
    }

    #[test]
    fn a_function_runs_on_a_value_of_its_own_type_only() {
        let mut value = 4_u32;
        assert_eq!(output::<u32>(doubling().run(&mut value)).ok(), Some(9));
        assert_eq!(value, 9);
        let refused = output::<u32>(doubling().run(&mut 4_i32));
        assert!(matches!(refused, Err(CallError::OtherService)), "{refused:?}");
    }

    #[test]
    fn a_function_of_another_build_is_refused() {
        let mut function = doubling();
        function.build[0] ^= 1;
        let refused = output::<u32>(function.run(&mut 4_u32));
        assert!(matches!(refused, Err(CallError::Refused(_))), "{refused:?}");
    }
}
