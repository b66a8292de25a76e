//! [`SharedMemory`]: bytes that processes share.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::block::{self, Block, Taking, invalid, outside};
use super::{Atomic, Builder, Cursor, FreezeError, SharedView, copy, named};
use crate::Bytes;
use crate::process::exit;
use crate::process::watcher::Offer;
use crate::sys::memory::Mapping;
use crate::sys::seal::{self, Seal};
use crate::sys::{borrow, fork};
use crate::wire::attachment;

/// Bytes that processes share.
///
/// A handle: its clones, and those that travelled to other processes, are of the same memory, which is there as long as one of
/// them. The memory has no name unless it is given one; see [`shm`](crate::shm) for what that means.
///
/// ```
/// use offspring::shm::SharedMemory;
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
///
/// fn work(memory: SharedMemory) -> std::io::Result<()> {
///     memory.write_at(4, b"from the child")?;
///     memory.atomics::<AtomicU32>(0, 1)?[0].fetch_add(1, Relaxed);
///     Ok(())
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let memory = SharedMemory::create(1 << 20)?;
///     let child = offspring::spawn(|memory| work(memory).unwrap(), (memory.clone(),))?;
///     child.join()?;
///     let mut text = [0; 14];
///     memory.read_at(4, &mut text)?;
///     assert_eq!(&text, b"from the child");
///     assert_eq!(memory.atomics::<AtomicU32>(0, 1)?[0].load(Relaxed), 1);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
#[doc(alias = "shm_open")]
#[doc(alias = "memfd")]
pub struct SharedMemory {
    held: Arc<Held>,
    taking: Taking,
    name: Option<Arc<Name>>,
}

/// What the clones have in common.
struct Held {
    block: Block,
    /// When it was made, if no other process was ever given it: it is another moment in a copy of this one, and after it.
    made: Option<u64>,
    travelled: AtomicBool,
}

#[derive(Debug)]
struct Name {
    text: String,
    /// Where the memory was made.
    _offer: Option<Offer>,
}

impl SharedMemory {
    /// Makes memory of this many bytes, all zero, without a name.
    ///
    /// # Errors
    /// Those of [`Builder::create`].
    pub fn create(length: usize) -> io::Result<Self> {
        Self::builder().create(length)
    }

    /// Makes memory with a name, or otherwise than usual.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The memory that another process, or this one, has made with a name. Nothing that is done with it, or to this process, takes the name away.
    ///
    /// # Errors
    /// `NotFound` when there is none, or the process that made it has ended; `InvalidInput` when it is no name; `TimedOut` when the
    /// process does not answer for ten seconds, because it is stopped; those of the system.
    pub fn open(name: &str) -> io::Result<Self> {
        let block = Block::from_object(named::open(name)?)?;
        let name = Name { text: name.to_owned(), _offer: None };
        Ok(Self { name: Some(Arc::new(name)), ..Self::arrived(block) })
    }

    pub(super) fn make(length: usize, taking: Taking, name: Option<String>) -> io::Result<Self> {
        let block = Block::new(length, taking)?;
        let offer = |text: String| {
            let offer = named::offer(&text, &block.object)?;
            io::Result::Ok(Arc::new(Name { text, _offer: Some(offer) }))
        };
        let name = name.map(offer).transpose()?;
        exit::prepare_copies(); // which count
        let made = name.is_none().then(fork::generation);
        let held = Held { block, made, travelled: AtomicBool::new(false) };
        Ok(Self { held: Arc::new(held), taking, name })
    }

    fn arrived(block: Block) -> Self {
        let held = Held { block, made: None, travelled: AtomicBool::new(true) };
        Self { held: Arc::new(held), taking: Taking::default(), name: None }
    }

    pub(super) fn mapping(&self) -> &Mapping {
        &self.held.block.mapping
    }

