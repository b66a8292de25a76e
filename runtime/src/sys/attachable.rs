//! What of other crates' objects can travel.

use super::{Borrowed, Object};

/// What an [`Attachment`](crate::Attachment) can hold: what lends its descriptor (a handle, on Windows) and can be made
/// from one that is owned. Implemented for all such types.
pub trait Attachable: Sized {
    #[doc(hidden)]
    fn lend(&self) -> Borrowed<'_>;

    #[doc(hidden)]
    fn adopt(object: Object) -> Self;
}

#[cfg(unix)]
impl<T: std::os::fd::AsFd + From<std::os::fd::OwnedFd>> Attachable for T {
    fn lend(&self) -> Borrowed<'_> {
        self.as_fd()
    }

    fn adopt(object: Object) -> Self {
        object.into()
    }
}

#[cfg(windows)]
impl<T: std::os::windows::io::AsHandle + From<std::os::windows::io::OwnedHandle>> Attachable for T {
    fn lend(&self) -> Borrowed<'_> {
        self.as_handle()
    }

    fn adopt(object: Object) -> Self {
        object.into()
    }
}
