//! What the pool and its workers say to each other: a head of fixed length, and calls or answers one after the other.
//!
//! A call is the length of its arguments and the arguments, an answer the length of its outcome and the outcome, so that one that
//! cannot be decoded does not take the next ones along. A message of the pool is a head and the calls of one job; a message of a worker is one
//! **record** or several, each a head and answers of one job.

use super::measure::{Longest, Measured};
use crate::wire::parcel::Parcel;

/// The length of a head, in bytes.
pub(super) const HEAD: usize = 72;
/// The length of a length.
pub(super) const LENGTH: usize = 4;

/// The head of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct JobHead {
    /// Where the function lies in the program's image.
    pub(super) function: u64,
    pub(super) job: u64,
    /// How many calls.
    pub(super) count: u64,
    /// The number of the first of them.
    pub(super) first: u64,
    /// Its claim on the desk.
    pub(super) claim: u64,
    /// Whether its calls have a time limit.
    pub(super) limited: bool,
    /// Whether its answers may be kept until there are others.
    pub(super) leisurely: bool,
    /// What is logged in it, and where that stands: a [`Context`](crate::trace::Context).
    pub(super) trace: u64,
}

/// What a message of a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The worker is there.
    Ready = 1,
    /// Answers.
    Answers = 2,
    /// The last answers of a job.
    Done = 3,
    /// What the worker's exit function returned.
    Exit = 4,
}

/// The head of a message of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AnswerHead {
    pub(super) kind: Kind,
    pub(super) worker: u64,
    pub(super) job: u64,
    /// The number of the first call that is answered, and how many are.
    pub(super) first: u64,
    pub(super) count: u64,
    /// How many bytes of answers follow.
    pub(super) length: u64,
    /// What was measured, when the job is done.
    pub(super) measured: Measured,
}

fn write(words: [u64; HEAD / 8], bytes: &mut [u8]) {
    for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
}

fn read(bytes: &[u8]) -> Option<[u64; HEAD / 8]> {
    let (head, _) = bytes.split_at_checked(HEAD)?;
    let mut words = [0; HEAD / 8];
    for (word, place) in words.iter_mut().zip(head.chunks_exact(8)) {
        *word = u64::from_le_bytes(place.try_into().ok()?);
    }
    Some(words)
}

impl JobHead {
    pub(super) fn write(&self, bytes: &mut [u8]) {
        write(
            [
                self.function,
                self.job,
                self.count,
                self.first,
                self.claim,
                self.limited.into(),
                self.leisurely.into(),
                self.trace,
                0,
            ],
            bytes,
        );
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let [function, job, count, first, claim, limited, leisurely, trace, _] = read(bytes)?;
        let (limited, leisurely) = (limited != 0, leisurely != 0);
        Some(Self { function, job, count, first, claim, limited, leisurely, trace })
    }
}

impl AnswerHead {
    pub(super) fn write(&self, bytes: &mut [u8]) {
        let Measured { begun, time, failed, longest } = self.measured;
        // Calls that are that many have not that many others behind them.
        let place =
            longest.call.min(u64::from(u32::MAX)) << 32 | failed.min(0xFF_FFFF) << 8 | longest.among & 0xFF;
        let kind = self.worker << 8 | self.kind as u64;
        let Self { job, first, count, length, .. } = *self;
        write([kind, job, first, count, length, begun, time, longest.nanoseconds, place], bytes);
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let [kind, job, first, count, length, begun, time, nanoseconds, place] = read(bytes)?;
        let worker = kind >> 8;
        let kind = [Kind::Ready, Kind::Answers, Kind::Done, Kind::Exit]
            .into_iter()
            .find(|known| *known as u64 == kind & 0xFF)?;
        let longest = Longest { nanoseconds, call: place >> 32, among: place & 0xFF };
        let measured = Measured { begun, time, failed: place >> 8 & 0xFF_FFFF, longest };
        Some(Self { kind, worker, job, first, count, length, measured })
    }

    /// Writes the head of a message of a worker that is of no job, in front of so many bytes.
    pub(super) fn write_alone(kind: Kind, worker: u64, bytes: &mut [u8]) {
        let length = (bytes.len() - HEAD) as u64;
        Self { kind, worker, job: 0, first: 0, count: 0, length, measured: Measured::default() }.write(bytes);
    }

    /// A message that is nothing but a head.
    pub(super) fn alone(kind: Kind, worker: u64) -> Parcel {
        let mut bytes = vec![0; HEAD];
        Self::write_alone(kind, worker, &mut bytes);
        bytes.into()
    }
}

/// How the outcome of a call begins that went well, as `Ok` of a `Result` does: what follows is what it returned.
pub(super) const OK: u8 = 0;

/// Leaves room for a length; returns where.
#[inline]
pub(super) fn begin_part(bytes: &mut Vec<u8>) -> usize {
    let at = bytes.len();
    bytes.resize(at + LENGTH, 0);
    at
}

/// Fills in the length of what has been written since. `false` when it is too long for one.
#[inline]
pub(super) fn end_part(bytes: &mut [u8], at: usize) -> bool {
    let Ok(length) = u32::try_from(bytes.len() - at - LENGTH) else { return false };
    bytes[at..at + LENGTH].copy_from_slice(&length.to_le_bytes());
    true
}

/// Takes the next part off the front.
#[inline]
pub(super) fn next_part<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (part, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back() {
        let mut bytes = [0; HEAD];
        let job = JobHead {
            function: 1,
            job: 2,
            count: 3,
            first: 4,
            claim: 5,
            limited: true,
            leisurely: true,
            trace: 6,
        };
        job.write(&mut bytes);
        assert_eq!(JobHead::read(&bytes), Some(job));
        let longest = Longest { nanoseconds: 8, call: 9, among: 10 };
        let measured = Measured { begun: 5, time: 6, failed: 7, longest };
        let answer =
            AnswerHead { kind: Kind::Done, worker: 1, job: 2, first: 3, count: 4, length: 5, measured };
        answer.write(&mut bytes);
        assert_eq!(AnswerHead::read(&bytes), Some(answer));
        assert_eq!(AnswerHead::read(&bytes[..HEAD - 1]), None);
        assert_eq!(AnswerHead::read(&[0xFF; HEAD]), None);
    }

    #[test]
    fn parts_are_told_apart_and_lengths_that_lie_are_not_believed() {
        let mut bytes = Vec::new();
        for part in [&b"one"[..], b"", b"three"] {
            let at = begin_part(&mut bytes);
            bytes.extend_from_slice(part);
            assert!(end_part(&mut bytes, at));
        }
        let mut rest = &bytes[..];
        assert_eq!(next_part(&mut rest), Some(&b"one"[..]));
        assert_eq!(next_part(&mut rest), Some(&b""[..]));
        assert_eq!(next_part(&mut &rest[..rest.len() - 1]), None);
        assert_eq!(next_part(&mut rest), Some(&b"three"[..]));
        assert_eq!(next_part(&mut rest), None);
    }
}
