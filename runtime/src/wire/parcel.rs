//! Parcels: a value as bytes, and beside them what cannot be bytes or should not be copied into them.
//!
//! A value of any shape may hold kernel objects ([`Attachment`](super::attachment::Attachment), handles of ours) and large
//! buffers ([`Bytes`](super::bytes::Bytes)), in fields, collections and enums, at any depth. While a value is packed, each
//! of them puts itself **beside** the bytes and leaves its number in them; while it is unpacked, each takes what has its number.
//! That happens on one thread, between the beginning and the end of one call, so what is beside hangs on the thread for
//! as long. Anything else than [`pack`] that serialises such a value finds nothing hanging there, which is its error.
//!
//! An object beside the bytes is a duplicate: the value that was packed stays whole, whatever becomes of the parcel. A number
//! that the bytes repeat, or that nothing has, is an error of the value; what nobody takes is closed.

use std::cell::{Cell, RefCell};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{Codec, CodecError, Wire};
use crate::sys::{Borrowed, Object};

/// What travels beside the bytes of a value.
#[derive(Debug, Default)]
pub struct Beside {
    pub(crate) objects: Vec<Object>,
    pub(crate) buffers: Vec<bytes::Bytes>,
}

impl Beside {
    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts() == (0, 0)
    }

    /// How many objects there are, and buffers.
    fn counts(&self) -> (usize, usize) {
        (self.objects.len(), self.buffers.len())
    }
}

/// A value that is ready to travel.
#[derive(Debug, Default)]
pub struct Parcel {
    pub(crate) bytes: Vec<u8>,
    pub(crate) beside: Beside,
}

impl Parcel {
    /// How many bytes it brings.
    pub(crate) fn length(&self) -> usize {
        self.bytes.len() + self.beside.buffers.iter().map(bytes::Bytes::len).sum::<usize>()
    }
}

impl From<Vec<u8>> for Parcel {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, beside: Beside::default() }
    }
}

/// What is left to be taken while values are unpacked.
#[derive(Debug, Default)]
pub(crate) struct Remaining {
    objects: Vec<Option<Object>>,
    buffers: Vec<Option<bytes::Bytes>>,
}

impl Remaining {
    /// Whether nothing is left, and nothing was.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.buffers.is_empty()
    }
}

impl From<Beside> for Remaining {
    fn from(beside: Beside) -> Self {
        Self {
            objects: beside.objects.into_iter().map(Some).collect(),
            buffers: beside.buffers.into_iter().map(Some).collect(),
        }
    }
}

/// What hangs on a thread while a value is packed, or unpacked.
#[derive(Debug)]
struct Hook<T> {
    active: Cell<bool>,
    /// Whether there is something, or was: most values have nothing beside them, and pay for a look at this only.
    used: Cell<bool>,
    content: RefCell<T>,
}

thread_local! {
    static LOADING: Hook<Beside> = const {
        Hook::new(Beside { objects: Vec::new(), buffers: Vec::new() })
    };
    static UNLOADING: Hook<Remaining> = const {
        Hook::new(Remaining { objects: Vec::new(), buffers: Vec::new() })
    };
}

impl<T: Default> Hook<T> {
    const fn new(content: T) -> Self {
        Self { active: Cell::new(false), used: Cell::new(false), content: RefCell::new(content) }
    }

    /// Hangs something up until drop of what this returns: also within the time of another.
    #[inline]
    fn hang(&self, content: Option<T>) -> Hanging<'_, T> {
        let outer = if self.active.replace(true) { Some(self.put_aside()) } else { None };
        if let Some(content) = content {
            self.used.set(true);
            self.content.replace(content);
        }
        Hanging { hook: self, outer }
    }

    #[cold]
    #[expect(clippy::unnecessary_box_returns, reason = "what is returned is to be a word")]
    fn put_aside(&self) -> Box<(bool, T)> {
        Box::new((self.used.replace(false), self.content.take()))
    }

    /// Does something with what hangs here, if something does.
    fn with<R>(&self, action: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.active.get().then(|| {
            self.used.set(true);
            action(&mut self.content.borrow_mut())
        })
    }
}

