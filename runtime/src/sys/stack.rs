//! How much of its stack a thread has used up.

/// What must be left for whoever is called next: code between two looks at the stack.
const RESERVE: usize = 128 * 1024;

/// How deep a stack of unknown bounds may become, from where it was first looked at.
const UNKNOWN: usize = 256 * 1024;

/// How deep a stack becomes at which it does not matter where it ends.
const SHALLOW: usize = 32 * 1024;

/// A place on the stack that calls must not go below.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor {
    /// From where on it was looked at.
    start: usize,
    address: usize,
    /// The address is where the stack ends indeed.
    known: bool,
}

impl Floor {
    /// The floor below the calling function. To ask for the bounds of the stack costs microseconds, and is left until it
    /// matters.
    pub(crate) fn new() -> Self {
        let start = here();
        Self { start, address: start.saturating_sub(SHALLOW), known: false }
    }

    /// Whether the calling function is still above the floor. (Stacks grow downwards on all systems that Rust has threads on.)
    #[inline]
    pub(crate) fn is_below_us(&mut self) -> bool {
        here() > self.address || self.is_truly_below_us()
    }

    #[cold]
    #[inline(never)]
    fn is_truly_below_us(&mut self) -> bool {
        if !self.known {
            self.known = true;
            // Outside of its thread's own, a stack is one that somebody made for a part of the work.
            self.address = match bounds() {
                Some((lowest, size)) if (lowest..lowest.saturating_add(size)).contains(&self.start) => {
                    lowest + RESERVE.min(size / 4)
                }
                _ => self.start.saturating_sub(UNKNOWN),
            };
        }
        here() > self.address
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // it is the caller's stack that is asked for
fn here() -> usize {
    let local = 0_u8;
    (&raw const local).addr()
}

/// The lowest address of the calling thread's stack, and its size.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn bounds() -> Option<(usize, usize)> {
    let mut attributes = std::mem::MaybeUninit::uninit();
    // SAFETY: a call without preconditions.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: the calling thread lives, and the attributes are written in full when the call succeeds.
    if unsafe { libc::pthread_getattr_np(thread, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: written by the call.
    let mut attributes = unsafe { attributes.assume_init() };
    let (mut lowest, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes are valid, and two values are written.
    let found = unsafe { libc::pthread_attr_getstack(&raw const attributes, &raw mut lowest, &raw mut size) };
    // SAFETY: valid, and not used again.
    unsafe { libc::pthread_attr_destroy(&raw mut attributes) };
    (found == 0).then(|| (lowest.addr(), size))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn bounds() -> Option<(usize, usize)> {
    None
}
