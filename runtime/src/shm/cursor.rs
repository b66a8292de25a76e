//! [`Cursor`]: shared memory as something to read from and write to in sequence.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::{SharedMemory, SharedView};

/// A place in shared memory, from which to read and at which to write: [`SharedMemory::cursor`], [`SharedView::cursor`].
///
/// It ends with the memory: there a read returns 0, as at the end of a file, and so does a write, as in a full slice.
///
/// ```
/// use offspring::shm::SharedMemory;
/// use std::io::{Read, Seek, Write};
///
/// let memory = SharedMemory::create(11)?;
/// let mut cursor = memory.cursor();
/// write!(cursor, "one {} three", 2)?;
/// assert!(cursor.write_all(b"four").is_err());
/// cursor.rewind()?;
/// let mut text = String::new();
/// cursor.read_to_string(&mut text)?;
/// assert_eq!(text, "one 2 three");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cursor<'a, M> {
    memory: &'a M,
    position: u64,
}

impl<'a, M> Cursor<'a, M> {
    pub(super) fn new(memory: &'a M) -> Self {
        Self { memory, position: 0 }
    }

    /// Where it is, in bytes from the beginning.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// How many of this many bytes there are from here on, and where.
    fn range(&self, length: usize, wanted: usize) -> (usize, usize) {
        let start = usize::try_from(self.position).map_or(length, |position| position.min(length));
        (start, wanted.min(length - start))
    }

    fn seek_in(&mut self, length: usize, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => (length as u64).checked_add_signed(by),
        };
        self.position = position.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a position before the beginning of shared memory")
        })?;
        Ok(self.position)
    }
}

macro_rules! readable {
    ($($memory:ty)*) => {$(
        impl Read for Cursor<'_, $memory> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let (start, count) = self.range(self.memory.len(), into.len());
                self.memory.read_at(start, &mut into[..count])?;
                self.position += count as u64;
                Ok(count)
            }
        }

        impl Seek for Cursor<'_, $memory> {
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                self.seek_in(self.memory.len(), to)
            }
        }
    )*};
}

readable!(SharedMemory SharedView);

impl Write for Cursor<'_, SharedMemory> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let (start, count) = self.range(self.memory.len(), from.len());
        self.memory.write_at(start, &from[..count])?;
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