/// Something hangs on the thread.
struct Hanging<'a, T: Default> {
    hook: &'a Hook<T>,
    /// What hung there before: seldom anything, and then elsewhere, so that this is quick to move.
    outer: Option<Box<(bool, T)>>,
}

impl<T: Default> Drop for Hanging<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.hook.active.set(self.outer.is_some());
        if self.outer.is_some() || self.hook.used.get() {
            self.take_down();
        }
    }
}

impl<T: Default> Hanging<'_, T> {
    #[cold]
    fn take_down(&mut self) {
        let (used, content) = self.outer.take().map(|outer| *outer).unwrap_or_default();
        self.hook.used.set(used);
        drop(self.hook.content.replace(content));
    }
}

fn ending() -> CodecError {
    CodecError::new("this thread is ending: its storage is gone")
}

/// Whether this thread packs a value, which goes to another process of this machine.
pub(crate) fn is_packing() -> bool {
    LOADING.try_with(|hook| hook.active.get()).unwrap_or_default()
}

/// Makes a parcel of a value.
pub(crate) fn pack<T: Serialize + ?Sized>(value: &T) -> Result<Parcel, CodecError> {
    let mut parcel = Parcel::default();
    pack_into(value, &mut parcel)?;
    Ok(parcel)
}

/// Makes a parcel of a value, in the place of one that was.
pub(crate) fn pack_into<T: Serialize + ?Sized>(value: &T, parcel: &mut Parcel) -> Result<(), CodecError> {
    let pack = |hook: &Hook<Beside>| {
        let _hanging = hook.hang(None);
        Wire::encode_into(value, &mut parcel.bytes)?;
        if hook.used.get() {
            parcel.beside = hook.content.take();
        }
        Ok(())
    };
    LOADING.try_with(pack).map_err(|_| ending())?
}

/// Adds a value to a parcel, behind what is in it. One that cannot be encoded leaves the parcel as it was.
#[inline]
pub(crate) fn pack_behind<T: Serialize + ?Sized>(value: &T, parcel: &mut Parcel) -> Result<(), CodecError> {
    packing(parcel, |packer| packer.add(value))?
}

/// Adds values to a parcel, one after the other.
pub(crate) struct Packer<'a> {
    pub(crate) bytes: &'a mut Vec<u8>,
    hook: &'a Hook<Beside>,
}

impl Packer<'_> {
    /// Adds a value. One that cannot be encoded leaves the parcel as it was.
    #[inline]
    pub(crate) fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        let length = self.bytes.len();
        let beside = if self.hook.used.get() { self.hook.content.borrow().counts() } else { (0, 0) };
        let packed = Wire::append(value, self.bytes);
        if packed.is_err() {
            self.bytes.truncate(length);
            let mut content = self.hook.content.borrow_mut();
            content.objects.truncate(beside.0);
            content.buffers.truncate(beside.1);
        }
        packed
    }
}

