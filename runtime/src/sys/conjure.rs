//! Values of types that have no bytes.

/// Makes a value of a type that has no bytes, such as a closure that captures nothing.
///
/// The caller holds, or held in the process that sent the request, another value of this `Copy` type.
pub(crate) fn conjure<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0, "only a type without bytes can be made from nothing") };
    // SAFETY: F has no bytes to read, and being Copy it could have been copied from the value that the starter holds.
    unsafe { std::ptr::NonNull::<F>::dangling().read() }
}
