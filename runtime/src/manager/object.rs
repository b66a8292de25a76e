//! Objects, as the server sees them: whatever has methods by number.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::caller::is_cancelled;
use super::home::Reader;
use super::message::Fault;
use super::proxy::Proxy;
use crate::launch::panic;
use crate::sys::runtime;
use crate::wire::codec::{Codec, Wire};
use crate::wire::fingerprint;

/// A type whose values a [`Manager`](super::Manager) can have: see [`service`](macro@crate::service), which implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no methods that can be called from other processes",
    label = "not a service",
    note = "put `#[offspring::service]` above `impl {Self} {{ .. }}`"
)]
pub trait Service: Send + Sync + Sized + 'static {
    /// What stands for a value in other processes: it has the same methods.
    type Proxy: Proxy;

    #[doc(hidden)]
    const SCHEMA: u64;

    #[doc(hidden)]
    fn dispatch(object: &RwLock<Self>, call: &mut Invocation<'_>) -> Result<(), Fault>;
}

/// What tells a service, and the version of it, from others.
#[must_use]
pub fn fingerprint<S: Service>() -> u64 {
    fingerprint::of_encoded::<S>() ^ S::SCHEMA.rotate_left(32)
}

/// A call as it arrives at an object.
#[derive(Debug)]
pub struct Invocation<'a> {
    method: u32,
    arguments: &'a [u8],
    /// Where the result goes, behind what is there.
    reply: &'a mut Vec<u8>,
    /// For whom that is.
    reader: &'a Reader,
}

impl<'a> Invocation<'a> {
    pub(super) fn new(method: u32, arguments: &'a [u8], reply: &'a mut Vec<u8>, reader: &'a Reader) -> Self {
        Self { method, arguments, reply, reader }
    }

    /// Which method it is.
    #[must_use]
    pub fn method(&self) -> u32 {
        self.method
    }

    /// The arguments, as a tuple.
    ///
    /// # Errors
    /// When they cannot be decoded.
    pub fn arguments<A: DeserializeOwned>(&self) -> Result<A, Fault> {
        Wire::decode(self.arguments).map_err(|error| Fault::Arguments(error.to_string()))
    }

    /// Returns the result.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn returns<R: Serialize>(&mut self, result: &R) -> Result<(), Fault> {
        let written = self.reader.encoding(|| Wire::append(result, self.reply));
        written.map_err(|error| Fault::Result(error.to_string()))
    }
}

/// The object for a method with `&self`. What a panic left is there.
///
/// # Errors
/// When nobody waits for the call any more, which has waited for others until now.
pub fn shared<T>(object: &RwLock<T>) -> Result<RwLockReadGuard<'_, T>, Fault> {
    let object = object.read().unwrap_or_else(PoisonError::into_inner);
    if is_cancelled() { Err(Fault::NotBegun) } else { Ok(object) }
}

/// The object for a method with `&mut self`.
///
/// # Errors
/// As [`shared`].
pub fn exclusively<T>(object: &RwLock<T>) -> Result<RwLockWriteGuard<'_, T>, Fault> {
    let object = object.write().unwrap_or_else(PoisonError::into_inner);
    if is_cancelled() { Err(Fault::NotBegun) } else { Ok(object) }
}

/// Runs an `async` method to its end on this thread.
pub fn block_on<F: Future>(method: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut method = pin!(method);
    loop {
        if let Poll::Ready(output) = method.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// An object of any service.
pub(super) trait Object: Send + Sync {
    fn call(&self, call: &mut Invocation<'_>) -> Result<(), Fault>;

    fn service(&self) -> u64;
}

struct Served<T>(RwLock<T>);

/// A value as an object.
pub(super) fn served<T: Service>(value: T) -> Arc<dyn Object> {
    Arc::new(Served(RwLock::new(value)))
}

impl<T: Service> Object for Served<T> {
    fn call(&self, call: &mut Invocation<'_>) -> Result<(), Fault> {
        T::dispatch(&self.0, call)
    }

    fn service(&self) -> u64 {
        fingerprint::<T>()
    }
}

/// A function that makes an object of the elements of the tuple `A`. Implemented for functions and closures of up to eight arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot make an object of the arguments `{A}`",
    label = "the arguments are a tuple, of the types that the function takes; it returns a service",
    note = "a closure needs the types of its parameters written out: `|n: u64| Counter::new(n)`"
)]
pub trait Maker<A>: Copy + 'static {
    /// What the function returns.
    type Service: Service;

    #[doc(hidden)]
    fn make(self, arguments: A) -> Self::Service;
}

macro_rules! makers {
    ($(($($argument:ident)*))*) => {$(
        impl<F, S, $($argument),*> Maker<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> S + Copy + 'static,
            S: Service,
        {
            type Service = S;

            #[allow(non_snake_case)] // the arguments are named after their types
            fn make(self, ($($argument,)*): ($($argument,)*)) -> S {
                self($($argument),*)
            }
        }
    )*};
}

makers! { () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E G) (A B C D E G H) (A B C D E G H I) }

/// What runs at the server to make an object.
pub(super) type MakerFn = fn(&[u8]) -> Result<Arc<dyn Object>, Fault>;

/// The function that makes objects by `F`.
pub(super) fn make<F, A>(arguments: &[u8]) -> Result<Arc<dyn Object>, Fault>
where
    F: Maker<A>,
    A: DeserializeOwned,
{
    let arguments: A = Wire::decode(arguments).map_err(|error| Fault::Arguments(error.to_string()))?;
    Ok(served(runtime::conjure::<F>().make(arguments)))
}

/// Runs code of the user's, whose panics are faults.
pub(super) fn guarded<R>(action: impl FnOnce() -> Result<R, Fault>) -> Result<R, Fault> {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(|cause| {
        let panicked = Fault::Panicked(panic::last(&*cause));
        panic::drop_quietly(cause);
        Err(panicked)
    })
}
