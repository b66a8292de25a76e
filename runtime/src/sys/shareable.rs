//! What can lie in memory that processes share.

use std::marker::PhantomData;
use std::num::{Saturating, Wrapping};
use std::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32,
    AtomicU64, AtomicUsize,
};

/// A type whose values can lie in memory that processes share: numbers, atomics, arrays and structs of them.
///
/// `#[derive(Shareable)]` implements it for a `#[repr(C)]` struct whose fields are all shareable, and for a
/// `#[repr(u8)]` enum without fields. What points somewhere (references, `Box`, `Vec`, `String`) is not shareable: an address means
/// nothing in another process. Nor is what has invalid bit patterns longer than a byte (`char`, `Option<u32>`, enums
/// with fields): a process that is killed while it writes one leaves half of it.
///
/// ```compile_fail,E0277
/// #[derive(offspring::Shareable)]
/// #[repr(C)]
/// struct Record {
///     name: String, // [u8; 32], say
/// }
/// ```
///
/// # Safety
/// Of the implementing type:
/// - It holds no address, and nothing that means something in one process only.
/// - Any bytes that were a mix of two valid values, byte by byte, are a valid value.
/// - It needs no drop, and its layout is the same in every program that shares it (`repr(C)`, or a primitive).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot lie in memory that processes share",
    label = "not `Shareable`",
    note = "numbers, atomics, arrays and `#[repr(C)]` structs of them can: `#[derive(offspring::Shareable)]`",
    note = "text and lists have a pointer in them: use an array of a fixed length, or send them through a channel"
)]
pub unsafe trait Shareable: Send + Sync + 'static {}

macro_rules! shareable {
    ($($type:ty)*) => {$(
        // SAFETY: a number: without an address, valid with any bytes (one byte, for bool), of a fixed layout.
        unsafe impl Shareable for $type {}
    )*};
}

shareable! {
    () bool u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64
    AtomicBool AtomicU8 AtomicU16 AtomicU32 AtomicU64 AtomicUsize AtomicI8 AtomicI16 AtomicI32 AtomicI64 AtomicIsize
}

// SAFETY: as its elements, one after the other.
unsafe impl<T: Shareable, const N: usize> Shareable for [T; N] {}

/// Declares what this crate keeps in shared memory: structs of shareable fields, each on cache lines of its own.
macro_rules! shared_layout {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        #[repr(C, align(64))]
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type,)*
        }

        const _: () = {
            const fn shareable<T: $crate::Shareable>() {}
            $(shareable::<$type>();)*
        };

        #[allow(unsafe_code)]
        // SAFETY: each field is shareable, as just checked, and the layout is that of C. Nothing is dropped.
        unsafe impl $crate::Shareable for $name {}
    )*};
}

pub(crate) use shared_layout;
// SAFETY: laid out as the number within, which the standard library guarantees.
unsafe impl<T: Shareable> Shareable for Wrapping<T> {}

// SAFETY: as above.
unsafe impl<T: Shareable> Shareable for Saturating<T> {}

// SAFETY: without bytes.
unsafe impl<T: ?Sized + Send + Sync + 'static> Shareable for PhantomData<T> {}

/// As [`shared_layout!`], for what shares its cache line with a neighbour, and may be copied.
macro_rules! shared_words {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        #[repr(C)]
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type,)*
        }

        const _: () = {
            const fn shareable<T: $crate::Shareable>() {}
            $(shareable::<$type>();)*
        };

        #[allow(unsafe_code)]
        // SAFETY: each field is shareable, as just checked, and the layout is that of C. Nothing is dropped.
        unsafe impl $crate::Shareable for $name {}
    )*};
}

pub(crate) use shared_words;
