//! Waiting until a word of shared memory changes, on systems that cannot sleep on one between processes: by looking at it, at first
//! often and then seldom. It costs little, and a wake-up comes a few milliseconds late.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// From so long a nap on, each is twice as long as the one before,
const SHORTEST: Duration = Duration::from_micros(50);

/// until they are this long.
const LONGEST: Duration = Duration::from_millis(4);

/// How long one call waits at most: whoever is woken without a change of the word has been woken then.
const AT_ONCE: Duration = Duration::from_millis(20);

/// Waits while the word has this value, for a while or until the deadline: whether that has passed.
pub(crate) fn wait(word: &AtomicU32, value: u32, deadline: Option<Instant>) -> bool {
    let begun = Instant::now();
    let mut nap = SHORTEST;
    while word.load(Ordering::Acquire) == value && begun.elapsed() < AT_ONCE {
        let left = deadline.map_or(nap, |deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(nap.min(left));
        nap = (nap * 2).min(LONGEST);
    }
    // A nap may have been so long that both are over.
    word.load(Ordering::Acquire) == value && deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_a_change_of_the_word_or_at_the_deadline() {
        let word = AtomicU32::new(1);
        assert!(!wait(&word, 2, None));
        assert!(wait(&word, 1, Some(Instant::now() + Duration::from_millis(2))));
        std::thread::scope(|scope| {
            scope.spawn(|| word.store(2, Ordering::Release));
            while word.load(Ordering::Relaxed) == 1 {
                assert!(!wait(&word, 1, None));
            }
        });
    }
}
