//! The types that memory can be looked at as, whatever is in it.

use std::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32,
    AtomicU64, AtomicUsize,
};

use crate::Shareable;

/// An atomic number: what [`SharedMemory::atomics`](super::SharedMemory::atomics) can show. `AtomicBool` is none, for not all bytes are a `bool`.
pub trait Atomic: Shareable + sealed::Sealed {}

/// A type of which zero bytes are a value: what [`SharedSlice::zeroed`](super::SharedSlice::zeroed) can make. Numbers, `bool`, atomics and arrays of them.
pub trait Zero: Shareable + sealed::Zero {}

mod sealed {
    pub trait Sealed {}
    pub trait Zero {}
}

macro_rules! implement {
    ($($type:ty)*: $sealed:path, $public:path) => {$(
        impl $sealed for $type {}
        impl $public for $type {}
    )*};
}

implement! {
    AtomicU8 AtomicU16 AtomicU32 AtomicU64 AtomicUsize AtomicI8 AtomicI16 AtomicI32 AtomicI64 AtomicIsize:
    sealed::Sealed, Atomic
}

implement! {
    () bool u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64
    AtomicBool AtomicU8 AtomicU16 AtomicU32 AtomicU64 AtomicUsize AtomicI8 AtomicI16 AtomicI32 AtomicI64 AtomicIsize:
    sealed::Zero, Zero
}

impl<T: Zero, const N: usize> sealed::Zero for [T; N] {}
impl<T: Zero, const N: usize> Zero for [T; N] {}
