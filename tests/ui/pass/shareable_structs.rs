//! Structs of all shapes that can lie in shared memory.

#![deny(missing_docs, unsafe_code, warnings)]

use offspring::Shareable;
use std::marker::PhantomData;
use std::num::{Saturating, Wrapping};
use std::sync::atomic::{AtomicBool, AtomicU64};

/// Named fields.
#[derive(Shareable)]
#[repr(C)]
pub struct Progress {
    done: AtomicU64,
    stop: AtomicBool,
    sizes: [[u16; 4]; 2],
    sum: Wrapping<u64>,
    level: Saturating<i8>,
    /// Raw identifiers are fine.
    pub r#type: u8,
}

/// A tuple, aligned, of another shareable type.
#[derive(Shareable)]
#[repr(C, align(64))]
pub struct Line(Progress, PhantomData<u32>);

/// Packed.
#[derive(Clone, Copy, Shareable)]
#[repr(C, packed(2))]
pub struct Packed(pub u8, pub u64);

/// As its only field.
#[derive(Shareable)]
#[repr(transparent)]
pub struct Only(AtomicU64);

/// No fields.
#[derive(Shareable)]
#[repr(C)]
pub struct Nothing;

fn shareable<T: Shareable>() {}

fn main() {
    shareable::<Progress>();
    shareable::<[Line; 3]>();
    shareable::<Packed>();
    shareable::<Only>();
    shareable::<Nothing>();
}
