//! The wire: how values become bytes, and how bytes become messages.
//!
//! [`codec`] turns a value into bytes and back. [`envelope`] puts a header, a payload and descriptors into one message
//! of a [`Channel`](crate::sys::channel::Channel); what is too large for a message goes out of line into a
//! [`blob`](crate::sys::blob) that the message carries, so that nobody ever blocks on a reader who is not there yet.

pub(crate) mod codec;
pub(crate) mod envelope;
