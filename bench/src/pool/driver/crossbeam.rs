//! Threads at a pair of crossbeam's channels: what a pool can be that need not encode, copy, or survive anything.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow, bail, ensure};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::{Contender, Outcome, Pool};
use crate::pool::contestant::{BATCH, WORKERS, Way};
use crate::pool::tasks::{self, large, look, successor};

/// How many messages are on their way at most.
const AHEAD: usize = 1024;

/// One or several tasks, with the place of their results.
#[derive(Debug)]
enum Job {
    Successor(usize, u64),
    /// Numbers, in whose place the results are put.
    Successors(usize, Vec<u64>),
    Look(usize, Arc<[u8]>),
    Work(usize, u64),
}

#[derive(Debug)]
enum Done {
    One(usize, u64),
    Several(usize, Vec<u64>),
}

/// Threads that wait for jobs.
#[derive(Debug)]
pub(crate) struct Crossbeam {
    argument: Arc<[u8]>,
}

impl Crossbeam {
    /// With the argument that its pools are given.
    pub(crate) fn new() -> Self {
        Self { argument: large() }
    }
}

/// Some that run.
#[derive(Debug)]
pub(crate) struct Threads {
    jobs: Sender<Job>,
    done: Receiver<Done>,
    handles: Vec<JoinHandle<()>>,
    argument: Arc<[u8]>,
}

impl Contender for Crossbeam {
    type Pool = Threads;

    fn start(&self) -> Result<Threads> {
        let ((jobs, to_do), (report, done)) = (bounded(AHEAD), unbounded());
        let handles = (0..WORKERS).map(|_| {
            let (to_do, report) = (to_do.clone(), report.clone());
            thread::spawn(move || attend(&to_do, &report))
        });
        Ok(Threads { handles: handles.collect(), jobs, done, argument: Arc::clone(&self.argument) })
    }
}

/// The life of a thread.
fn attend(to_do: &Receiver<Job>, report: &Sender<Done>) {
    for job in to_do {
        let done = match job {
            Job::Successor(place, number) => Done::One(place, successor(number)),
            Job::Successors(place, mut numbers) => {
                for number in &mut numbers {
                    *number = successor(*number);
                }
                Done::Several(place, numbers)
            }
            Job::Look(place, bytes) => Done::One(place, look(&bytes)),
            Job::Work(place, ns) => Done::One(place, tasks::work(ns)),
        };
        if report.send(done).is_err() {
            return; // nobody wants to know
        }
    }
}

impl Threads {
    fn one(&self, job: Job) -> Result<u64> {
        self.jobs.send(job).ok().context("the threads have ended")?;
        match self.done.recv()? {
            Done::One(_, result) => Ok(result),
            Done::Several(..) => bail!("several results came of one task"),
        }
    }

    fn ones(&self, count: usize, jobs: impl Iterator<Item = Job>) -> Result<Vec<u64>> {
        let mut results = vec![0; count];
        let mut on_their_way = 0;
        let mut put = || -> Result<()> {
            if let Done::One(place, result) = self.done.recv()? {
                results[place] = result;
            }
            Ok(())
        };
        for job in jobs {
            self.jobs.send(job).ok().context("the threads have ended")?;
            on_their_way += 1;
            if on_their_way == AHEAD {
                put()?;
                on_their_way -= 1;
            }
        }
        for _ in 0..on_their_way {
            put()?;
        }
        Ok(results)
    }

    /// Few buffers, which go to and fro.
    fn batches(&self, count: u64) -> Result<Vec<u64>> {
        let mut results = vec![0; usize::try_from(count)?];
        let mut buffers: Vec<Vec<u64>> = (0..64).map(|_| Vec::with_capacity(BATCH)).collect();
        let (mut next, mut missing) = (0, results.len());
        while missing > 0 {
            while let Some(mut buffer) = if next < count { buffers.pop() } else { None } {
                buffer.clear();
                buffer.extend(next..count.min(next + BATCH as u64));
                let job = Job::Successors(usize::try_from(next)?, buffer);
                self.jobs.send(job).ok().context("the threads have ended")?;
                next += BATCH as u64;
            }
            if let Done::Several(place, buffer) = self.done.recv()? {
                results[place..place + buffer.len()].copy_from_slice(&buffer);
                missing -= buffer.len();
                buffers.push(buffer);
            }
        }
        Ok(results)
    }
}

impl Pool for Threads {
    fn single(&mut self, number: u64) -> Result<u64> {
        self.one(Job::Successor(0, number))
    }

    fn single_large(&mut self) -> Result<u64> {
        self.one(Job::Look(0, Arc::clone(&self.argument)))
    }

    fn tiny(&mut self, way: Way, count: u64) -> Result<Outcome> {
        match way {
            Way::Ones => {
                let jobs = (0..count).enumerate().map(|(place, number)| Job::Successor(place, number));
                Outcome::of_all(|| self.ones(usize::try_from(count)?, jobs))
            }
            Way::Batches => Outcome::of_all(|| self.batches(count)),
            _ => bail!("it has channels only"),
        }
    }

    fn large(&mut self, way: Way, count: u64) -> Result<Outcome> {
        ensure!(way == Way::Ones, "tasks are sent one by one");
        let count = usize::try_from(count)?;
        let jobs = (0..count).map(|place| Job::Look(place, Arc::clone(&self.argument)));
        Outcome::of_all(|| self.ones(count, jobs))
    }

    fn work(&mut self, way: Way, ns: &[u64]) -> Result<Outcome> {
        ensure!(way == Way::Ones, "tasks are sent one by one");
        let jobs = ns.iter().enumerate().map(|(place, ns)| Job::Work(place, *ns));
        Outcome::of_all(|| self.ones(ns.len(), jobs))
    }

    fn stop(self) -> Result<()> {
        drop(self.jobs);
        self.handles
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread panicked")))
    }
}
