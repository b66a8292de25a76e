//! A queue with two producers and two consumers.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::cpu;
use crate::summary::Rate;

/// 16 bytes.
pub(crate) type Item = [u64; 2];

/// The item at which a consumer ends. It is sent when all producers have ended, once for each consumer.
pub(crate) const END: Item = [u64::MAX; 2];

/// What one of them did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// When a producer began, and when a consumer ended: nanoseconds of the clock that all share.
    at: u64,
    count: u64,
    sum: u64,
}

/// The life of a producer.
pub(crate) fn produce(millis: u64, mut send: impl FnMut(Item) -> Result<()>) -> Result<Tally> {
    let at = cpu::now()?;
    let deadline = Instant::now() + Duration::from_millis(millis);
    let (mut count, mut sum) = (0, 0);
    while count % 64 != 0 || count == 0 || Instant::now() < deadline {
        send([count, at])?;
        sum += count;
        count += 1;
    }
    Ok(Tally { at, count, sum })
}

/// The life of a consumer.
pub(crate) fn consume(mut receive: impl FnMut() -> Result<Item>) -> Result<Tally> {
    let (mut count, mut sum) = (0, 0);
    loop {
        let item = receive()?;
        if item == END {
            return Ok(Tally { at: cpu::now()?, count, sum });
        }
        sum += item[0];
        count += 1;
    }
}

/// Checks that everything arrived, once, and says how fast it was.
pub(crate) fn settle(produced: &[Tally], consumed: &[Tally]) -> Result<Rate> {
    let total = |tallies: &[Tally]| {
        tallies.iter().fold((0, 0), |(count, sum), tally| (count + tally.count, sum + tally.sum))
    };
    let (sent, received) = (total(produced), total(consumed));
    ensure!(sent == received, "{sent:?} were sent (count and sum), {received:?} were received");
    let begin = produced.iter().map(|tally| tally.at).min().context("no producers")?;
    let end = consumed.iter().map(|tally| tally.at).max().context("no consumers")?;
    Ok(Rate { count: sent.0, ns: end - begin })
}
