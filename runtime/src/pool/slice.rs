//! Slices in shared memory that the workers of a pool work at where they lie.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize};

use super::Pool;
use super::board::MOST;
use super::error::{PoolError, TaskError, TaskFailure};
use super::pass::{Pace, Work, pass};
use crate::Shareable;
use crate::shm::SharedSlice;
use crate::shm::loan::{self, Exclusive, Loan, Unwritten};
use crate::sys::runtime::conjure;

/// How many bytes a range has at most, and how many elements: so many that to take it costs little, and so few that it does not matter
/// who has it if they suddenly take long.
const RANGE: usize = 16 * 1024;
const MOST_ELEMENTS: usize = 4096;

/// # Slices in place
///
/// Workers take ranges of memory that they share, and nothing is encoded. A range has about as many elements as take 20 µs, or
/// [`chunk_size`](super::Builder::chunk_size) of them if that was set, and fewer at the end. A call waits until all ranges are done; each worker takes part by one task.
///
/// If an element makes the function panic, it and those behind it in its range are not done; if it ends the worker, or takes longer than the
/// pool's [limit](super::Builder::task_timeout), nobody can say which elements of the range are. All other ranges are done, and the error says which
/// ranges are not. The limit holds for each range.
impl Pool {
    /// Changes each element of a slice, where it lies.
    ///
    /// ```
    /// use offspring::Pool;
    /// use offspring::shm::SharedSlice;
    ///
    /// #[offspring::main]
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let pool = Pool::new(2)?;
    ///     let mut samples = SharedSlice::from_fn(100_000, |index| index as u64)?;
    ///     pool.for_each_mut(|sample| *sample *= 3, &mut samples)?;
    ///     assert_eq!(samples[70_000], 210_000);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// Nobody else may have the slice, as for [`SharedSlice::get_mut`]: then it cannot be read anywhere while it changes. Whoever wants to
    /// watch shares a slice of atomics, and passes it to [`map_slice`](Self::map_slice).
    ///
    /// # Errors
    /// [`SliceError::Shared`] when the slice has a clone, or was sent. [`SliceError::Failed`] says which elements have not been changed, or not
    /// all; [`retries`](super::Builder::retries) do not count here, for what was changed would be changed again.
    pub fn for_each_mut<F, T>(&self, _function: F, slice: &mut SharedSlice<T>) -> Result<(), SliceError>
    where
        F: Fn(&mut T) + Copy + 'static,
        T: Shareable,
    {
        self.change::<EachMut<F, T>, T>(slice)
    }

    /// Changes a slice where it lies, range by range: the function gets the index of the first element, and the elements.
    ///
    /// For what is quicker done to many at once, or needs the index. Where ranges begin and end differs from call to call.
    ///
    /// ```
    /// use offspring::Pool;
    /// use offspring::shm::SharedSlice;
    ///
    /// #[offspring::main]
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let pool = Pool::new(2)?;
    ///     let mut squares = SharedSlice::<u64>::zeroed(1000)?;
    ///     let square = |start: usize, chunk: &mut [u64]| {
    ///         for (index, square) in (start as u64..).zip(chunk) {
    ///             *square = index * index;
    ///         }
    ///     };
    ///     pool.for_each_chunk_mut(square, &mut squares)?;
    ///     assert_eq!(squares[999], 998_001);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`for_each_mut`](Self::for_each_mut). After a panic none of the elements of its range count as done.
    pub fn for_each_chunk_mut<F, T>(&self, _function: F, slice: &mut SharedSlice<T>) -> Result<(), SliceError>
    where
        F: Fn(usize, &mut [T]) + Copy + 'static,
        T: Shareable,
    {
        self.change::<ChunkMut<F, T>, T>(slice)
    }

    /// Computes a new slice out of one, element by element.
    ///
    /// ```
    /// use offspring::Pool;
    /// use offspring::shm::SharedSlice;
    ///
    /// #[offspring::main]
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let pool = Pool::new(2)?;
    ///     let numbers = SharedSlice::from_fn(1000, |index| index as u32)?;
    ///     let roots: SharedSlice<f64> = pool.map_slice(|number| f64::from(*number).sqrt(), &numbers)?;
    ///     assert_eq!(roots[144], 12.0);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// The input may be shared by others, whose atomics change while they are read. The output is the caller's alone.
    ///
    /// # Errors
    /// [`SliceError::Failed`] says for which elements there is no result; a range whose worker ended is begun anew as often as the pool's
    /// [`retries`](super::Builder::retries) allow. To keep what was done all the same use [`map_slice_into`](Self::map_slice_into).
    pub fn map_slice<F, T, U>(
        &self,
        _function: F,
        input: &SharedSlice<T>,
    ) -> Result<SharedSlice<U>, SliceError>
    where
        F: Fn(&T) -> U + Copy + 'static,
        T: Shareable,
        U: Shareable,
    {
        let output = Unwritten::new(input.len()).map_err(PoolError::from)?;
        self.map_to::<F, T, U>(input, &output.lend())?;
        Ok(output.written())
    }

