//! What the tasks of the soak do, and which outcomes that explains.

use std::fs::File;
use std::process::abort;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use offspring::pool::{TaskError, TaskFailure, with_state};
use offspring::shm::SharedSlice;
use offspring::{Attachment, Bytes, ExitStatus, Fork, Pool, Sender};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dice::Dice;

/// Where every begun call is counted: in the upper half of a word the round that it belongs to, in the lower half the calls.
pub(crate) type Counts = SharedSlice<AtomicU64>;

/// Whether this is the process that has the pools.
pub(crate) static IS_PARENT: AtomicBool = AtomicBool::new(false);

/// How long a task may take in the pools that have a limit.
pub(crate) const LIMIT: Duration = Duration::from_secs(1);

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Deed {
    Answer,
    /// Computes for so many microseconds.
    Compute(u32),
    Panic,
    /// Panics with something whose destructor panics.
    PanicTwice,
    Exit(u8),
    Abort,
    /// Never ends by itself.
    Hang,
    RefuseArgument,
    SpoilArgument,
    RefuseResult,
    SpoilResult,
    /// Leaves a thread behind that runs on.
    LeaveThread,
    /// Makes a copy of the worker that returns as well.
    Fork,
    /// Uses a pool of its own.
    Nest,
}

impl Deed {
    /// Mostly harmless; one in `harm` is not. `slow` says whether somebody ends those that hang.
    pub(crate) fn any(dice: &mut Dice, harm: u64, slow: bool) -> Self {
        if !dice.one_in(harm) {
            return if dice.one_in(50) { Self::Compute(dice.below(300) as u32) } else { Self::Answer };
        }
        match dice.below(26) {
            0..4 => Self::Panic,
            4..6 => Self::PanicTwice,
            6..9 => Self::Exit(dice.below(256) as u8),
            9..11 => Self::Abort,
            11 if slow => Self::Hang,
            12..14 => Self::RefuseArgument,
            14..16 => Self::SpoilArgument,
            16..18 => Self::RefuseResult,
            18..20 => Self::SpoilResult,
            20..22 => Self::LeaveThread,
            22 => Self::Fork,
            23 if dice.one_in(4) => Self::Nest,
            _ => Self::Compute(dice.below(20_000) as u32),
        }
    }
}

/// An argument or a result that some deeds spoil on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Burden(pub(crate) Deed);

impl Serialize for Burden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_parent = IS_PARENT.load(Ordering::Relaxed);
        match self.0 {
            Deed::RefuseArgument if is_parent => Err(S::Error::custom("refused")),
            Deed::RefuseResult if !is_parent => Err(S::Error::custom("refused")),
            deed => deed.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Burden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_parent = IS_PARENT.load(Ordering::Relaxed);
        match Deed::deserialize(deserializer)? {
            Deed::SpoilArgument if !is_parent => Err(D::Error::custom("spoilt")),
            Deed::SpoilResult if is_parent => Err(D::Error::custom("spoilt")),
            deed => Ok(Self(deed)),
        }
    }
}

/// The argument of a task.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) number: u64,
    /// Where its calls are counted, and in which round.
    pub(crate) place: u32,
    pub(crate) round: u32,
    pub(crate) burden: Burden,
}

/// What is right for a number.
pub(crate) fn right(number: u64) -> u64 {
    (number ^ 0x9E37_79B9_7F4A_7C15).rotate_left(23).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// The initializer of all workers.
#[allow(clippy::needless_pass_by_value)] // it is the state
pub(crate) fn begin(counts: Counts) -> Counts {
    counts
}

fn count(input: &Input) {
    with_state(|counts: &mut Counts| {
        // A straggler of a former round, whose task was cancelled, counts nowhere.
        let _not_of_this_round =
            counts[input.place as usize].fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                (word >> 32 == u64::from(input.round)).then_some(word + 1)
            });
    });
}

/// Panics of tasks that are to panic are not printed: they are many.
pub(crate) fn print_no_panic_that_is_meant() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let payload = info.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        let is_meant = payload.is::<Bomb>() || text.is_some_and(|text| text.starts_with("soak: "));
        if !is_meant {
            print(info);
        }
    }));
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("soak: twice");
    }
}

/// The task.
pub(crate) fn work(input: Input) -> (u64, Burden) {
    count(&input);
    match input.burden.0 {
        Deed::Compute(microseconds) => {
            let begun = std::time::Instant::now();
            while begun.elapsed() < Duration::from_micros(microseconds.into()) {
                std::hint::spin_loop();
            }
        }
        Deed::Panic => panic!("soak: {}", input.number),
        Deed::PanicTwice => std::panic::panic_any(Bomb),
        Deed::Exit(code) => std::process::exit(code.into()),
        Deed::Abort => abort(),
        Deed::Hang => loop {
            std::thread::park();
        },
        Deed::LeaveThread => {
            std::thread::spawn(|| std::thread::sleep(Duration::from_millis(20)));
        }
        Deed::Fork => fork(),
        Deed::Nest => {
            let pool = Pool::new(1).expect("a pool starts in a worker");
            let doubled = pool.try_map(|number: u64| number * 2, 0..10).expect("it works");
            assert_eq!(doubled[9], 18);
        }
        _ => {}
    }
    (right(input.number), input.burden)
}

#[allow(unsafe_code)]
fn fork() {
    // SAFETY: the copy returns to the pool's loop and ends there: the worker has one thread, or one that only sleeps.
    match unsafe { offspring::fork() }.expect("a worker can be copied") {
        Fork::Child => {}
        Fork::Parent(copy) => {
            let ended = offspring::waitpid(copy, true).expect("it can be waited for");
            assert_eq!(ended, Some(ExitStatus::Exited(0)));
        }
    }
}

