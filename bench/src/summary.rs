//! What is kept of a batch of samples, and of several rounds.

use serde::{Deserialize, Serialize};

/// The order statistics of one batch.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) count: usize,
    pub(crate) min: u64,
    pub(crate) p10: u64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

impl Summary {
    /// Of a batch, unless it is empty.
    pub(crate) fn of(mut samples: Vec<u64>) -> Option<Self> {
        samples.sort_unstable();
        let last = samples.len().checked_sub(1)?;
        // The nearest rank from below: a p99 of few samples is their maximum or the one before.
        let at = |percent: usize| samples[last * percent / 100];
        Some(Self {
            count: samples.len(),
            min: at(0),
            p10: at(10),
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
        })
    }
}

/// The median; the mean of the middle two when there is no one in the middle.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds and KiB stay far below 2^52")]
pub(crate) fn median(values: impl IntoIterator<Item = u64>) -> Option<f64> {
    let mut values: Vec<u64> = values.into_iter().collect();
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    Some(f64::midpoint(values[last / 2] as f64, values[last.div_ceil(2)] as f64))
}

/// How often something happened within a time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Rate {
    pub(crate) count: u64,
    pub(crate) ns: u64,
}

impl Rate {
    /// The time of one.
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds and counts stay far below 2^52")]
    pub(crate) fn ns_each(self) -> f64 {
        self.ns as f64 / self.count as f64
    }
}

/// The median over rounds of the time of one.
pub(crate) fn median_each(rounds: &[Rate]) -> Option<f64> {
    let mut each: Vec<f64> = rounds.iter().map(|rate| rate.ns_each()).collect();
    each.sort_by(f64::total_cmp);
    let last = each.len().checked_sub(1)?;
    Some(f64::midpoint(each[last / 2], each[last.div_ceil(2)]))
}

#[cfg(test)]
mod tests {
    use super::{Rate, Summary, median, median_each};

    #[test]
    fn rates_are_compared_by_the_time_of_one() {
        let rounds = [(10, 50), (100, 100), (1, 30)].map(|(count, ns)| Rate { count, ns });
        assert_eq!(median_each(&rounds), Some(5.0));
    }

    #[test]
    fn medians_lie_in_the_middle() {
        assert_eq!(median([3, 1, 2]), Some(2.0));
        assert_eq!(median([4, 1, 2, 3]), Some(2.5));
        assert_eq!(median([]), None);
    }

    #[test]
    fn percentiles_are_samples() {
        let summary = Summary::of((1..=101).rev().collect()).unwrap();
        assert_eq!((summary.min, summary.p50, summary.p99, summary.max), (1, 51, 100, 101));
        assert!(Summary::of(Vec::new()).is_none());
    }
}