    /// As [`map_slice`](Self::map_slice), with the results in a slice that is there.
    ///
    /// ```
    /// use offspring::Pool;
    /// use offspring::shm::SharedSlice;
    ///
    /// #[offspring::main]
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let pool = Pool::new(2)?;
    ///     let input = SharedSlice::from_fn(1000, |index| index as u64)?;
    ///     let mut output = SharedSlice::zeroed(1000)?;
    ///     let inverse = |n: &u64| 1000 / n; // fails for the first
    ///     let error = pool.map_slice_into(inverse, &input, &mut output).unwrap_err();
    ///     assert_eq!(error.failed().first().unwrap().range().start, 0);
    ///     assert_eq!(output[500], 2);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`SliceError::Lengths`], [`SliceError::Shared`] when the output has a clone, or was sent, and as [`map_slice`](Self::map_slice):
    /// elements without a result have the old one, or one that was half written.
    pub fn map_slice_into<F, T, U>(
        &self,
        _function: F,
        input: &SharedSlice<T>,
        output: &mut SharedSlice<U>,
    ) -> Result<(), SliceError>
    where
        F: Fn(&T) -> U + Copy + 'static,
        T: Shareable,
        U: Shareable,
    {
        if input.len() != output.len() {
            return Err(SliceError::Lengths { input: input.len(), output: output.len() });
        }
        let output = Exclusive::of(output).ok_or(SliceError::Shared)?;
        self.map_to::<F, T, U>(input, &output.lend())
    }

    fn change<W: Work, T: Shareable>(&self, slice: &mut SharedSlice<T>) -> Result<(), SliceError> {
        let count = slice.len();
        let slice = Exclusive::of(slice).ok_or(SliceError::Shared)?;
        self.work::<W>(count, size_of::<T>(), 0, &slice.lend())
    }

    fn map_to<F, T, U>(&self, input: &SharedSlice<T>, output: &impl Serialize) -> Result<(), SliceError>
    where
        F: Fn(&T) -> U + Copy + 'static,
        T: Shareable,
        U: Shareable,
    {
        let size = size_of::<T>() + size_of::<U>();
        self.work::<Map<F, T, U>>(input.len(), size, self.retries, &(loan::lend(input), output))
    }

    fn work<W: Work>(
        &self,
        count: usize,
        size: usize,
        retries: u32,
        lent: &impl Serialize,
    ) -> Result<(), SliceError> {
        if count == 0 {
            return Ok(());
        }
        if count as u64 > MOST {
            return Err(PoolError::Invalid(format!("{count} elements are too many to be done")).into());
        }
        let most = (RANGE / size.max(1)).clamp(1, MOST_ELEMENTS) as u64;
        let pace = self.chunk_size.map_or(Pace::learnt(most), Pace::fixed);
        let failed = pass::<W>(self, count, pace, retries, lent)?;
        if failed.is_empty() { Ok(()) } else { Err(SliceError::Failed(failed)) }
    }
}

/// The work of [`Pool::for_each_mut`].
struct EachMut<F, T>(Loan<T>, PhantomData<F>);

impl<'de, F, T: Shareable> Deserialize<'de> for EachMut<F, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Loan::deserialize(deserializer).map(|slice| Self(slice, PhantomData))
    }
}

impl<F, T> Work for EachMut<F, T>
where
    F: Fn(&mut T) + Copy,
    T: Shareable,
{
    fn name() -> &'static str {
        type_name::<F>()
    }

    fn range(&mut self, range: Range<usize>, done: &mut usize) {
        let function = conjure::<F>();
        for element in self.0.change(range) {
            function(element);
            *done += 1;
        }
    }
}

/// The work of [`Pool::for_each_chunk_mut`].
struct ChunkMut<F, T>(Loan<T>, PhantomData<F>);

