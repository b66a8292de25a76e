//! `procspawn::Pool`.

use std::collections::VecDeque;
use std::iter::repeat_n;
use std::rc::Rc;

use anyhow::{Result, ensure};
use procspawn::JoinHandle;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;

use super::{Contender, Outcome, Pool};
use crate::pool::contestant::{WORKERS, Way};
use crate::pool::tasks::{self, large, successor, work};

/// `procspawn`, initialised.
#[derive(Debug)]
pub(crate) struct Procspawn {
    argument: Rc<ByteBuf>,
}

impl Procspawn {
    /// Its guard: does not return in its children.
    pub(crate) fn init() -> Self {
        procspawn::init();
        Self { argument: Rc::new(ByteBuf::from(large::<Vec<u8>>())) }
    }
}

/// Its pool.
#[derive(Debug)]
pub(crate) struct Workers {
    pool: procspawn::Pool,
    argument: Rc<ByteBuf>,
}

impl Contender for Procspawn {
    type Pool = Workers;

    fn start(&self) -> Result<Workers> {
        Ok(Workers { pool: procspawn::Pool::new(WORKERS)?, argument: Rc::clone(&self.argument) })
    }
}

/// How many tasks are submitted ahead of the results that are taken: each holds four descriptors.
const AHEAD: usize = 64;

/// The same with large arguments: to submit one more would wait for a worker, and a worker waits until its last result is taken.
const LARGE_AHEAD: usize = WORKERS;

#[expect(clippy::needless_pass_by_value, reason = "an argument of a process")]
fn look(bytes: ByteBuf) -> u64 {
    tasks::look(&bytes)
}

impl Workers {
    fn flow<X>(&self, ahead: usize, task: fn(X) -> u64, inputs: impl Iterator<Item = X>) -> Result<Outcome>
    where
        X: Serialize + DeserializeOwned,
    {
        let mut waiting = VecDeque::<JoinHandle<u64>>::with_capacity(ahead);
        let (mut inputs, mut results) = (inputs.fuse(), Vec::new());
        Outcome::of_all(|| {
            loop {
                let more = inputs.by_ref().take(ahead - waiting.len());
                waiting.extend(more.map(|input| self.pool.spawn(input, task)));
                match waiting.pop_front() {
                    Some(task) => results.push(task.join()?),
                    None => return Ok(results),
                }
            }
        })
    }
}

fn ensure_ones(way: Way) -> Result<()> {
    ensure!(way == Way::Ones, "tasks are submitted one by one");
    Ok(())
}

impl Pool for Workers {
    fn single(&mut self, number: u64) -> Result<u64> {
        Ok(self.pool.spawn(number, successor).join()?)
    }

    fn single_large(&mut self) -> Result<u64> {
        Ok(self.pool.spawn(ByteBuf::clone(&self.argument), look).join()?)
    }

    fn tiny(&mut self, way: Way, count: u64) -> Result<Outcome> {
        ensure_ones(way)?;
        self.flow(AHEAD, successor, 0..count)
    }

    fn large(&mut self, way: Way, count: u64) -> Result<Outcome> {
        ensure_ones(way)?;
        let arguments = repeat_n(&*self.argument, usize::try_from(count)?);
        self.flow(LARGE_AHEAD, look, arguments.cloned())
    }

    fn work(&mut self, way: Way, ns: &[u64]) -> Result<Outcome> {
        ensure_ones(way)?;
        self.flow(AHEAD, work, ns.iter().copied())
    }

    fn stop(self) -> Result<()> {
        self.pool.shutdown();
        Ok(())
    }
}
