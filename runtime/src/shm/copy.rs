//! Copies out of and into memory that others may be writing: word by word, each whole, in no order.
//!
//! What two processes write to one place at once may be there half and half; what is copied is always bytes that
//! somebody wrote.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicUsize};

use crate::sys::memory::Mapping;

const WORD: usize = size_of::<usize>();

/// Where the words of a range are: the bytes before, the words, the bytes behind.
fn parts(offset: usize, length: usize) -> [Range<usize>; 3] {
    let end = offset + length;
    let first = offset.next_multiple_of(WORD).min(end);
    let last = first.max(end - end % WORD);
    [offset..first, first..last, last..end]
}

/// The words of an aligned range, which may be empty and then is anywhere.
fn words_of(mapping: &Mapping, range: Range<usize>) -> &[AtomicUsize] {
    if range.is_empty() { &[] } else { mapping.slice(range.start, range.len() / WORD) }
}

/// Copies out of shared memory. The range is within the mapping.
pub(super) fn load(mapping: &Mapping, offset: usize, into: &mut [u8]) {
    let [before, words, behind] = parts(offset, into.len());
    let (into_before, rest) = into.split_at_mut(before.len());
    let (into_words, into_behind) = rest.split_at_mut(words.len());
    for (range, into) in [(before, into_before), (behind, into_behind)] {
        let bytes = mapping.slice::<AtomicU8>(range.start, range.len());
        into.iter_mut().zip(bytes).for_each(|(into, byte)| *into = byte.load(Relaxed));
    }
    for (into, word) in into_words.chunks_exact_mut(WORD).zip(words_of(mapping, words)) {
        into.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
    }
}

/// Copies into shared memory. The range is within the mapping.
pub(super) fn store(mapping: &Mapping, offset: usize, from: &[u8]) {
    let [before, words, behind] = parts(offset, from.len());
    let (from_before, rest) = from.split_at(before.len());
    let (from_words, from_behind) = rest.split_at(words.len());
    for (range, from) in [(before, from_before), (behind, from_behind)] {
        let bytes = mapping.slice::<AtomicU8>(range.start, range.len());
        from.iter().zip(bytes).for_each(|(from, byte)| byte.store(*from, Relaxed));
    }
    for (from, word) in from_words.chunks_exact(WORD).zip(words_of(mapping, words)) {
        let mut bytes = [0; WORD];
        bytes.copy_from_slice(from);
        word.store(usize::from_ne_bytes(bytes), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory;

    #[test]
    fn every_range_is_copied_and_nothing_beside_it() {
        let length = 5 * WORD;
        let object = memory::create(length as u64).unwrap();
        let mapping = Mapping::new(&object, 0, length).unwrap();
        for start in 0..length {
            for end in start..=length {
                let expected: Vec<u8> = (0..length).map(|at| u8::from((start..end).contains(&at))).collect();
                store(&mapping, 0, &vec![0; length]);
                store(&mapping, start, &vec![1; end - start]);
                let mut all = vec![9; length];
                load(&mapping, 0, &mut all);
                assert_eq!(all, expected);
                let mut part = vec![9; end - start];
                load(&mapping, start, &mut part);
                assert_eq!(part, vec![1; end - start]);
            }
        }
    }
}