impl<'de, F, T: Shareable> Deserialize<'de> for ChunkMut<F, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Loan::deserialize(deserializer).map(|slice| Self(slice, PhantomData))
    }
}

impl<F, T> Work for ChunkMut<F, T>
where
    F: Fn(usize, &mut [T]) + Copy,
    T: Shareable,
{
    fn name() -> &'static str {
        type_name::<F>()
    }

    fn range(&mut self, range: Range<usize>, done: &mut usize) {
        let (start, count) = (range.start, range.len());
        conjure::<F>()(start, self.0.change(range));
        *done = count;
    }
}

/// The work of [`Pool::map_slice`].
struct Map<F, T, U>(Loan<T>, Loan<U>, PhantomData<F>);

impl<'de, F, T: Shareable, U: Shareable> Deserialize<'de> for Map<F, T, U> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (input, output) = Deserialize::deserialize(deserializer)?;
        Ok(Self(input, output, PhantomData))
    }
}

impl<F, T, U> Work for Map<F, T, U>
where
    F: Fn(&T) -> U + Copy,
    T: Shareable,
    U: Shareable,
{
    fn name() -> &'static str {
        type_name::<F>()
    }

    fn range(&mut self, range: Range<usize>, done: &mut usize) {
        let function = conjure::<F>();
        let input = self.0.read(range.clone());
        for (element, room) in input.iter().zip(self.1.fill(range)) {
            room.write(function(element));
            *done += 1;
        }
    }
}

/// Why not all elements of a slice were done.
///
/// ```
/// use offspring::pool::{Pool, SliceError, TaskFailure};
/// use offspring::shm::SharedSlice;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let pool = Pool::builder().workers(2).chunk_size(10).start()?;
///     let mut numbers = SharedSlice::from_fn(100, |index| index as u64)?;
///     let double = |n: &mut u64| *n = if *n == 42 { std::process::exit(7) } else { *n * 2 };
///     let Err(SliceError::Failed(failed)) = pool.for_each_mut(double, &mut numbers) else { panic!() };
///     assert!(failed.len() == 1 && failed[0].range().contains(&42));
///     assert!(matches!(failed[0].failure(), TaskFailure::Ended(status) if status.exitcode() == 7));
///     assert_eq!(numbers[99], 198);
///     Ok(())
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SliceError {
    /// Others may read the slice, which would change under their eyes.
    #[error(
        "the slice has a clone or was sent to another process, or this process was copied: only one that nobody else has can be changed in place, \
         such as a copy by `SharedSlice::from_slice`"
    )]
    Shared,
    /// Input and output have different lengths.
    #[error("there are {input} elements and room for {output} results: take slices of one length")]
    Lengths {
        /// How long the input is.
        input: usize,
        /// How long the output is.
        output: usize,
    },
    /// The pool could not begin; nothing was done.
    #[error("the pool cannot begin: {0}")]
    Pool(#[from] PoolError),
    /// These ranges, in order, were not done, or not all of them; all others were.
    #[error("{}", several(.0))]
    Failed(Vec<RangeError>),
}

impl SliceError {
    /// The ranges that failed: none if nothing was begun.
    #[must_use]
    pub fn failed(&self) -> &[RangeError] {
        match self {
            Self::Failed(failed) => failed,
            _ => &[],
        }
    }
}

fn several(failed: &[RangeError]) -> String {
    let Some((first, others)) = failed.split_first() else { return "nothing failed".into() };
    match others.len() {
        0 => first.to_string(),
        others => format!("{first}; {others} more of the ranges failed"),
    }
}

/// Why a range of a slice was not done, or not all of it.
#[derive(Clone, Debug)]
pub struct RangeError {
    range: Range<usize>,
    error: TaskError,
}

impl RangeError {
    pub(super) fn new(range: Range<u64>, error: TaskError) -> Self {
        // They are within a slice of this process.
        #[allow(clippy::cast_possible_truncation)]
        let range = range.start as usize..range.end as usize;
        Self { range, error }
    }

    /// Which elements. After a panic none of them was done but the first, in part; otherwise nobody can say which.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// What happened to the task that was at them, and in which worker.
    #[must_use]
    pub fn error(&self) -> &TaskError {
        &self.error
    }

    /// What happened.
    #[must_use]
    pub fn failure(&self) -> &TaskFailure {
        self.error.failure()
    }
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "elements {}..{}: {}", self.range.start, self.range.end, self.error)
    }
}

impl std::error::Error for RangeError {}
