//! Values of types that have no bytes.

/// Makes a value of a type that has no bytes, such as a closure that captures nothing.
///
/// The caller holds, or held in the process that sent the request, another value of this `Copy` type.
pub(crate) fn conjure<F: Copy>() -> F {
    // What the user of `offspring::spawn` reads when it does not hold.
    const {
        assert!(
            size_of::<F>() == 0,
            "offspring::spawn takes a function or a closure that captures nothing: give what it captures as arguments"
        );
    }
    // SAFETY: F has no bytes to read, and being Copy it could have been copied from the value that the starter holds.
    unsafe { std::ptr::NonNull::<F>::dangling().read() }
}
