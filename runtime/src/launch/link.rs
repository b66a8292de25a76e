//! The link of a child to its parent: the channel that its order came by and its answer goes by.

use std::sync::{Arc, Mutex, PoisonError};

use crate::sys::channel::Channel;

static LINK: Mutex<Option<Arc<Channel>>> = Mutex::new(None);

/// Makes this the link. One that was there is that of the process which this one is a copy of.
pub(crate) fn connect(channel: Channel) -> Arc<Channel> {
    let channel = Arc::new(channel);
    *LINK.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&channel));
    channel
}

/// The link, in a child of this library.
pub(crate) fn current() -> Option<Arc<Channel>> {
    LINK.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
