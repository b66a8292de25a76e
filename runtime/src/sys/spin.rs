//! Spinning before sleeping: bounded, learnt, and only where another processor can do what is waited for.
//!
//! To wake a sleeper on another core takes long, on virtual machines 50 to 100 µs, which is as long as a whole child
//! takes that does little. So a thread that expects an answer within that time looks for it a little while before it goes to
//! sleep. It does so only if that has paid off lately: where it has not, because the machine is busy or children take
//! longer, every thirty-second wait tries again.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What one kind of wait has learnt.
#[derive(Debug)]
pub(crate) struct Spin {
    limit: Duration,
    /// How much trust is left: a success gives some back, a failure takes more.
    trust: AtomicU32,
    waits: AtomicU32,
}

const MOST_TRUST: u32 = 8;

impl Spin {
    /// A kind of wait that spins at most this long.
    pub(crate) const fn new(limit: Duration) -> Self {
        Self { limit, trust: AtomicU32::new(MOST_TRUST), waits: AtomicU32::new(0) }
    }

    /// Looks until there is something, or until it is time to sleep.
    pub(crate) fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        if !self.is_worth_it() {
            return None;
        }
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                self.learn(true);
                return Some(found);
            }
            if begun.elapsed() > self.limit {
                self.learn(false);
                return None;
            }
            std::hint::spin_loop();
        }
    }

    fn is_worth_it(&self) -> bool {
        static SEVERAL: OnceLock<bool> = OnceLock::new();
        let trusted = self.trust.load(Ordering::Relaxed) > 0;
        (trusted || self.waits.fetch_add(1, Ordering::Relaxed) % 32 == 0)
            && *SEVERAL.get_or_init(|| {
                std::thread::available_parallelism().is_ok_and(|count| count > NonZero::<usize>::MIN)
            })
    }

    fn learn(&self, success: bool) {
        let learnt =
            |trust: u32| Some(if success { (trust + 1).min(MOST_TRUST) } else { trust.saturating_sub(2) });
        // A lost race costs a lesson and nothing else.
        let _before = self.trust.fetch_update(Ordering::Relaxed, Ordering::Relaxed, learnt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_that_never_pay_off_stop_spinning() {
        let spin = Spin::new(Duration::from_micros(10));
        for _ in 0..1000 {
            assert_eq!(spin.until(|| None::<u32>), None);
        }
        assert_eq!(spin.trust.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn waits_that_pay_off_go_on_spinning() {
        let spin = Spin::new(Duration::from_secs(1));
        for number in 0..1000 {
            assert_eq!(spin.until(|| Some(number)).unwrap_or(number), number);
        }
        assert_eq!(spin.trust.load(Ordering::Relaxed), MOST_TRUST);
    }
}
