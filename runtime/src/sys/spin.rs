//! Looking again before sleeping: bounded, learnt, and such that what is waited for can be done meanwhile.
//!
//! To wake a sleeper on another core takes long, on virtual machines 50 to 100 µs, which is as long as a whole child
//! takes that does little. So a thread that expects an answer within that time looks for it a little while before it goes to
//! sleep: it **spins**, if the answer comes from another CPU.
//!
//! Where it would have to come from this very CPU, spinning would only keep it from coming. There the thread **gives way**: it yields
//! once (`sched_yield(2)`), which lets the other one run for half of what it costs to sleep and to be woken.
//!
//! It does either only if that has paid off lately: where it has not, because the machine is busy or the other one takes
//! longer, every so many waits tries again. Giving way can be dear: to others that want the CPU as well, and who are in no hurry,
//! the kernel lets it go for milliseconds, where a sleeper would be woken in between. So once that has been seen, tries become
//! as rare as they are dear.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::sys::{clock, cpu};

/// What one kind of wait has learnt.
#[derive(Debug)]
pub(crate) struct Spin {
    limit: Duration,
    /// How much longer it is worth it at present, in nanoseconds.
    longer: AtomicU32,
    spinning: Trust,
    giving_way: Trust,
}

/// Whether something has paid off lately.
#[derive(Debug)]
struct Trust {
    /// How much is left: a success gives some back, a failure takes more.
    left: AtomicU32,
    waits: AtomicU32,
    /// Every so many waits it is tried although there is none left.
    apart: AtomicU32,
}

const MOST_TRUST: u32 = 8;

/// How far apart tries are, at first and at most.
const APART: u32 = 32;
const FAR_APART: u32 = 1 << 16;

impl Spin {
    /// A kind of wait that spins at most this long.
    pub(crate) const fn new(limit: Duration) -> Self {
        Self { limit, longer: AtomicU32::new(0), spinning: Trust::new(), giving_way: Trust::new() }
    }

    /// Says for how long what is waited for is at work, apart from being woken: from here on spins last that much longer. What
    /// takes longer than half a millisecond is not spun for: being woken adds little to that.
    #[inline]
    pub(crate) fn expect(&self, work: Duration) {
        const LONGEST: Duration = Duration::from_micros(500);
        let longer = if work <= LONGEST { work.subsec_nanos() } else { 0 };
        if self.longer.load(Ordering::Relaxed) != longer {
            self.longer.store(longer, Ordering::Relaxed);
        }
    }

    /// Looks until there is something, or until it is time to sleep: spins if there are several CPUs.
    pub(crate) fn until<T>(&self, look: impl FnMut() -> Option<T>) -> Option<T> {
        static SEVERAL: OnceLock<bool> = OnceLock::new();
        let several =
            || std::thread::available_parallelism().is_ok_and(|count| count > NonZero::<usize>::MIN);
        if self.spinning.is_due() && *SEVERAL.get_or_init(several) { self.spin(look) } else { None }
    }

    /// As [`until`](Self::until), for something that comes from a CPU of this [number](cpu::current), if it is not zero.
    pub(crate) fn until_from<T>(&self, origin: u32, look: impl FnMut() -> Option<T>) -> Option<T> {
        let here = if origin == 0 { 0 } else { cpu::current() };
        if here == 0 {
            self.until(look)
        } else if here != origin {
            if self.spinning.is_due() { self.spin(look) } else { None }
        } else {
            self.after_giving_way(look)
        }
    }

    /// Looks once, after another had the chance to bring it about on this CPU.
    pub(crate) fn after_giving_way<T>(&self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        if self.giving_way.is_due() { self.give_way(look) } else { look() }
    }

    fn spin<T>(&self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let limit = self.limit + Duration::from_nanos(self.longer.load(Ordering::Relaxed).into());
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                self.spinning.has_paid_off();
                return Some(found);
            }
            if begun.elapsed() > limit {
                self.spinning.has_not_paid_off();
                return None;
            }
            std::hint::spin_loop();
        }
    }

    fn give_way<T>(&self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        // Who is in no hurry keeps the CPU until the kernel's clock ticks, which is when this clock moves.
        let before = clock::coarse();
        std::thread::yield_now();
        let found = look();
        if clock::coarse() != before {
            self.giving_way.was_dear();
        } else if found.is_some() {
            self.giving_way.has_paid_off();
        } else {
            self.giving_way.has_not_paid_off();
        }
        found
    }
}

// Races that are lost here cost a lesson and nothing else.
impl Trust {
    const fn new() -> Self {
        Self { left: AtomicU32::new(MOST_TRUST), waits: AtomicU32::new(0), apart: AtomicU32::new(APART) }
    }

    fn is_due(&self) -> bool {
        self.left.load(Ordering::Relaxed) > 0
            || self.waits.fetch_add(1, Ordering::Relaxed) % self.apart.load(Ordering::Relaxed) == 0
    }

    fn has_paid_off(&self) {
        let left = self.left.load(Ordering::Relaxed);
        if left < MOST_TRUST {
            self.left.store(left + 1, Ordering::Relaxed);
        } else if self.apart.load(Ordering::Relaxed) != APART {
            self.apart.store(APART, Ordering::Relaxed);
        }
    }

    fn has_not_paid_off(&self) {
        self.left.store(self.left.load(Ordering::Relaxed).saturating_sub(2), Ordering::Relaxed);
    }

    fn was_dear(&self) {
        self.left.store(0, Ordering::Relaxed);
        self.waits.store(1, Ordering::Relaxed);
        let apart = self.apart.load(Ordering::Relaxed);
        self.apart.store((apart * 4).min(FAR_APART), Ordering::Relaxed);
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
        assert_eq!(spin.spinning.left.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn waits_that_pay_off_go_on_spinning() {
        let spin = Spin::new(Duration::from_secs(1));
        for number in 0..1000 {
            assert_eq!(spin.until(|| Some(number)).unwrap_or(number), number);
        }
        assert_eq!(spin.spinning.left.load(Ordering::Relaxed), MOST_TRUST);
    }

    #[test]
    fn who_gave_way_in_vain_tries_it_seldom() {
        let spin = Spin::new(Duration::ZERO);
        for _ in 0..10 {
            assert_eq!(spin.give_way(|| None::<u32>), None);
        }
        assert_eq!(spin.giving_way.left.load(Ordering::Relaxed), 0);
        assert!((0..1000).filter(|_| spin.giving_way.is_due()).count() <= 1000 / APART as usize + 1);
    }

    #[test]
    fn what_was_dear_is_tried_at_last_once_in_65_536_waits_until_it_pays_off() {
        let trust = Trust::new();
        let mut tries = 0;
        for _ in 0..1_000_000 {
            if trust.is_due() {
                tries += 1;
                trust.was_dear();
            }
        }
        assert!(tries < 24, "{tries}");
        for _ in 0..=MOST_TRUST {
            trust.has_paid_off();
        }
        assert_eq!(trust.apart.load(Ordering::Relaxed), APART);
    }
}
