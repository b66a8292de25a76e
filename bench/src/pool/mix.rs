//! Tasks that take unequally long, and what the best schedule of them takes.

/// The shortest task, in nanoseconds.
pub(crate) const SHORTEST: u64 = 50_000;

/// The longest.
pub(crate) const LONGEST: u64 = 20_000_000;

/// The same numbers in every run.
const SEED: u64 = 4;

/// So many tasks, in the order in which they are given: what each takes, in nanoseconds.
///
/// Half of them take less than twice the shortest, one in ten more than ten times that (a Pareto distribution that is cut off). Stragglers
/// come late: the longest hundredth is spread over what lies between 85 and 95 percent of the order, the longest of all last.
pub(crate) fn skewed(count: usize) -> Vec<u64> {
    let mut random = SplitMix(SEED);
    let mut tasks: Vec<u64> = (0..count).map(|_| random.task()).collect();
    let stragglers = count / 100;
    let mut longest = tasks.clone();
    longest.sort_unstable();
    let longest = longest.split_off(count - stragglers);
    let limit = longest.first().copied().unwrap_or(u64::MAX);
    tasks.retain(|ns| *ns < limit);
    let (begin, end) = (tasks.len() * 85 / 100, tasks.len() * 95 / 100);
    // From the last place on, so that the places before it stay what they are.
    for (number, ns) in longest.into_iter().enumerate().rev() {
        tasks.insert(begin + (end - begin) * (number + 1) / stragglers, ns);
    }
    tasks
}

/// The time that no schedule of these tasks can do without: each worker has its share of all, and one has the longest.
pub(crate) fn ideal(tasks: &[u64], workers: u64) -> u64 {
    let longest = tasks.iter().max().copied().unwrap_or_default();
    tasks.iter().sum::<u64>().div_ceil(workers).max(longest)
}

/// The time that it takes if whoever is free has the next, at no cost: the best that can be done without knowing what tasks take.
pub(crate) fn in_order(tasks: &[u64], workers: usize) -> u64 {
    let mut free_at = vec![0; workers];
    for ns in tasks {
        if let Some(first) = free_at.iter_mut().min() {
            *first += ns;
        }
    }
    free_at.into_iter().max().unwrap_or_default()
}

/// `SplitMix64`: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Debug)]
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A shortest task, divided by what is evenly spread between 0 and 1.
    fn task(&mut self) -> u64 {
        let part = (self.next() >> 32).max(1);
        ((SHORTEST << 32) / part).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, SHORTEST, ideal, in_order, skewed};

    #[test]
    fn the_mix_is_the_same_in_every_run_and_has_its_stragglers_late() {
        let tasks = skewed(2000);
        assert_eq!(tasks, skewed(2000));
        assert_eq!(tasks.len(), 2000);
        assert!(tasks.iter().all(|ns| (SHORTEST..=LONGEST).contains(ns)));
        let longest = tasks.iter().max().unwrap();
        let last = tasks.iter().rposition(|ns| ns == longest).unwrap();
        assert!((1850..1950).contains(&last), "the longest comes at {last}");
        let short = tasks.iter().filter(|ns| **ns < 2 * SHORTEST).count();
        assert!((900..1100).contains(&short), "{short} take less than twice the shortest");
    }

    #[test]
    fn no_schedule_is_better_than_the_ideal() {
        assert_eq!(ideal(&[3, 1, 2], 2), 3);
        assert_eq!(ideal(&[9, 1, 1], 2), 9);
        assert_eq!(in_order(&[1, 1, 9], 2), 10);
        let tasks = skewed(2000);
        assert!(in_order(&tasks, 2) >= ideal(&tasks, 2));
    }
}
