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

/// What has been put beside the bytes while a value is packed.
#[derive(Debug, Default)]
struct Loaded {
    beside: Beside,
    refusal: Refusal,
}

/// What is left to be taken while a value is unpacked.
#[derive(Debug)]
struct Remaining {
    objects: Vec<Option<Object>>,
    buffers: Vec<Option<bytes::Bytes>>,
    refusal: Refusal,
}

/// Why an object or a buffer could not be put or taken: the format says only that something could not.
type Refusal = Option<String>;

thread_local! {
    static LOADING: RefCell<Option<Loaded>> = const { RefCell::new(None) };
    static UNLOADING: RefCell<Option<Remaining>> = const { RefCell::new(None) };
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
    let (bytes, loaded) = during(&LOADING, Loaded::default(), || Wire::encode_into(value, buffer))?;
    let Loaded { beside, refusal } = loaded.unwrap_or_default();
    Ok(Parcel { bytes: bytes.map_err(|error| explain(error, refusal))?, beside })
}

/// Makes a value of what a parcel held.
pub(crate) fn unpack<T: DeserializeOwned>(bytes: &[u8], beside: Beside) -> Result<T, CodecError> {
    let remaining = Remaining {
        objects: beside.objects.into_iter().map(Some).collect(),
        buffers: beside.buffers.into_iter().map(Some).collect(),
        refusal: None,
    };
    let (value, remaining) = during(&UNLOADING, remaining, || Wire::decode(bytes))?;
    value.map_err(|error| explain(error, remaining.and_then(|remaining| remaining.refusal)))
}

fn explain(error: CodecError, refusal: Refusal) -> CodecError {
    refusal.map_or(error, CodecError::new)
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

fn load<R>(action: impl FnOnce(&mut Beside) -> Result<R, String>) -> Option<Result<R, String>> {
    let noted = |loaded: &mut Loaded| note(&mut loaded.refusal, action(&mut loaded.beside));
    LOADING.try_with(|place| place.borrow_mut().as_mut().map(noted)).ok().flatten()
}

fn number<T>(list: &mut Vec<T>, item: T) -> Result<u32, String> {
    let number = u32::try_from(list.len()).map_err(|_| "too many handles in one value".to_owned())?;
    list.push(item);
    Ok(number)
}

/// Whether a value is being packed on this thread.
pub(super) fn is_loading() -> bool {
    LOADING.try_with(|place| place.borrow().is_some()).unwrap_or(false)
}

/// Whether a value is being unpacked on this thread.
pub(super) fn is_unloading() -> bool {
    UNLOADING.try_with(|place| place.borrow().is_some()).unwrap_or(false)
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
        let absent = || format!("the value names a {what} that did not come along, or names it twice");
        note(&mut remaining.refusal, taken.ok_or_else(absent))
    };
    let taken = UNLOADING.try_with(|place| place.borrow_mut().as_mut().map(take)).ok().flatten();
    taken.unwrap_or_else(|| Err(format!("a {what} can be read only from what offspring wrote")))
}

fn note<R>(refusal: &mut Refusal, result: Result<R, String>) -> Result<R, String> {
    if let Err(why) = &result {
        *refusal = Some(why.clone());
    }
    result
}