/// Does something that adds values to a parcel. It must run nobody's code but that of the values.
#[inline]
pub(crate) fn packing<R>(
    parcel: &mut Parcel,
    action: impl FnOnce(&mut Packer<'_>) -> R,
) -> Result<R, CodecError> {
    let content = (!parcel.beside.is_empty()).then(|| std::mem::take(&mut parcel.beside));
    let pack = |hook: &Hook<Beside>| {
        let _hanging = hook.hang(content);
        let done = action(&mut Packer { bytes: &mut parcel.bytes, hook });
        if hook.used.get() {
            parcel.beside = hook.content.take();
        }
        done
    };
    LOADING.try_with(pack).map_err(|_| ending())
}

/// Makes a value of some of the bytes of a parcel, with what is left of what was beside them.
#[inline]
pub(crate) fn unpack_part<T: DeserializeOwned>(
    bytes: &[u8],
    remaining: &mut Remaining,
) -> Result<T, CodecError> {
    unpacking(remaining, || Wire::decode(bytes))?
}

/// Does something that decodes values with what is left of what was beside their bytes. It must run nobody's code but that of
/// the values.
#[inline]
pub(crate) fn unpacking<R>(remaining: &mut Remaining, action: impl FnOnce() -> R) -> Result<R, CodecError> {
    if remaining.is_empty() {
        let unpack = |hook: &Hook<Remaining>| {
            let _hanging = hook.hang(None);
            action()
        };
        return UNLOADING.try_with(unpack).map_err(|_| ending());
    }
    let content = std::mem::take(remaining);
    let unpack = |hook: &Hook<Remaining>| {
        let _hanging = hook.hang(Some(content));
        // What a panic leaves belongs to the values behind this one.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(action));
        *remaining = hook.content.take();
        done.unwrap_or_else(|cause| std::panic::resume_unwind(cause))
    };
    UNLOADING.try_with(unpack).map_err(|_| ending())
}

/// Makes a value of what a parcel held.
pub(crate) fn unpack<T: DeserializeOwned>(bytes: &[u8], beside: &mut Beside) -> Result<T, CodecError> {
    let nothing = beside.objects.is_empty() && beside.buffers.is_empty();
    let remaining = (!nothing).then(|| std::mem::take(beside).into());
    let unpack = |hook: &Hook<Remaining>| {
        let _hanging = hook.hang(remaining);
        Wire::decode(bytes)
    };
    UNLOADING.try_with(unpack).map_err(|_| ending())?
}

/// Puts an object beside the bytes that are being written: its number.
pub(super) fn load_object(object: Borrowed<'_>) -> Result<u32, String> {
    let duplicate =
        || object.try_clone_to_owned().map_err(|error| format!("cannot duplicate a handle: {error}"));
    load(|beside| number(&mut beside.objects, duplicate()?)).unwrap_or_else(|| {
        Err("a handle travels only between processes of offspring, in its channels and calls".into())
    })
}

/// Puts a buffer beside the bytes that are being written: its number. `None` if it is written by others than us.
pub(super) fn load_buffer(buffer: &bytes::Bytes) -> Option<Result<u32, String>> {
    load(|beside| number(&mut beside.buffers, buffer.clone()))
}

fn load<R>(action: impl FnOnce(&mut Beside) -> R) -> Option<R> {
    LOADING.try_with(|hook| hook.with(action)).ok().flatten()
}

fn number<T>(list: &mut Vec<T>, item: T) -> Result<u32, String> {
    let number = u32::try_from(list.len()).map_err(|_| "too many handles in one value".to_owned())?;
    list.push(item);
    Ok(number)
}

/// Whether a value is being packed on this thread.
pub(super) fn is_loading() -> bool {
    LOADING.try_with(|hook| hook.active.get()).unwrap_or(false)
}

/// Whether a value is being unpacked on this thread.
pub(super) fn is_unloading() -> bool {
    UNLOADING.try_with(|hook| hook.active.get()).unwrap_or(false)
}

/// Takes the object with a number.
pub(super) fn unload_object(number: u32) -> Result<Object, String> {
    unload("handle", number, |remaining| &mut remaining.objects)
}

/// Takes the buffer with a number.
pub(super) fn unload_buffer(number: u32) -> Result<bytes::Bytes, String> {
    unload("buffer", number, |remaining| &mut remaining.buffers)
}

fn unload<T>(
    what: &str,
    number: u32,
    list: impl FnOnce(&mut Remaining) -> &mut Vec<Option<T>>,
) -> Result<T, String> {
    let take = |remaining: &mut Remaining| {
        let place = usize::try_from(number).ok().and_then(|number| list(remaining).get_mut(number));
        let taken = place.and_then(Option::take);
        taken.ok_or_else(|| format!("the value names a {what} that did not come along, or names it twice"))
    };
    let taken = UNLOADING.try_with(|hook| hook.with(take)).ok().flatten();
    taken.unwrap_or_else(|| Err(format!("a {what} can be read only from what offspring wrote")))
}
