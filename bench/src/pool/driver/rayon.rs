//! Rayon: the bound, as its threads share the numbers, the results, and what is left to do.

use std::sync::Arc;

use anyhow::{Result, bail};
use rayon::iter::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, IntoParallelRefMutIterator,
    ParallelIterator,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{Contender, Outcome, Pool};
use crate::pool::contestant::{BATCH, Pass, WORKERS, Way};
use crate::pool::tasks::{self, large, look, successor};

/// Pools of threads.
#[derive(Debug)]
pub(crate) struct Rayon {
    argument: Arc<[u8]>,
}

impl Rayon {
    /// With the argument that its pools are given.
    pub(crate) fn new() -> Self {
        Self { argument: large() }
    }
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Threads {
    pool: ThreadPool,
    argument: Arc<[u8]>,
    shared: Vec<u64>,
    other: Vec<u64>,
}

impl Contender for Rayon {
    type Pool = Threads;

    fn start(&self) -> Result<Threads> {
        let pool = ThreadPoolBuilder::new().num_threads(WORKERS).build()?;
        Ok(Threads { pool, argument: Arc::clone(&self.argument), shared: Vec::new(), other: Vec::new() })
    }
}

impl Threads {
    fn flow<I>(&self, way: Way, task: impl Fn(I::Item) -> u64 + Sync + Send, inputs: I) -> Result<Outcome>
    where
        I: IndexedParallelIterator,
    {
        let inputs = inputs.into_par_iter();
        let work = || -> Vec<u64> {
            match way {
                Way::Ones => inputs.with_max_len(1).map(task).collect(),
                Way::Batches => inputs.with_min_len(BATCH).with_max_len(BATCH).map(task).collect(),
                _ => inputs.map(task).collect(),
            }
        };
        Outcome::of_all(|| Ok(self.pool.install(work)))
    }
}

impl Pool for Threads {
    fn single(&mut self, number: u64) -> Result<u64> {
        Ok(self.pool.install(|| successor(number)))
    }

    fn single_large(&mut self) -> Result<u64> {
        Ok(self.pool.install(|| look(&self.argument)))
    }

    fn tiny(&mut self, way: Way, count: u64) -> Result<Outcome> {
        match way {
            Way::Map | Way::Ones | Way::Batches => {
                let numbers: Vec<u64> = (0..count).collect();
                self.flow(way, successor, numbers.into_par_iter())
            }
            _ => bail!("it gives all results at once"),
        }
    }

    fn work(&mut self, way: Way, ns: &[u64]) -> Result<Outcome> {
        self.flow(way, tasks::work, ns.to_vec().into_par_iter())
    }

    fn slice(&mut self, pass: Pass, count: u64) -> Result<Outcome> {
        let count = usize::try_from(count)?;
        self.shared.resize(count, 0);
        self.other.resize(count, 0);
        let before: u64 = self.shared.iter().sum();
        let (pool, shared, other) = (&self.pool, &mut self.shared, &mut self.other);
        let add = |number: &u64| successor(*number);
        let outcome = match pass {
            Pass::InPlace => {
                let work = || {
                    shared.par_iter_mut().for_each(|number| *number = successor(*number));
                    shared
                };
                Outcome::of(|| Ok(pool.install(work)), |results| Ok(results.iter().sum()))
            }
            Pass::Into => {
                let work = || {
                    shared.par_iter().map(add).collect_into_vec(other);
                    other
                };
                Outcome::of(|| Ok(pool.install(work)), |results| Ok(results.iter().sum()))
            }
            Pass::New => Outcome::of_all(|| Ok(pool.install(|| shared.par_iter().map(add).collect()))),
        }?;
        Ok(Outcome { sum: outcome.sum - before, ..outcome })
    }

    fn stop(self) -> Result<()> {
        Ok(())
    }
}