    /// How many bytes this handle shows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mapping().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name, in handles that were made or opened with it and in their clones; what arrives in another process has none.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref().map(|name| name.text.as_str())
    }

    /// Copies bytes out of the memory. Should somebody write them meanwhile, some are old and some new.
    ///
    /// # Errors
    /// `InvalidInput` when they are not all within the memory.
    pub fn read_at(&self, offset: usize, into: &mut [u8]) -> io::Result<()> {
        self.check(offset, into.len())?;
        copy::load(self.mapping(), offset, into);
        Ok(())
    }

    /// Copies bytes into the memory.
    ///
    /// # Errors
    /// `InvalidInput` when they do not all fit, and then none are written.
    pub fn write_at(&self, offset: usize, from: &[u8]) -> io::Result<()> {
        self.check(offset, from.len())?;
        copy::store(self.mapping(), offset, from);
        Ok(())
    }

    /// Atomic numbers that lie side by side in the memory.
    ///
    /// # Errors
    /// `InvalidInput` when they are not all within the memory, or the offset is no multiple of their size.
    pub fn atomics<A: Atomic>(&self, offset: usize, count: usize) -> io::Result<&[A]> {
        let length = count.saturating_mul(size_of::<A>());
        self.check(offset, length)?;
        if offset % align_of::<A>() != 0 {
            let align = align_of::<A>();
            return Err(invalid(format!(
                "atomics of {align} bytes cannot begin at {offset}: take a multiple"
            )));
        }
        Ok(self.mapping().slice(offset, count))
    }

    fn check(&self, offset: usize, count: usize) -> io::Result<()> {
        let within = offset.checked_add(count).is_some_and(|end| end <= self.len());
        if within { Ok(()) } else { Err(outside(offset, count, self.len())) }
    }

    /// The bytes themselves, while nobody else has them: the memory was made in this process without a name, and no handle was
    /// cloned, sent or lent. As [`Arc::get_mut`].
    ///
    /// For filling a memory before it is shared:
    ///
    /// ```
    /// use offspring::shm::SharedMemory;
    ///
    /// let mut memory = SharedMemory::create(1000)?;
    /// memory.get_mut().unwrap().fill(7);
    /// let clone = memory.clone();
    /// assert!(memory.get_mut().is_none());
    /// # drop(clone);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> Option<&mut [u8]> {
        let held = Arc::get_mut(&mut self.held)?;
        let alone = held.made == Some(fork::generation()) && !*held.travelled.get_mut();
        alone.then(|| held.block.mapping.bytes_mut())
    }

    /// Reads and writes the memory as a file that has this length.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_, Self> {
        Cursor::new(self)
    }

    /// Makes the memory longer; the new bytes are zero. This handle shows all of it, others as much as before until they
    /// [`refresh`](Self::refresh).
    ///
    /// Memory never becomes shorter, for a process that has it mapped would be ended by its next access: make another, and copy.
    ///
    /// # Errors
    /// `InvalidInput` when the memory is longer already, also because another process made it so; those of [`Builder::create`].
    pub fn resize(&mut self, length: usize) -> io::Result<()> {
        let now = block::length(&self.held.block.object)?;
        if length < now {
            return Err(invalid(format!(
                "shared memory of {now} bytes does not become shorter: make another, and copy what is to stay"
            )));
        }
        if length > self.len() {
            let mapping = self.held.block.grown(length, self.taking)?;
            self.remap(mapping)?;
        }
        Ok(())
    }

    /// Shows what other handles have added to the memory with [`resize`](Self::resize).
    ///
    /// # Errors
    /// Those of the system.
    pub fn refresh(&mut self) -> io::Result<()> {
        let now = block::length(&self.held.block.object)?;
        if now > self.len() {
            let mapping = Mapping::new(&self.held.block.object, 0, now)?;
            self.remap(mapping)?;
        }
        Ok(())
    }

    fn remap(&mut self, mapping: Mapping) -> io::Result<()> {
        match Arc::get_mut(&mut self.held) {
            Some(held) => held.block.mapping = mapping,
            None => {
                let object = self.held.block.object.try_clone()?;
                let held = Held { block: Block { object, mapping }, made: None, travelled: true.into() };
                self.held = Arc::new(held);
            }
        }
        Ok(())
    }

    /// A handle through which the memory can be read and not written, here and wherever it is sent.
    ///
    /// # Errors
    /// Those of the system. On Linux it needs `/proc`.
    pub fn view(&self) -> io::Result<SharedView> {
        self.held.travelled.store(true, Relaxed);
        SharedView::of(&self.held.block.object)
    }

    /// Makes the bytes immutable for ever, for everybody, and so plain bytes: `&[u8]`.
    ///
    /// What it returns travels without a copy: each process that receives it reads the same memory. Views see the same bytes; a
    /// handle that is still on its way arrives as an error. A name is given up.
    ///
    /// ```
    /// use offspring::Bytes;
    /// use offspring::shm::SharedMemory;
    ///
    /// #[offspring::main]
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut image = SharedMemory::create(1 << 20)?;
    ///     image.get_mut().unwrap().fill(1); // a decoder would write here
    ///     let image: Bytes = image.freeze()?;
    ///     let sum = |part: Bytes| part.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    ///     let quarter = image.len() / 4;
    ///     let parts = (0..4).map(|index| image.slice(index * quarter..(index + 1) * quarter));
    ///     let workers: Vec<_> = parts.map(|part| offspring::spawn(sum, (part,))).collect();
    ///     for worker in workers {
    ///         assert_eq!(worker?.join()?, 1 << 18);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// `ResourceBusy` while there is another handle, in this process or another, through which the memory could be written. The error has this one.
    pub fn freeze(self) -> Result<Bytes, FreezeError> {
        let Self { held, taking, name } = self;
        match Arc::try_unwrap(held) {
            Ok(held) => {
                let Held { block: Block { object, mapping }, .. } = held;
                drop(name);
                drop(mapping); // it is one that could write
                FreezeError::or(object)
            }
            Err(held) => Err(FreezeError::cloned(Self { held, taking, name })),
        }
    }

    /// Memory whose freezing failed.
    pub(super) fn thawed(object: crate::sys::Object) -> io::Result<Self> {
        Block::from_object(object).map(Self::arrived)
    }
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory")
            .field("length", &self.len())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl Serialize for SharedMemory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.held.travelled.store(true, Relaxed);
        attachment::write(borrow(&self.held.block.object), serializer)
    }
}

impl<'de> Deserialize<'de> for SharedMemory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let arrived = |object| {
            // Values of a type must not be written as bytes.
            if seal::is_sealed(&object, Seal::Resizing)? && !seal::is_sealed(&object, Seal::Writing)? {
                return Err(invalid("what arrived is a shared value or slice, and no `SharedMemory`"));
            }
            Block::from_object(object).map(Self::arrived)
        };
        arrived(attachment::read(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for SharedMemory {
    /// The memory file.
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.held.travelled.store(true, Relaxed);
        borrow(&self.held.block.object)
    }
}
