//! How a process ended, for those who have a handle of it and are not its parent.
//!
//! The system tells a status to the parent alone. So the parent, once it has [handles](super::ProcessHandle) made of a child, holds one
//! end of a socket pair, into which it says the status when it has reaped the child; the other end travels with the
//! handles. All look at the one message, and nobody takes it. A parent that ends without a word closes its end, and that is seen.

use std::io;

use crate::sys::channel::{Channel, Peeked};
use crate::sys::poller::Sentinel;
use crate::sys::{Borrowed, ExitStatus, Object, borrow};

/// The parent's side.
#[derive(Debug)]
pub(crate) struct Author {
    ours: Channel,
    theirs: Object,
}

/// Everybody else's.
#[derive(Debug)]
pub(crate) struct Reader(Channel);

/// What a look finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    NotYet,
    Status(ExitStatus),
    /// The parent is gone, and has not told.
    Never,
}

impl Author {
    pub(crate) fn new() -> io::Result<Self> {
        let (ours, theirs) = Channel::pair()?;
        Ok(Self { ours, theirs })
    }

    /// One more who will be told.
    pub(crate) fn reader(&self) -> io::Result<Reader> {
        Reader::from_object(borrow(&self.theirs).try_clone_to_owned()?)
    }

    /// Tells all.
    pub(crate) fn tell(self, status: ExitStatus) -> io::Result<()> {
        self.ours.try_send(&[&encode(status).to_ne_bytes()], &[]).map(drop)
    }
}

impl Reader {
    /// Takes one that travelled.
    pub(crate) fn from_object(object: Object) -> io::Result<Self> {
        Channel::from_object(object).map(Self)
    }

    /// As what can travel.
    pub(crate) fn object(&self) -> Borrowed<'_> {
        borrow(self.0.object())
    }

    /// What becomes ready when there is something to look at.
    pub(crate) fn sentinel(&self) -> Sentinel<'_> {
        self.0.sentinel()
    }

    pub(crate) fn look(&self) -> io::Result<Told> {
        Ok(match self.0.peek()? {
            Peeked::Empty => Told::NotYet,
            Peeked::Closed => Told::Never,
            Peeked::Message(word) => Told::Status(decode(word)),
        })
    }
}

/// A status as one word: the number, and above it of what kind it is.
const EXITED: u32 = 1;
const SIGNALED: u32 = 2;
const DUMPED: u32 = 3;

pub(super) fn encode(status: ExitStatus) -> u64 {
    let (kind, number) = match status {
        ExitStatus::Exited(code) => (EXITED, code),
        ExitStatus::Signaled { signal, core_dumped: false } => (SIGNALED, signal),
        ExitStatus::Signaled { signal, core_dumped: true } => (DUMPED, signal),
        ExitStatus::Lost => (0, 0),
    };
    u64::from(kind) << 32 | u64::from(number as u32)
}

pub(super) fn decode(word: u64) -> ExitStatus {
    let number = (word & 0xFFFF_FFFF) as u32 as i32;
    match (word >> 32) as u32 {
        EXITED => ExitStatus::Exited(number),
        kind @ (SIGNALED | DUMPED) => ExitStatus::Signaled { signal: number, core_dumped: kind == DUMPED },
        _ => ExitStatus::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_read_as_it_was_written_as_often_as_one_likes() {
        let signaled = |core_dumped| ExitStatus::Signaled { signal: 11, core_dumped };
        for status in [ExitStatus::Exited(-1), signaled(true), signaled(false), ExitStatus::Lost] {
            let author = Author::new().unwrap();
            let (one, other) = (author.reader().unwrap(), author.reader().unwrap());
            assert_eq!(one.look().unwrap(), Told::NotYet);
            author.tell(status).unwrap();
            for reader in [&one, &other, &one] {
                assert_eq!(reader.look().unwrap(), Told::Status(status));
            }
        }
        let silent = Author::new().unwrap();
        let reader = silent.reader().unwrap();
        drop(silent);
        assert_eq!(reader.look().unwrap(), Told::Never);
    }
}
