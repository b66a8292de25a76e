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

use std::cell::RefCell;
use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde::{Serialize, de, ser};

use super::codec::{Codec, CodecError, Wire};
use crate::sys::{Borrowed, Object};

/// What travels beside the bytes of a value.
#[derive(Debug, Default)]
pub struct Beside {
    pub(crate) objects: Vec<Object>,
    pub(crate) buffers: Vec<bytes::Bytes>,
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

/// What is left to be taken while a value is unpacked.
#[derive(Debug)]
struct Remaining {
    objects: Vec<Option<Object>>,
    buffers: Vec<Option<bytes::Bytes>>,
}

thread_local! {
    static LOADING: RefCell<Option<Beside>> = const { RefCell::new(None) };
    static UNLOADING: RefCell<Option<Remaining>> = const { RefCell::new(None) };
}

thread_local! {
    /// Why a part of the value that is being packed or unpacked cannot be: the format keeps no text of its errors.
    static REASON: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn because(why: impl Display) -> String {
    let why = why.to_string();
    let _thread_is_ending = REASON.try_with(|reason| reason.replace(Some(why.clone())));
    why
}

/// The error of a part of a value that cannot be written: it is said also where the serialiser's own error has no text.
pub(crate) fn unwritable<E: ser::Error>(why: impl Display) -> E {
    E::custom(because(why))
}

/// The error of a part of a value that cannot be read, as above.
pub(crate) fn unreadable<E: de::Error>(why: impl Display) -> E {
    E::custom(because(why))
}

/// Puts in what was said meanwhile about an error.
fn explained<T>(action: impl FnOnce() -> Result<T, CodecError>) -> Result<T, CodecError> {
    let take = || REASON.try_with(RefCell::take).ok().flatten();
    let _of_another_value = take();
    action().map_err(|error| take().map_or(error, CodecError::new))
}

/// Hangs something on the thread for the time of an action, and takes it back: also from an action that panics, and for an action within
/// an action.
fn during<T: 'static, R>(
    place: &'static std::thread::LocalKey<RefCell<Option<T>>>,
    content: T,
    action: impl FnOnce() -> R,
) -> Result<(R, Option<T>), CodecError> {
    struct Restore<T: 'static>(&'static std::thread::LocalKey<RefCell<Option<T>>>, Option<T>);
    impl<T> Drop for Restore<T> {
        fn drop(&mut self) {
            let before = self.1.take();
            let _thread_is_ending = self.0.try_with(|place| place.replace(before));
        }
    }
    let before = place.try_with(|place| place.replace(Some(content))).map_err(|_| ending())?;
    let _restore = Restore(place, before);
    let result = action();
    let content = place.try_with(RefCell::take).map_err(|_| ending())?;
    Ok((result, content))
}

fn ending() -> CodecError {
    CodecError::new("this thread is ending: its storage is gone")
}

/// Makes a parcel of a value.
pub(crate) fn pack<T: Serialize + ?Sized>(value: &T) -> Result<Parcel, CodecError> {
    pack_into(value, Vec::new())
}

/// Makes a parcel of a value in a buffer, which is emptied first.
pub(crate) fn pack_into<T: Serialize + ?Sized>(value: &T, buffer: Vec<u8>) -> Result<Parcel, CodecError> {
    explained(|| {
        let (bytes, beside) = during(&LOADING, Beside::default(), || Wire::encode_into(value, buffer))?;
        Ok(Parcel { bytes: bytes?, beside: beside.unwrap_or_default() })
    })
}

/// Makes a value of what a parcel held.
pub(crate) fn unpack<T: DeserializeOwned>(bytes: &[u8], beside: Beside) -> Result<T, CodecError> {
    let remaining = Remaining {
        objects: beside.objects.into_iter().map(Some).collect(),
        buffers: beside.buffers.into_iter().map(Some).collect(),
    };
    explained(|| during(&UNLOADING, remaining, || Wire::decode(bytes))?.0)
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
    LOADING.try_with(|place| place.borrow_mut().as_mut().map(action)).ok().flatten()
}

fn number<T>(list: &mut Vec<T>, item: T) -> Result<u32, String> {
    let number = u32::try_from(list.len()).map_err(|_| "too many handles in one value".to_owned())?;
    list.push(item);
    Ok(number)
}

/// Whether a value is being packed on this thread.
pub(super) fn is_loading() -> bool {
    load(|_| ()).is_some()
}

/// Whether a value is being unpacked on this thread.
pub(super) fn is_unloading() -> bool {
    unload(|_| ()).is_some()
}

/// Takes the object with a number.
pub(super) fn unload_object(number: u32) -> Result<Object, String> {
    take(unload(|remaining| take_from(&mut remaining.objects, number)))
}

/// Takes the buffer with a number.
pub(super) fn unload_buffer(number: u32) -> Result<bytes::Bytes, String> {
    take(unload(|remaining| take_from(&mut remaining.buffers, number)))
}

fn unload<R>(action: impl FnOnce(&mut Remaining) -> R) -> Option<R> {
    UNLOADING.try_with(|place| place.borrow_mut().as_mut().map(action)).ok().flatten()
}

fn take_from<T>(list: &mut [Option<T>], number: u32) -> Option<T> {
    list.get_mut(usize::try_from(number).ok()?)?.take()
}

fn take<T>(taken: Option<Option<T>>) -> Result<T, String> {
    match taken {
        Some(Some(item)) => Ok(item),
        Some(None) => Err("the value names a handle that did not come along, or twice".into()),
        None => Err("a handle can be read only from what offspring wrote".into()),
    }
}
