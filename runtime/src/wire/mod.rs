//! The wire: how values become bytes, and how bytes become messages.
//!
//! [`codec`] turns a value into bytes and back. [`parcel`] does so with what travels beside the bytes: the objects of
//! [`attachment`], the buffers of [`bytes`](mod@bytes). [`envelope`] puts a header, a parcel and objects into one message
//! of a [`Channel`](crate::sys::channel::Channel); what is too large for a message goes out of line into a
//! [`blob`](crate::sys::blob) that the message carries, so that nobody ever blocks on a reader who is not there yet. [`fingerprint`] tells
//! types apart that both sides have to mean.

pub mod attachment;
pub mod bytes;
pub(crate) mod codec;
pub(crate) mod envelope;
pub(crate) mod fingerprint;
pub(crate) mod parcel;
#[cfg(any(test, fuzzing))]
pub(crate) mod specimen;
