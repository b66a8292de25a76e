//! Threads that use pools in every way there is.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use offspring::pool::{Task, TaskError, TaskFailure, as_completed, wait_any};
use offspring::{Bytes, Pool};
use offspring_tests::block_on;

use crate::dice::Dice;
use crate::vitals::{PROGRESS, doing};
use crate::work::{
    Burden, Counts, Deed, Fate, Input, LIMIT, Tally, begin, carry, check, check_plain, right, tell, work,
};

/// How many calls a round has at most: each user has as many places to count them.
pub(crate) const PLACES: u32 = 1 << 15;

/// A pool, and what becomes of tasks in it.
pub(crate) struct Place {
    pub(crate) pool: Arc<Pool>,
    pub(crate) fate: Fate,
}

/// A thread that uses pools.
pub(crate) struct User<'a> {
    pub(crate) number: u32,
    pub(crate) dice: Dice,
    pub(crate) counts: &'a Counts,
    /// Counts rounds, across all users and phases.
    pub(crate) rounds: &'a AtomicU64,
    pub(crate) tally: Tally,
    /// How many callbacks there have to be, and have been.
    pub(crate) asked: u64,
    pub(crate) called: Arc<AtomicU64>,
}

type Outcome = Result<(u64, Burden), TaskError>;

impl User<'_> {
    /// Inputs for a new round.
    fn inputs(&mut self, count: u32, harm: u64, slow: bool) -> Vec<Input> {
        let round = self.rounds.fetch_add(1, Ordering::Relaxed) as u32;
        let inputs = (0..count.min(PLACES)).map(|index| {
            let place = self.number * PLACES + index;
            self.counts[place as usize].store(u64::from(round) << 32, Ordering::Release);
            let burden = Burden(Deed::any(&mut self.dice, harm, slow));
            Input { number: self.dice.next(), place, round, burden }
        });
        inputs.collect()
    }

    fn check(&mut self, input: &Input, outcome: Outcome, fate: Fate) {
        PROGRESS.fetch_add(1, Ordering::Relaxed);
        check(&mut self.tally, self.counts, input, outcome, fate);
    }

    fn check_all(&mut self, inputs: &[Input], outcomes: Vec<Outcome>, fate: Fate) {
        assert_eq!(outcomes.len(), inputs.len());
        for (index, (input, outcome)) in inputs.iter().zip(outcomes).enumerate() {
            if let Err(error) = &outcome {
                assert_eq!(error.index(), Some(index), "{error}");
            }
            self.check(input, outcome, fate);
        }
    }

    /// Uses pools until it is enough.
    pub(crate) fn live(&mut self, places: &[Place], enough: &AtomicBool) {
        while !enough.load(Ordering::Relaxed) {
            let place = &places[usize::try_from(self.dice.below(places.len() as u64)).unwrap_or(0)];
            match self.dice.below(16) {
                0..4 => self.map(place),
                4 => self.try_map(place),
                5..7 => self.iterate(place),
                7..9 => self.abandon(place),
                9..13 => self.submit(place),
                13 => self.hand_over(place),
                14 => self.carry(place),
                _ => self.broadcast(place),
            }
        }
    }

    fn map(&mut self, place: &Place) {
        let count = [0, 1, 10, 1000, 20_000, PLACES][usize::try_from(self.dice.below(6)).unwrap_or(0)];
        doing(format_args!("map of {count}"));
        let inputs = self.inputs(count, 2000, place.fate.limited);
        let outcomes = place.pool.map(work, inputs.iter().copied());
        self.check_all(&inputs, outcomes, place.fate);
    }

    fn try_map(&mut self, place: &Place) {
        let count = self.dice.below(5000) as u32;
        doing(format_args!("try_map of {count}"));
        let inputs = self.inputs(count, 20_000, place.fate.limited);
        match place.pool.try_map(work, inputs.iter().copied()) {
            Ok(results) => self.check_all(&inputs, results.into_iter().map(Ok).collect(), place.fate),
            Err(error) => {
                let input = inputs[error.index().expect("an input failed")];
                self.check(&input, Err(error), place.fate);
            }
        }
    }

    fn iterate(&mut self, place: &Place) {
        let count = self.dice.below(20_000) as u32;
        let inputs = self.inputs(count, 2000, place.fate.limited);
        if self.dice.one_in(2) {
            doing(format_args!("imap of {count}"));
            let outcomes: Vec<Outcome> = place.pool.imap(work, inputs.iter().copied()).collect();
            self.check_all(&inputs, outcomes, place.fate);
            return;
        }
        doing(format_args!("imap_unordered of {count}"));
        let mut seen = vec![false; inputs.len()];
        for (index, outcome) in place.pool.imap_unordered(work, inputs.iter().copied()) {
            assert!(!std::mem::replace(&mut seen[index], true), "{index} came twice");
            self.check(&inputs[index], outcome, place.fate);
        }
        assert!(seen.into_iter().all(|seen| seen), "each input has an outcome");
    }

    fn abandon(&mut self, place: &Place) {
        doing("imap, abandoned");
        let inputs = self.inputs(PLACES, 2000, place.fate.limited);
        let wanted = usize::try_from(self.dice.below(4000)).unwrap_or(0);
        let mut outcomes = place.pool.imap(work, inputs.iter().copied());
        for input in &inputs[..wanted] {
            let outcome = outcomes.next().expect("there are more");
            self.check(input, outcome, place.fate);
        }
    }

    fn submit(&mut self, place: &Place) {
        let count = 1 + self.dice.below(300) as u32;
        doing(format_args!("submit of {count}"));
        let mut inputs = self.inputs(count, 100, place.fate.limited);
        // Others are refused before there is a task.
        for input in &mut inputs {
            if input.burden.0 == Deed::RefuseArgument {
                assert!(place.pool.submit(work, (*input,)).is_err());
                input.burden.0 = Deed::Answer;
            }
        }
        let pool = &place.pool;
        let tasks: Vec<Task<_>> =
            inputs.iter().map(|input| pool.submit(work, (*input,)).expect("the pool is open")).collect();
        let mut cancelled = vec![false; tasks.len()];
        for (index, task) in tasks.iter().enumerate() {
            match self.dice.below(12) {
                0 => {
                    let called = Arc::clone(&self.called);
                    self.asked += 1;
                    task.on_done(move || {
                        called.fetch_add(1, Ordering::Relaxed);
                    });
                }
                1 => cancelled[index] = task.cancel(),
                2 => cancelled[index] = task.cancel_unless_begun(),
                _ => {}
            }
        }
        if self.dice.one_in(4) {
            doing(format_args!("as_completed of {count}"));
            let mut seen = vec![false; tasks.len()];
            for (index, outcome) in as_completed(tasks) {
                assert!(!std::mem::replace(&mut seen[index], true), "{index} came twice");
                self.settle(&inputs[index], outcome, cancelled[index], place.fate);
            }
            assert!(seen.into_iter().all(|seen| seen));
            return;
        }
        if self.dice.one_in(4) {
            doing(format_args!("wait_any of {count}"));
            assert!(wait_any(&tasks, None).is_some());
        }
        doing(format_args!("get of {count}"));
        for ((input, task), cancelled) in inputs.iter().zip(tasks).zip(cancelled) {
            let outcome = self.get(task);
            self.settle(input, outcome, cancelled, place.fate);
        }
    }

    /// Waits for a task in one way or another.
    fn get(&mut self, task: Task<(u64, Burden)>) -> Outcome {
        match self.dice.below(4) {
            0 => block_on(task),
            1 => loop {
                if let Some(outcome) = task.get_timeout(Duration::from_millis(self.dice.below(3))) {
                    break outcome;
                }
            },
            _ => {
                let outcome = task.get();
                let again = task.get().expect_err("a result is given once");
                assert!(matches!(again.failure(), TaskFailure::Taken), "{again}");
                outcome
            }
        }
    }

    fn settle(&mut self, input: &Input, outcome: Outcome, cancelled: bool, fate: Fate) {
        if let Err(error) = &outcome {
            let is_cancelled = matches!(error.failure(), TaskFailure::Cancelled);
            assert_eq!(is_cancelled, cancelled, "{input:?}: {error}");
        } else {
            assert!(!cancelled, "{input:?} was cancelled");
        }
        self.check(input, outcome, Fate { cancelled, ..fate });
    }

    fn hand_over(&mut self, place: &Place) {
        doing("handles");
        let (sender, receiver) = offspring::channel().expect("a channel can be made");
        let first = self.dice.next() >> 1;
        let numbers = first..first + 1 + self.dice.below(30);
        let inputs = numbers.clone().map(|number| (number, sender.clone()));
        let outcomes = place.pool.starmap(tell, inputs);
        let mut told = std::collections::BTreeMap::<u64, u64>::new();
        while let Ok(number) = receiver.try_recv() {
            *told.entry(number).or_default() += 1;
        }
        for (number, outcome) in numbers.zip(outcomes) {
            PROGRESS.fetch_add(1, Ordering::Relaxed);
            let times = told.remove(&number).unwrap_or(0);
            let reader = check_plain(&mut self.tally, outcome, place.fate);
            assert!(times <= 1 + place.fate.retries, "{number} was told {times} times");
            if let Some(reader) = reader {
                assert!(times > 0, "{number} was told");
                let mut bytes = Vec::new();
                reader.into_inner().read_to_end(&mut bytes).expect("a pipe can be read");
                assert_eq!(bytes, right(number).to_le_bytes());
            }
        }
        assert!(told.is_empty(), "{told:?} were told by nobody");
    }

    fn carry(&mut self, place: &Place) {
        let length = 1 << (10 + self.dice.below(13));
        doing(format_args!("{length} bytes"));
        let bytes = Bytes::from(vec![3; length]);
        let text = "x".repeat(length / 16);
        let inputs = (0..=self.dice.below(4)).map(|_| (bytes.clone(), text.clone()));
        for outcome in place.pool.starmap(carry, inputs) {
            PROGRESS.fetch_add(1, Ordering::Relaxed);
            let Some((back, sum, longer)) = check_plain(&mut self.tally, outcome, place.fate) else {
                continue;
            };
            assert_eq!((sum, longer.len()), (3 * length, text.len() + 1));
            assert!(back == bytes);
        }
    }

    fn broadcast(&mut self, place: &Place) {
        doing("broadcast");
        let pids = place.pool.broadcast(std::process::id, ()).expect("the pool is open");
        let fate = Fate { pool_ended: true, ..place.fate }; // the worker that was to do it may have ended
        let pids: Vec<u32> =
            pids.into_iter().filter_map(|pid| check_plain(&mut self.tally, pid, fate)).collect();
        let mut different = pids.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), pids.len(), "{pids:?}");
    }

    /// A pool of short life, of every kind, that ends in every way.
    pub(crate) fn brief(&mut self) {
        doing("a brief pool");
        let mut builder = Pool::builder()
            .workers(1 + usize::try_from(self.dice.below(3)).unwrap_or(0))
            .initializer(begin, (self.counts.clone(),));
        let mut fate = Fate::default();
        if self.dice.one_in(2) {
            builder = builder.max_tasks_per_child(1 + self.dice.below(100));
        }
        if self.dice.one_in(2) {
            builder = builder.task_timeout(LIMIT);
            fate.limited = true;
        }
        if self.dice.one_in(4) {
            builder = builder.chunk_size(7);
        }
        if self.dice.one_in(4) {
            builder = builder.start_method(offspring::StartMethod::Spawn);
        }
        let pool = builder.start().expect("a pool starts");
        doing("map of a brief pool");
        let inputs = self.inputs(500, 200, fate.limited);
        let outcomes = pool.map(work, inputs.iter().copied());
        self.check_all(&inputs, outcomes, fate);
        let mut inputs = self.inputs(200, 100, fate.limited);
        inputs.retain(|input| input.burden.0 != Deed::RefuseArgument);
        let tasks: Vec<Task<_>> =
            inputs.iter().map(|input| pool.submit(work, (*input,)).expect("the pool is open")).collect();
        let how = self.dice.below(4);
        doing(format_args!("the end of a brief pool, of kind {how}"));
        match how {
            0 => drop(pool),
            1 => pool.terminate(),
            2 => {
                pool.close();
                pool.join();
            }
            _ => {
                pool.close();
                drop(pool);
            }
        }
        fate.pool_ended = how != 2;
        doing("what is left of a brief pool");
        for (input, task) in inputs.iter().zip(tasks) {
            let outcome = task.get();
            self.check(input, outcome, fate);
        }
    }
}