/// A task with a handle as argument, and one as result.
#[allow(clippy::needless_pass_by_value)] // the handle is this process's
pub(crate) fn tell(number: u64, sender: Sender<u64>) -> Attachment<File> {
    sender.send(number).expect("the receiver is there");
    let (reader, mut writer) = offspring_tests::pipe();
    std::io::Write::write_all(&mut writer, &right(number).to_le_bytes()).expect("it fits");
    Attachment::new(reader)
}

/// A task with large arguments and results.
#[allow(clippy::needless_pass_by_value)] // as above
pub(crate) fn carry(bytes: Bytes, text: String) -> (Bytes, usize, String) {
    let sum = bytes.iter().map(|byte| usize::from(*byte)).sum();
    (bytes, sum, text + "!")
}

/// What became of tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) right: u64,
    /// Failed by what they did.
    pub(crate) own: u64,
    /// Lost with a worker that was killed.
    pub(crate) killed: u64,
    pub(crate) cancelled: u64,
    pub(crate) late: u64,
    /// Ended with their pool.
    pub(crate) ended: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.right += other.right;
        self.own += other.own;
        self.killed += other.killed;
        self.cancelled += other.cancelled;
        self.late += other.late;
        self.ended += other.ended;
    }

    pub(crate) fn sum(&self) -> u64 {
        self.right + self.own + self.killed + self.cancelled + self.late + self.ended
    }
}

/// What else may have become of a task.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fate {
    /// It was cancelled, or tried to be.
    pub(crate) cancelled: bool,
    /// Its pool kills tasks that take too long.
    pub(crate) limited: bool,
    /// Its pool was ended.
    pub(crate) pool_ended: bool,
    /// How often it may be begun anew.
    pub(crate) retries: u64,
}

fn is_a_kill(status: ExitStatus) -> bool {
    status
        .signal()
        .is_some_and(|signal| crate::foe::SIGNALS.iter().any(|(number, _)| *number as i32 == signal))
}

/// Whether a task that failed has failed of what it did.
fn is_own(deed: Deed, number: u64, failure: &TaskFailure) -> bool {
    match (deed, failure) {
        (Deed::Panic, TaskFailure::Panicked(panic)) => panic.message == format!("soak: {number}"),
        (Deed::PanicTwice, TaskFailure::Panicked(_)) => true,
        (Deed::Exit(code), TaskFailure::Ended(status)) => *status == ExitStatus::Exited(code.into()),
        (Deed::Abort, TaskFailure::Ended(status)) => status.signal() == Some(6),
        (Deed::RefuseArgument, TaskFailure::Argument(why))
        | (Deed::RefuseResult, TaskFailure::Output(why)) => why.contains("refused"),
        (Deed::SpoilArgument, TaskFailure::Argument(why)) | (Deed::SpoilResult, TaskFailure::Output(why)) => {
            why.contains("spoilt")
        }
        _ => false,
    }
}

/// Puts a failure that needs no deed to explain it where it belongs: whether that could be.
fn is_explained(tally: &mut Tally, failure: &TaskFailure, fate: Fate) -> bool {
    let counter = match failure {
        TaskFailure::Ended(status) if is_a_kill(*status) => &mut tally.killed,
        TaskFailure::Cancelled if fate.cancelled => &mut tally.cancelled,
        TaskFailure::TimedOut(limit) if fate.limited && *limit == LIMIT => &mut tally.late,
        TaskFailure::Pool(_) if fate.pool_ended => &mut tally.ended,
        _ => return false,
    };
    *counter += 1;
    true
}

/// Checks an outcome that only killing can spoil.
///
/// # Panics
/// When it is not right.
pub(crate) fn check_plain<R>(tally: &mut Tally, outcome: Result<R, TaskError>, fate: Fate) -> Option<R> {
    match outcome {
        Ok(value) => {
            tally.right += 1;
            Some(value)
        }
        Err(error) => {
            assert!(is_explained(tally, error.failure(), fate), "nothing explains this: {error}");
            None
        }
    }
}

/// Checks the outcome of a task, and how often it was begun.
///
/// # Panics
/// When it is not right.
pub(crate) fn check(
    tally: &mut Tally,
    counts: &Counts,
    input: &Input,
    outcome: Result<(u64, Burden), TaskError>,
    fate: Fate,
) {
    let deed = input.burden.0;
    let word = counts[input.place as usize].load(Ordering::Acquire);
    assert_eq!(word >> 32, u64::from(input.round), "the places of a round are its own");
    let begun = word & u64::from(u32::MAX);
    let (least, most) = match outcome {
        Ok(result) => {
            assert_eq!(result, (right(input.number), input.burden), "{input:?}");
            let fails =
                matches!(deed, Deed::Panic | Deed::PanicTwice | Deed::Exit(_) | Deed::Abort | Deed::Hang);
            let is_spoilt = matches!(
                deed,
                Deed::RefuseArgument | Deed::SpoilArgument | Deed::RefuseResult | Deed::SpoilResult
            );
            assert!(!fails && !is_spoilt, "{input:?} cannot have succeeded");
            tally.right += 1;
            (1, 1 + fate.retries)
        }
        Err(error) => {
            let failure = error.failure();
            if is_own(deed, input.number, failure) {
                tally.own += 1;
            } else {
                assert!(is_explained(tally, failure, fate), "nothing explains this of {input:?}: {error}");
            }
            match failure {
                TaskFailure::Argument(_) => (0, fate.retries),
                TaskFailure::Panicked(_) | TaskFailure::Output(_) => (1, 1 + fate.retries),
                _ => (0, 1 + fate.retries),
            }
        }
    };
    assert!((least..=most).contains(&begun), "{input:?} was begun {begun} times, with {fate:?}");
}
