//! Where a standard stream of a child goes.

use crate::launch::plan::Stream;
use crate::sys::{Object, above_standard, ambient};

/// Where a standard stream of a child goes.
///
/// Anything that owns a descriptor, such as a [`File`](std::fs::File) or a
/// [`TcpStream`](std::net::TcpStream), can be given where a `Stdio` is asked for.
#[derive(Debug)]
pub struct Stdio(Kind);

#[derive(Debug)]
enum Kind {
    Inherit,
    Piped,
    Null,
    Object(Object),
}

impl Stdio {
    /// Where the parent's goes at the start. The default.
    #[must_use]
    pub fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// Into a pipe, whose other end the [`Child`](crate::Child) has.
    ///
    /// A pipe holds 64 KiB: a child that writes more waits until somebody reads, so read before you join.
    #[must_use]
    pub fn piped() -> Self {
        Self(Kind::Piped)
    }

    /// To nowhere: reads end at once, writes vanish.
    #[must_use]
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    /// For one start: the child's end, and the parent's end of a pipe.
    pub(crate) fn open(&self, input: bool) -> std::io::Result<(Stream, Option<Object>)> {
        Ok(match &self.0 {
            Kind::Inherit => (Stream::Inherit, None),
            Kind::Null => (Stream::To(ambient::null_device()?), None),
            Kind::Object(object) => (Stream::To(above_standard(object.try_clone()?)?), None),
            Kind::Piped => {
                let (reader, writer) = ambient::pipe()?;
                let (theirs, ours) = if input { (reader, writer) } else { (writer, reader) };
                (Stream::To(theirs), Some(ours))
            }
        })
    }
}

impl<T: Into<Object>> From<T> for Stdio {
    fn from(object: T) -> Self {
        Self(Kind::Object(object.into()))
    }
}
