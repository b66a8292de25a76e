//! `offspring::Pool`.

use std::iter::repeat_n;

use anyhow::Result;
use offspring::Bytes;
use offspring::pool::TaskError;
use offspring::shm::SharedSlice;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Contender, Outcome, Pool};
use crate::pool::contestant::{BATCH, Pass, WORKERS, Way};
use crate::pool::tasks::{self, large, successor, work};

/// `offspring`, initialised.
#[derive(Debug)]
pub(crate) struct Offspring {
    argument: Bytes,
}

impl Offspring {
    /// The guard: does not return in children.
    pub(crate) fn init() -> Self {
        offspring::init();
        Self { argument: large() }
    }
}

/// A pool that chooses its chunks, and others whose chunks are chosen, which are made when they are asked for.
#[derive(Debug)]
pub(crate) struct Pools {
    adaptive: offspring::Pool,
    ones: Option<offspring::Pool>,
    batches: Option<offspring::Pool>,
    /// Numbers, and a place for others.
    shared: Option<[SharedSlice<u64>; 2]>,
    argument: Bytes,
}

impl Contender for Offspring {
    type Pool = Pools;

    fn start(&self) -> Result<Pools> {
        let argument = self.argument.clone();
        Ok(Pools {
            adaptive: offspring::Pool::new(WORKERS)?,
            ones: None,
            batches: None,
            shared: None,
            argument,
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of a process")]
fn look(bytes: Bytes) -> u64 {
    tasks::look(&bytes)
}

fn sum(results: impl IntoIterator<Item = Result<u64, TaskError>>) -> Result<u64> {
    Ok(results.into_iter().sum::<Result<u64, _>>()?)
}

fn chunks_of(pool: &mut Option<offspring::Pool>, size: usize) -> Result<&offspring::Pool> {
    if pool.is_none() {
        *pool = Some(offspring::Pool::builder().workers(WORKERS).chunk_size(size).start()?);
    }
    Ok(pool.as_ref().expect("it has just been made"))
}

impl Pools {
    fn of(&mut self, way: Way) -> Result<&offspring::Pool> {
        match way {
            Way::Map | Way::Imap | Way::Unordered => Ok(&self.adaptive),
            Way::Ones => chunks_of(&mut self.ones, 1),
            Way::Batches | Way::UnorderedBatches => chunks_of(&mut self.batches, BATCH),
        }
    }

    fn flow<F, X>(&mut self, way: Way, function: F, inputs: impl IntoIterator<Item = X>) -> Result<Outcome>
    where
        F: offspring::Function<(X,), Output = u64>,
        X: Serialize + DeserializeOwned + 'static,
    {
        let pool = self.of(way)?;
        match way {
            Way::Map | Way::Ones | Way::Batches => Outcome::of(|| Ok(pool.map(function, inputs)), sum),
            Way::Imap => Outcome::of(|| sum(pool.imap(function, inputs)), Ok),
            Way::Unordered | Way::UnorderedBatches => {
                Outcome::of(|| sum(pool.imap_unordered(function, inputs).map(|(_, result)| result)), Ok)
            }
        }
    }
}

impl Pool for Pools {
    fn single(&mut self, number: u64) -> Result<u64> {
        Ok(self.adaptive.submit(successor, (number,))?.get()?)
    }

    fn single_large(&mut self) -> Result<u64> {
        Ok(self.adaptive.submit(look, (self.argument.clone(),))?.get()?)
    }

    fn tiny(&mut self, way: Way, count: u64) -> Result<Outcome> {
        self.flow(way, successor, 0..count)
    }

    fn large(&mut self, way: Way, count: u64) -> Result<Outcome> {
        let argument = self.argument.clone();
        self.flow(way, look, repeat_n(argument, usize::try_from(count)?))
    }

    fn work(&mut self, way: Way, ns: &[u64]) -> Result<Outcome> {
        self.flow(way, work, ns.iter().copied())
    }

    fn slice(&mut self, pass: Pass, count: u64) -> Result<Outcome> {
        let (pool, count) = (&self.adaptive, usize::try_from(count)?);
        if self.shared.as_ref().is_none_or(|[numbers, _]| numbers.len() != count) {
            self.shared = Some([SharedSlice::zeroed(count)?, SharedSlice::zeroed(count)?]);
        }
        let [numbers, other] = self.shared.as_mut().expect("it has just been made");
        let before: u64 = numbers.iter().sum();
        let add = |number: &u64| successor(*number);
        let outcome = match pass {
            Pass::InPlace => {
                let work = || {
                    pool.for_each_mut(|number| *number = successor(*number), numbers)?;
                    Ok(numbers)
                };
                Outcome::of(work, |numbers| Ok(numbers.iter().sum()))
            }
            Pass::Into => {
                let work = || {
                    pool.map_slice_into(add, numbers, other)?;
                    Ok(other)
                };
                Outcome::of(work, |numbers| Ok(numbers.iter().sum()))
            }
            Pass::New => {
                Outcome::of(|| Ok(pool.map_slice(add, numbers)?), |numbers| Ok(numbers.iter().sum()))
            }
        }?;
        Ok(Outcome { sum: outcome.sum - before, ..outcome })
    }

    fn each(&mut self, count: u64, result: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        self.adaptive.imap(successor, 0..count).try_for_each(|outcome| result(outcome?))
    }

    fn stop(self) -> Result<()> {
        for pool in [Some(self.adaptive), self.ones, self.batches].into_iter().flatten() {
            pool.join();
        }
        Ok(())
    }
}
