//! Pools: what they promise, and what kills the pools of others.

#![allow(clippy::cast_possible_truncation, clippy::needless_pass_by_value)] // numbers are small, and arguments are values

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use offspring::pool::{self, Pool, PoolError, TaskFailure};
use offspring::shm::Shared;
use offspring::sync::Event;
use offspring::{Attachment, Bytes, ExitStatus, StartMethod};
use offspring_tests::{block_on, open_descriptors, runs, until, watchdog, while_workers_are_killed};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

fn pool(workers: usize) -> Pool {
    Pool::new(workers).unwrap()
}

fn pid_after(_input: u64) -> u32 {
    std::process::id()
}

fn forever() {
    loop {
        std::thread::park_timeout(LONG);
    }
}

#[offspring::test]
fn a_map_has_the_results_in_the_order_of_the_inputs() {
    let _dog = watchdog();
    let pool = pool(3);
    for count in [0, 1, 2, 3, 10, 1000, 20_000] {
        let results = pool.try_map(|n: u64| n * 2, 0..count).unwrap();
        assert_eq!(results, (0..count).map(|n| n * 2).collect::<Vec<_>>());
    }
    let text = pool.starmap(|a: String, n: usize| a.repeat(n), [("ab".to_string(), 2), ("c".to_string(), 3)]);
    let text: Vec<String> = text.into_iter().map(Result::unwrap).collect();
    assert_eq!(text, ["abab", "ccc"]);
}

#[offspring::test]
fn inputs_and_results_of_every_length_arrive() {
    let _dog = watchdog();
    let pool = pool(2);
    let lengths = [0, 1, 100, 4096, 16_000, 17_000, 100_000, 3_000_000];
    for _ in 0..3 {
        let inputs = lengths.map(|length| "x".repeat(length));
        assert_eq!(
            pool.try_map(|text: String| text + "y", inputs.clone()).unwrap(),
            inputs.map(|text| text + "y")
        );
        let inputs = lengths.map(|length| Bytes::from(vec![7; length]));
        assert_eq!(pool.try_map(|bytes: Bytes| bytes, inputs.clone()).unwrap(), inputs);
    }
}

#[offspring::test]
fn a_submitted_task_gives_its_result_once() {
    let _dog = watchdog();
    let pool = pool(1);
    let task = pool.submit(|a: u32, b: u32| a - b, (7, 4)).unwrap();
    assert_eq!(task.get().unwrap(), 3);
    assert!(matches!(task.get().unwrap_err().failure(), TaskFailure::Taken));
    assert!(matches!(task.try_get().unwrap().unwrap_err().failure(), TaskFailure::Taken));

    let slow = pool.submit(|event: Event| event.wait().unwrap(), (Event::new().unwrap(),)).unwrap();
    assert!(slow.try_get().is_none());
    assert!(slow.get_timeout(Duration::from_millis(20)).is_none());
    assert!(!slow.is_done());
}

#[offspring::test]
fn tasks_can_be_awaited_and_called_back() {
    let _dog = watchdog();
    let pool = pool(2);
    let (tell, told) = std::sync::mpsc::channel();
    let task = pool.submit(|n: u32| n + 1, (1,)).unwrap();
    task.on_done(move || tell.send(()).unwrap());
    told.recv().unwrap();
    let sum = block_on(async {
        let other = pool.submit(|n: u32| n + 2, (1,)).unwrap();
        task.await.unwrap() + other.await.unwrap()
    });
    assert_eq!(sum, 5);
}

#[offspring::test]
fn a_callback_can_use_its_pool_also_when_a_worker_has_to_be_replaced_for_it() {
    let _dog = watchdog();
    let pool = Arc::new(Pool::builder().workers(1).max_tasks_per_child(1).start().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    let again = Arc::clone(&pool);
    pool.submit(|n: u32| n + 1, (1,)).unwrap().on_done(move || {
        tell.send(again.submit(|n: u32| n + 1, (2,)).unwrap().get().unwrap()).unwrap();
    });
    assert_eq!(told.recv().unwrap(), 3);
}

#[offspring::test]
fn of_several_threads_that_wait_for_one_task_one_gets_the_result() {
    let _dog = watchdog();
    let pool = pool(1);
    let gate = Event::new().unwrap();
    let task = pool.submit(|gate: Event| gate.wait().unwrap(), (gate.clone(),)).unwrap();
    let got: usize = std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| usize::from(task.get().is_ok()))).collect();
        gate.set().unwrap();
        waiting.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(got, 1);
    assert!(task.wait(LONG), "a task whose result was taken is done");
}

#[offspring::test]
fn to_cancel_what_is_done_says_so_and_costs_no_worker() {
    let _dog = watchdog();
    let pool = pool(1);
    for n in 0..200_u32 {
        let task = pool.submit(|n: u32| n, (n,)).unwrap();
        // Before it is begun, while it is done, and afterwards.
        (0..n % 50 * 50).for_each(|_| std::hint::spin_loop());
        let cancelled = task.cancel();
        assert_eq!(task.get().is_err(), cancelled);
    }
    let task = pool.submit(|n: u32| n, (1,)).unwrap();
    until("it is done", || task.is_done());
    let before = pool.stats().restarts;
    assert!(!task.cancel());
    assert_eq!(pool.try_map(|n: u32| n, 0..10).unwrap().len(), 10);
    assert_eq!(pool.stats().restarts, before);
}

fn with_little_memory() {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    let little = pages * 4096 + (40 << 20);
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_AS, little, little).unwrap();
}

#[offspring::test]
fn a_task_that_no_worker_can_take_fails_and_the_others_go_on() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(1).initializer(with_little_memory, ()).start().unwrap();
    let task = pool.submit(|bytes: Bytes| bytes.len(), (Bytes::from(vec![1; 80 << 20]),)).unwrap();
    assert!(task.get().is_err());
    assert_eq!(pool.try_map(|n: u32| n, 0..10).unwrap().len(), 10);
}

#[offspring::test]
fn a_callback_that_panics_harms_no_other() {
    let _dog = watchdog();
    let pool = pool(1);
    let event = Event::new().unwrap();
    let wait = |event: Event| event.wait().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let first = pool.submit(wait, (event.clone(),)).unwrap();
    first.on_done(|| panic!("in a callback"));
    let second = pool.submit(wait, (event.clone(),)).unwrap();
    second.on_done(move || tell.send(()).unwrap());
    event.set().unwrap();
    told.recv().unwrap();
    assert!(second.get().is_ok());
}

#[offspring::test]
fn a_panic_is_the_tasks_alone_and_arrives_whole() {
    let _dog = watchdog();
    let pool = pool(2);
    let before = pool.stats().workers.len();
    let results = pool.map(|n: u32| if n % 100 == 7 { panic!("no {n}") } else { n }, 0..1000);
    for (n, result) in results.iter().enumerate() {
        match result {
            Ok(result) => assert!(*result as usize == n && n % 100 != 7),
            Err(error) => {
                assert!(n % 100 == 7 && error.index() == Some(n));
                let TaskFailure::Panicked(panic) = error.failure() else { panic!("{error}") };
                assert_eq!(panic.message, format!("no {n}"));
                assert!(panic.location.is_some() && panic.backtrace.is_some());
                assert!(error.worker().unwrap().starts_with("Worker-"), "{error}");
            }
        }
    }
    let stats = pool.stats();
    assert_eq!((stats.workers.len(), stats.restarts), (before, 0), "a panic costs no worker");
}

/// A value that does what its name says at a certain moment of its travel.
#[derive(Clone, Debug)]
struct Trap {
    step: Step,
    deed: Deed,
    parent: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Step {
    EncodeArgument,
    DecodeArgument,
    Run,
    EncodeResult,
    DecodeResult,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Deed {
    Error,
    Panic,
    Exit,
    Crash,
}

impl Trap {
    fn spring<E>(&self, step: Step, error: impl FnOnce() -> E) -> Result<(), E> {
        if self.step != step {
            return Ok(());
        }
        match self.deed {
            Deed::Error => Err(error()),
            Deed::Panic => panic!("sprung"),
            Deed::Exit => std::process::exit(3),
            Deed::Crash => std::process::abort(),
        }
    }

    fn is_in_parent(&self) -> bool {
        std::process::id() == self.parent
    }
}

impl Serialize for Trap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let step = if self.is_in_parent() { Step::EncodeArgument } else { Step::EncodeResult };
        self.spring(step, || S::Error::custom("sprung"))?;
        (self.step, self.deed, self.parent).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Trap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (step, deed, parent) = Deserialize::deserialize(deserializer)?;
        let trap = Self { step, deed, parent };
        let step = if trap.is_in_parent() { Step::DecodeResult } else { Step::DecodeArgument };
        trap.spring(step, || D::Error::custom("sprung"))?;
        Ok(trap)
    }
}

#[offspring::test]
fn whatever_happens_to_a_task_on_its_way_is_its_own_failure_and_nobody_hangs() {
    let _dog = watchdog();
    let pool = pool(2);
    let run = |trap: Option<Trap>| {
        if let Some(trap) = &trap {
            trap.spring(Step::Run, || "sprung".to_string()).unwrap();
        }
        trap
    };
    for step in
        [Step::EncodeArgument, Step::DecodeArgument, Step::Run, Step::EncodeResult, Step::DecodeResult]
    {
        for deed in [Deed::Error, Deed::Panic, Deed::Exit, Deed::Crash] {
            let in_parent = matches!(step, Step::EncodeArgument | Step::DecodeResult);
            if in_parent && matches!(deed, Deed::Exit | Deed::Crash)
                || (step == Step::EncodeArgument && deed == Deed::Panic)
            {
                continue; // that is the parent's own end, or its own panic
            }
            let trap = Trap { step, deed, parent: std::process::id() };
            let inputs = [None, None, Some(trap.clone()), None, None];
            let results = pool.map(run, inputs);
            let failed: Vec<usize> =
                results.iter().enumerate().filter(|(_, result)| result.is_err()).map(|(n, _)| n).collect();
            assert_eq!(failed, [2], "{trap:?}");
            let error = results[2].as_ref().unwrap_err();
            let fits = match (step, deed, error.failure()) {
                (_, Deed::Exit, TaskFailure::Ended(status)) => *status == ExitStatus::Exited(3),
                (_, Deed::Crash, TaskFailure::Ended(status)) => status.signal() == Some(6),
                (Step::EncodeArgument | Step::DecodeArgument, Deed::Error, TaskFailure::Argument(why))
                | (Step::DecodeResult, Deed::Panic, TaskFailure::Output(why)) => why.contains("sprung"),
                (Step::EncodeResult | Step::DecodeResult, Deed::Error, TaskFailure::Output(why)) => {
                    why.contains("sprung")
                }
                (Step::Run, Deed::Error, TaskFailure::Panicked(_)) => true,
                (_, Deed::Panic, TaskFailure::Panicked(panic)) => panic.message == "sprung",
                _ => false,
            };
            assert!(fits, "{trap:?}: {error:?}");
            assert_eq!(pool.try_map(|n: u32| n, 0..10).unwrap().len(), 10, "the pool goes on");
        }
    }
}

#[offspring::test]
fn what_a_dead_worker_had_not_begun_is_done_by_another_and_nothing_is_done_twice() {
    let _dog = watchdog();
    let counts: offspring::shm::SharedSlice<std::sync::atomic::AtomicU32> =
        offspring::shm::SharedSlice::zeroed(3000).unwrap();
    let pool = Pool::builder().workers(2).initializer(|counts| counts, (counts.clone(),)).start().unwrap();
    let work = |n: u64| {
        pool::with_state(|counts: &mut offspring::shm::SharedSlice<std::sync::atomic::AtomicU32>| {
            counts[n as usize].fetch_add(1, Ordering::Relaxed);
        });
        match n % 500 {
            250 => std::process::exit(1),
            350 => std::process::abort(),
            _ => n,
        }
    };
    let results = pool.map(work, 0..3000_u64);
    for (n, result) in results.iter().enumerate() {
        match result {
            Ok(result) => assert_eq!(*result, n as u64),
            Err(error) => assert!(
                matches!(error.failure(), TaskFailure::Ended(_)) && [250, 350].contains(&(n % 500)),
                "{error}"
            ),
        }
        assert_eq!(counts[n].load(Ordering::Relaxed), 1, "{n}");
    }
    until("the dead have been replaced", || pool.stats().restarts == 12);
}

#[offspring::test]
fn a_lost_task_is_begun_anew_if_that_was_asked_for() {
    let _dog = watchdog();
    let tries: Shared<std::sync::atomic::AtomicU32> =
        Shared::new(std::sync::atomic::AtomicU32::new(0)).unwrap();
    let pool = Pool::builder().workers(1).retries(2).start().unwrap();
    let work = |tries: Shared<std::sync::atomic::AtomicU32>| {
        if tries.fetch_add(1, Ordering::Relaxed) < 2 {
            std::process::exit(1);
        }
        "done".to_string()
    };
    assert_eq!(pool.submit(work, (tries.clone(),)).unwrap().get().unwrap(), "done");
    let always = pool.submit(|| std::process::exit(4), ()).unwrap();
    let always: Result<(), _> = always.get();
    assert!(matches!(always.unwrap_err().failure(), TaskFailure::Ended(ExitStatus::Exited(4))));
}

#[offspring::test]
fn a_task_that_takes_too_long_is_killed_and_no_other() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(2).task_timeout(Duration::from_millis(100)).start().unwrap();
    let work = |n: u32| {
        if n == 5 {
            forever();
        }
        n
    };
    let results = pool.map(work, 0..50);
    for (n, result) in results.into_iter().enumerate() {
        match result {
            Ok(result) => assert_eq!(result as usize, n),
            Err(error) => {
                assert!(
                    n == 5
                        && matches!(error.failure(), TaskFailure::TimedOut(limit) if limit.as_millis() == 100),
                    "{error}"
                );
            }
        }
    }
}

#[offspring::test]
fn tasks_are_cancelled_while_they_wait_and_while_they_run() {
    let _dog = watchdog();
    let pool = pool(1);
    let begun = Event::new().unwrap();
    let endless = |begun: Event| {
        begun.set().unwrap();
        forever();
    };
    let running = pool.submit(endless, (begun.clone(),)).unwrap();
    let waiting: Vec<_> = (0..40).map(|n: u32| pool.submit(|n: u32| n, (n,)).unwrap()).collect();
    begun.wait().unwrap();
    assert!(waiting[3].cancel());
    assert!(!running.cancel_unless_begun());
    assert!(running.cancel());
    assert!(matches!(running.get().unwrap_err().failure(), TaskFailure::Cancelled));
    for (n, task) in waiting.iter().enumerate() {
        match task.get() {
            Ok(result) => assert!(result as usize == n && n != 3),
            Err(error) => assert!(n == 3 && matches!(error.failure(), TaskFailure::Cancelled), "{error}"),
        }
    }
    assert!(!waiting[0].cancel(), "it was done");
}

#[offspring::test]
fn an_iterator_takes_infinitely_many_inputs_a_little_ahead_and_stops_when_dropped() {
    let _dog = watchdog();
    let pool = pool(2);
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let inputs = (0_u64..).inspect(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let mut results = pool.imap(|n: u64| n * n, inputs);
    for n in 0..10_000_u64 {
        assert_eq!(results.next().unwrap().unwrap(), n * n);
    }
    drop(results);
    let so_far = taken.load(Ordering::Relaxed);
    assert!(so_far < 400_000, "{so_far} inputs were taken for 10,000 results");
    assert_eq!(pool.try_map(|n: u64| n, 0..10).unwrap().len(), 10);
    assert_eq!(taken.load(Ordering::Relaxed), so_far);

    let mut unordered: Vec<(usize, u64)> = pool
        .imap_unordered(|n: u64| n + 1, 0..5000)
        .map(|(index, result)| (index, result.unwrap()))
        .collect();
    unordered.sort_unstable();
    assert!(unordered.iter().enumerate().all(|(n, item)| *item == (n, n as u64 + 1)));
}

#[offspring::test]
fn an_error_of_an_iterator_stands_in_its_place_and_the_rest_follows() {
    let _dog = watchdog();
    let pool = pool(2);
    let results: Vec<bool> =
        pool.imap(|n: u32| assert_ne!(n, 3), 0..6).map(|result| result.is_ok()).collect();
    assert_eq!(results, [true, true, true, false, true, true]);
    assert!(pool.try_map(|n: u32| assert_ne!(n, 3), 0..6).is_err());
}

#[offspring::test]
fn a_task_that_takes_long_does_not_keep_back_those_behind_it() {
    let _dog = watchdog();
    let pool = pool(2);
    let release = Event::new().unwrap();
    // All of these could go to the two workers at once, some behind the one that waits.
    let work = |n: u32, release: Event| {
        if n == 0 {
            release.wait().unwrap();
        }
        n
    };
    let tasks: Vec<_> = (0..50).map(|n| pool.submit(work, (n, release.clone())).unwrap()).collect();
    for task in &tasks[1..] {
        assert!(task.get().unwrap() > 0);
    }
    assert!(!tasks[0].is_done());
    release.set().unwrap();
    assert_eq!(tasks[0].get().unwrap(), 0);
}

#[offspring::test]
fn several_tasks_are_waited_for_in_the_order_in_which_they_end() {
    let _dog = watchdog();
    let pool = pool(3);
    let gates = [Event::new().unwrap(), Event::new().unwrap(), Event::new().unwrap()];
    let work = |gate: Event| gate.wait().unwrap();
    let mut tasks = pool.submit_batch(work, gates.iter().map(|gate| (gate.clone(),))).unwrap();
    assert_eq!(pool::wait_any(&tasks, Some(Duration::ZERO)), None);
    gates[1].set().unwrap();
    assert_eq!(pool::wait_any(&tasks, None), Some(1));
    tasks.remove(1).get().unwrap();
    let mut completed = pool::as_completed(tasks);
    gates[2].set().unwrap();
    assert_eq!(completed.next().unwrap().0, 1);
    gates[0].set().unwrap();
    assert_eq!(completed.next().unwrap().0, 0);
    assert!(completed.next().is_none());
}

#[offspring::test]
fn workers_keep_the_state_that_their_initializer_made() {
    let _dog = watchdog();
    let make = |start: u64| vec![start];
    let pool = Pool::builder().workers(2).initializer(make, (100,)).start().unwrap();
    let add = |n: u64| {
        pool::with_state(|seen: &mut Vec<u64>| {
            seen.push(n);
            (std::process::id(), seen.len())
        })
    };
    let mut lengths = std::collections::HashMap::new();
    for (pid, length) in pool.try_map(add, 0..100).unwrap() {
        let longest = lengths.entry(pid).or_insert(1);
        assert!(length > 1);
        *longest = length.max(*longest);
    }
    assert_eq!(lengths.values().sum::<usize>(), 100 + lengths.len());
    let none = pool.submit(|| pool::with_state(|_: &mut String| ()), ()).unwrap().get().unwrap_err();
    assert!(none.to_string().contains("the initializer returned something else"), "{none}");
}

fn fails(why: String) -> u32 {
    panic!("{why}")
}

fn exits() -> u32 {
    std::process::exit(9)
}

#[offspring::test]
fn an_initializer_that_fails_fails_the_pool_with_its_reason() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(2).initializer(fails, ("no database".to_string(),)).start().unwrap();
    let error = pool.map(|n: u32| n, 0..3).remove(0).unwrap_err();
    assert!(matches!(error.failure(), TaskFailure::Pool(why) if why.contains("no database")), "{error}");
    let error = pool.submit(|| (), ()).unwrap_err();
    assert!(matches!(&error, PoolError::Closed(why) if why.contains("no database")), "{error}");

    let pool = Pool::builder().workers(2).initializer(exits, ()).start().unwrap();
    let error = pool.map(|n: u32| n, 0..3).remove(2).unwrap_err();
    assert!(error.to_string().contains('9'), "{error}");
}

#[offspring::test]
fn a_worker_that_every_task_kills_does_not_end_the_pool() {
    let _dog = watchdog();
    let pool = pool(2);
    let results = pool.map(|n: i32| std::process::exit(n), 0..40);
    let codes: Vec<i32> = results
        .into_iter()
        .map(|result: Result<(), _>| match result.unwrap_err().failure() {
            TaskFailure::Ended(ExitStatus::Exited(code)) => *code,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(codes, (0..40).collect::<Vec<_>>());
    assert_eq!(pool.try_map(|n: u32| n, 0..10).unwrap().len(), 10);
}

#[offspring::test]
fn a_worker_makes_room_for_a_new_one_after_its_share_of_tasks() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(2).max_tasks_per_child(10).start().unwrap();
    let mut tasks = std::collections::HashMap::<u32, u32>::new();
    for pid in pool.try_map(pid_after, 0..105).unwrap() {
        *tasks.entry(pid).or_default() += 1;
    }
    assert!(tasks.values().all(|count| *count <= 10), "{tasks:?}");
    assert!(tasks.len() >= 11);
}

#[offspring::test]
fn every_worker_gets_what_is_broadcast_also_a_busy_one() {
    let _dog = watchdog();
    let pool = pool(3);
    let pids = |pool: &Pool| {
        let mut pids: Vec<u32> =
            pool.broadcast(std::process::id, ()).unwrap().into_iter().map(Result::unwrap).collect();
        pids.sort_unstable();
        pids
    };
    let mut workers: Vec<u32> = pool.stats().workers.iter().map(|worker| worker.pid).collect();
    workers.sort_unstable();
    assert_eq!(pids(&pool), workers);
    let results = pool.broadcast(|| std::process::exit(1), ()).unwrap();
    assert!(results.iter().all(|result: &Result<(), _>| result.is_err()) && results.len() == 3);
    assert_eq!(pool.try_map(|n: u32| n, 0..10).unwrap().len(), 10);
}

#[offspring::test]
fn a_pool_becomes_larger_and_smaller() {
    let _dog = watchdog();
    let pool = pool(1);
    pool.resize(4).unwrap();
    until("there are four workers", || pool.stats().workers.len() == 4);
    assert_eq!(pool.try_map(|n: u32| n, 0..1000).unwrap().len(), 1000);
    pool.resize(2).unwrap();
    until("there are two workers", || pool.stats().workers.len() == 2);
    assert_eq!(pool.try_map(|n: u32| n, 0..1000).unwrap().len(), 1000);
    assert!(matches!(pool.resize(0), Err(PoolError::Invalid(_))));
}

#[offspring::test]
fn a_closed_pool_does_what_it_has_and_takes_no_more() {
    let _dog = watchdog();
    let pool = pool(2);
    let tasks: Vec<_> = (0..100_u32).map(|n| pool.submit(|n: u32| n, (n,)).unwrap()).collect();
    let workers: Vec<u32> = pool.stats().workers.iter().map(|worker| worker.pid).collect();
    pool.close();
    assert!(matches!(pool.submit(|| (), ()), Err(PoolError::Closed(_))));
    assert!(matches!(pool.map(|n: u32| n, [1]).remove(0).unwrap_err().failure(), TaskFailure::Pool(_)));
    pool.join();
    assert!(workers.iter().all(|pid| !runs(*pid)));
    assert!(tasks.iter().enumerate().all(|(n, task)| task.get().unwrap() as usize == n));
    pool.join();
}

#[offspring::test]
fn a_pool_that_is_dropped_or_terminated_leaves_no_worker_and_fails_what_is_not_done() {
    let _dog = watchdog();
    for terminate in [false, true] {
        let pool = pool(2);
        let tasks: Vec<_> = (0..10).map(|_| pool.submit(forever, ()).unwrap()).collect();
        let workers: Vec<u32> = pool.stats().workers.iter().map(|worker| worker.pid).collect();
        if terminate {
            pool.terminate();
            assert!(matches!(pool.submit(|| (), ()), Err(PoolError::Closed(_))));
        }
        drop(pool);
        assert!(workers.iter().all(|pid| !runs(*pid)));
        for task in tasks {
            assert!(matches!(task.get().unwrap_err().failure(), TaskFailure::Pool(_)));
        }
    }
}

#[offspring::test]
fn threads_share_a_pool() {
    let _dog = watchdog();
    let pool = pool(2);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..50_u64 {
                    let input = thread * 1000 + round;
                    assert_eq!(pool.submit(|n: u64| n + 1, (input,)).unwrap().get().unwrap(), input + 1);
                }
                let results = pool.try_map(|n: u64| n * 3, 0..2000).unwrap();
                assert!(results.iter().enumerate().all(|(n, result)| *result == n as u64 * 3));
            });
        }
    });
}

#[offspring::test]
fn the_shared_pool_is_one_and_a_pool_works_in_a_worker() {
    let _dog = watchdog();
    let shared = Pool::shared().unwrap();
    assert!(std::ptr::eq(shared, Pool::shared().unwrap()));
    let nested = |n: u64| {
        let pool = Pool::new(2).unwrap();
        pool.try_map(|n: u64| n + 1, 0..n).unwrap().into_iter().sum::<u64>()
    };
    assert_eq!(shared.try_map(nested, [10, 20]).unwrap(), [55, 210]);
}

#[offspring::test]
fn handles_travel_as_arguments_and_results_of_tasks() {
    let _dog = watchdog();
    let pool = pool(2);
    let (sender, receiver) = offspring::channel().unwrap();
    let tell = |n: u32, sender: offspring::Sender<u32>| sender.send(n).unwrap();
    for result in pool.starmap(tell, (0..20).map(|n| (n, sender.clone()))) {
        result.unwrap();
    }
    drop(sender);
    let mut got: Vec<u32> = receiver.iter().map(Result::unwrap).collect();
    got.sort_unstable();
    assert_eq!(got, (0..20).collect::<Vec<_>>());

    let open = |n: u32| {
        let (reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, n.to_string().as_bytes()).unwrap();
        Attachment::new(reader)
    };
    for (n, reader) in pool.try_map(open, 0..10).unwrap().into_iter().enumerate() {
        assert_eq!(std::io::read_to_string(reader.into_inner()).unwrap(), n.to_string());
    }
}

#[offspring::test]
fn pools_of_every_start_method_work_and_leave_no_descriptor() {
    let _dog = watchdog();
    let work = || {
        let before = open_descriptors().len();
        for method in offspring::start_methods() {
            if method == StartMethod::Fork {
                continue; // which is refused
            }
            let pool = Pool::builder().workers(2).start_method(method).start().unwrap();
            assert_eq!(pool.try_map(|n: u32| n + 1, 0..100).unwrap()[99], 100);
            let _killed = pool.map(
                |n: u32| {
                    if n == 3 {
                        std::process::abort()
                    }
                },
                0..10,
            );
        }
        until("the pools' descriptors are closed", || open_descriptors().len() <= before + 8);
    };
    offspring::spawn(work, ()).unwrap().join().unwrap();
}

#[offspring::test]
fn settings_that_cannot_be_are_errors() {
    let _dog = watchdog();
    let invalid = |builder: pool::Builder| matches!(builder.start(), Err(PoolError::Invalid(_)));
    assert!(invalid(Pool::builder().workers(0)));
    assert!(invalid(Pool::builder().max_tasks_per_child(0)));
    assert!(invalid(Pool::builder().chunk_size(0)));
    assert!(invalid(Pool::builder().task_timeout(Duration::ZERO)));
    assert!(invalid(Pool::builder().workers(2).min_workers(0)));
    assert!(invalid(Pool::builder().workers(2).min_workers(3)));
    assert!(invalid(Pool::builder().idle_timeout(Duration::from_secs(1))));
    assert!(invalid(Pool::builder().pin_to_cpus([])));
    // A pool has a thread, and a program with threads is not forked.
    assert!(invalid(Pool::builder().start_method(StartMethod::Fork)));
}

#[offspring::test]
fn workers_that_are_killed_from_outside_at_any_moment_cost_one_task_each_at_most() {
    let _dog = watchdog();
    let pool = pool(2);
    let mut failed = 0;
    let kills = while_workers_are_killed(
        &pool,
        |_| true,
        || {
            for _ in 0..20 {
                let results = pool.map(|n: u64| n + 1, 0..100_000);
                for (n, result) in results.into_iter().enumerate() {
                    match result {
                        Ok(result) => assert_eq!(result, n as u64 + 1),
                        Err(error) => {
                            assert!(matches!(error.failure(), TaskFailure::Ended(_)), "{error}");
                            failed += 1;
                        }
                    }
                }
            }
        },
    );
    assert!(failed <= kills, "{failed} tasks failed of {kills} kills");
    assert_eq!(pool.try_map(|n: u32| n, 0..10).unwrap().len(), 10);
    assert!(pool.stats().restarts <= kills as u64);
}

#[offspring::test]
fn a_copy_of_the_process_has_no_pool_and_leaves_the_originals_alone() {
    #![allow(unsafe_code)]
    let _dog = watchdog();
    let work = || {
        let pool = Pool::new(2).unwrap();
        let task = pool.submit(forever, ()).unwrap();
        // SAFETY: the child calls nothing that takes a lock of the pool's or the allocator's, which its threads may hold, and exits.
        match unsafe { offspring::fork() }.unwrap() {
            offspring::Fork::Child => {
                let closed = matches!(pool.submit(|| (), ()), Err(PoolError::Closed(_)));
                let refused = task.get().is_err() && !task.cancel();
                drop(pool);
                std::process::exit(i32::from(!(closed && refused)));
            }
            offspring::Fork::Parent(pid) => {
                assert_eq!(offspring::waitpid(pid, true).unwrap(), Some(ExitStatus::Exited(0)));
                assert_eq!(pool.try_map(|n: u32| n + 1, 0..10).unwrap().len(), 10);
                assert_eq!(pool.stats().restarts, 0);
            }
        }
    };
    offspring::spawn(work, ()).unwrap().join().unwrap();
}

#[offspring::test]
fn functions_are_given_the_state_of_their_worker() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(2).initializer(|start: u64| vec![start], (7,)).start().unwrap();
    let push = |seen: &mut Vec<u64>, a: u64, b: u64| {
        seen.push(a + b);
        seen[0]
    };
    let firsts = pool.starmap(pool::stateful(push), (0..50).map(|n| (n, n)));
    assert!(firsts.into_iter().all(|first| first.unwrap() == 7));
    let length = pool.submit(pool::stateful(|seen: &mut Vec<u64>| seen.len()), ()).unwrap();
    assert!(length.get().unwrap() >= 1);
    let other = pool.submit(pool::stateful(|_: &mut String| ()), ()).unwrap().get().unwrap_err();
    assert!(matches!(other.failure(), TaskFailure::Panicked(_)), "{other}");
    // Without an initializer the state is nothing.
    let plain = self::pool(1);
    assert_eq!(plain.try_map(pool::stateful(|(): &mut (), n: u32| n + 1), [1]).unwrap(), [2]);
}

#[offspring::test]
fn what_workers_return_at_their_end_can_be_collected() {
    let _dog = watchdog();
    let count = |seen: &mut u32| {
        assert!(*seen < 1000, "seen too much");
        *seen
    };
    let build = || Pool::builder().workers(2).initializer(|| 0_u32, ()).worker_exit(count);
    let see = pool::stateful(|seen: &mut u32, n: u32| *seen += n);

    let pool = build().max_tasks_per_child(10).start().unwrap();
    pool.try_map(see, vec![1; 105]).unwrap();
    pool.join();
    let results: Vec<u32> = pool.exit_results().into_iter().map(Result::unwrap).collect();
    assert!(results.len() >= 11 && results.iter().all(|count| *count <= 10), "{results:?}");
    assert_eq!(results.iter().sum::<u32>(), 105);
    assert!(pool.exit_results::<u32>().is_empty());

    let pool = build().start().unwrap();
    pool.try_map(see, [2000]).unwrap();
    pool.join();
    let results = pool.exit_results::<u32>();
    let failed: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(results.len() == 2 && failed.len() == 1);
    assert!(matches!(failed[0].failure(), TaskFailure::Panicked(panic) if panic.message == "seen too much"));

    let ends = |(): &mut ()| -> () { std::process::exit(3) };
    let pool = Pool::builder().workers(1).worker_exit(ends).start().unwrap();
    pool.join();
    let result: Result<(), _> = pool.exit_results().remove(0);
    assert!(matches!(result.unwrap_err().failure(), TaskFailure::Ended(ExitStatus::Exited(3))));
}

#[offspring::test]
fn to_join_is_to_wait_for_callbacks_too() {
    let _dog = watchdog();
    for _ in 0..20 {
        let pool = pool(2);
        let called = Arc::new(AtomicUsize::new(0));
        let tasks = pool.submit_batch(|n: u32| n, (0..20).map(|n| (n,))).unwrap();
        for task in &tasks {
            let called = Arc::clone(&called);
            task.on_done(move || {
                std::thread::yield_now();
                called.fetch_add(1, Ordering::SeqCst);
            });
        }
        pool.join();
        assert_eq!(called.load(Ordering::SeqCst), 20);
    }
}

#[offspring::test]
fn a_callback_can_join_its_pool() {
    let _dog = watchdog();
    let pool = Arc::new(pool(1));
    let again = Arc::clone(&pool);
    let (tell, told) = std::sync::mpsc::channel();
    pool.submit(|| (), ()).unwrap().on_done(move || {
        again.join();
        tell.send(()).unwrap();
    });
    told.recv().unwrap();
}

#[offspring::test]
fn hundreds_of_thousands_of_waiting_tasks_are_cancelled_one_by_one() {
    let _dog = watchdog();
    let pool = pool(1);
    let gate = Event::new().unwrap();
    let first = pool.submit(|gate: Event| gate.wait().unwrap(), (gate.clone(),)).unwrap();
    let tasks: Vec<_> = (0..200_000_u32).map(|n| pool.submit(|n: u32| n, (n,)).unwrap()).collect();
    let (some, others) = tasks.split_at(100_000);
    assert!(some.iter().chain(others.iter().rev()).all(pool::Task::cancel));
    assert!(tasks.iter().all(|task| matches!(task.get().unwrap_err().failure(), TaskFailure::Cancelled)));
    gate.set().unwrap();
    first.get().unwrap();
}

fn dies_soon() {
    std::thread::spawn(|| std::process::exit(21));
}

#[offspring::test]
fn a_pool_whose_workers_end_as_soon_as_they_are_ready_gives_up() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(2).initializer(dies_soon, ()).start().unwrap();
    let why = || match pool.submit(|| (), ()) {
        Err(PoolError::Closed(why)) => Some(why),
        _ => None,
    };
    // A task that is begun before its worker ends would be another matter.
    until("the pool gives up", || pool.stats().workers.is_empty() && why().is_some());
    assert!(why().unwrap().contains("21"), "{:?}", why());
}

#[offspring::test]
fn a_result_whose_handles_cannot_be_received_is_the_failure_of_its_task() {
    let _dog = watchdog();
    let work = || {
        let pool = Pool::new(1).unwrap();
        let open = |count: usize| {
            (0..count).map(|_| Attachment::new(std::io::pipe().unwrap().0)).collect::<Vec<_>>()
        };
        assert_eq!(pool.submit(open, (3,)).unwrap().get().unwrap().len(), 3);
        // The worker may open as many as before.
        let most = open_descriptors().len() as u64 + 20;
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, most, most).unwrap();
        let error = pool.submit(open, (200,)).unwrap().get().map(|all| all.len()).unwrap_err();
        assert!(matches!(error.failure(), TaskFailure::Output(_)), "{error}");
        assert_eq!(pool.submit(open, (3,)).unwrap().get().unwrap().len(), 3);
        assert_eq!(pool.try_map(|n: u32| n + 1, 0..100).unwrap().len(), 100);
    };
    offspring::spawn(work, ()).unwrap().join().unwrap();
}

#[offspring::test]
fn a_pool_grows_with_its_work_and_shrinks_without_it() {
    let _dog = watchdog();
    let idle = Duration::from_millis(20);
    let pool = Pool::builder().workers(3).min_workers(1).idle_timeout(idle).start().unwrap();
    assert_eq!(pool.stats().workers.len(), 1);
    // Each of them waits for the others, so that there has to be a worker for each.
    let all = offspring::sync::Barrier::new(3).unwrap();
    let meet = |all: offspring::sync::Barrier| {
        all.wait().unwrap();
        std::process::id()
    };
    let tasks = pool.submit_batch(meet, vec![(all,); 3]).unwrap();
    let pids: std::collections::HashSet<u32> = tasks.iter().map(|task| task.get().unwrap()).collect();
    assert_eq!(pids.len(), 3);
    until("one worker is left", || pool.stats().workers.len() == 1);
    assert_eq!(pool.try_map(|n: u32| n, 0..1000).unwrap().len(), 1000);
    assert_eq!(pool.stats().restarts, 0);
    pool.resize(2).unwrap();
    until("there are two, and no more", || pool.stats().workers.len() == 2);
    assert_eq!(pool.workers(), 2);
}

#[offspring::test]
fn workers_have_a_processor_each_and_are_nice() {
    let _dog = watchdog();
    let cpus = offspring::usable_cpus().unwrap();
    let pool = Pool::builder().workers(cpus.len() * 2).pin_to_cpus(cpus.clone()).nice(3).start().unwrap();
    let look = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let nice: i32 = stat.rsplit(')').next().unwrap().split(' ').nth(17).unwrap().parse().unwrap();
        (offspring::usable_cpus().unwrap(), nice)
    };
    let nicer = (look().1 + 3).min(19); // which is as nice as can be
    let mut seen: Vec<usize> = Vec::new();
    for result in pool.broadcast(look, ()).unwrap() {
        let (on, nice) = result.unwrap();
        assert!(on.len() == 1 && nice == nicer, "{on:?} {nice}");
        seen.extend(on);
    }
    seen.sort_unstable();
    let mut twice = [cpus.clone(), cpus].concat();
    twice.sort_unstable();
    assert_eq!(seen, twice);

    let pool = Pool::builder().workers(1).pin_to_cpus([4000]).start().unwrap();
    let error = pool
        .submit(|| (), ())
        .and_then(|task| task.get().map_err(|error| PoolError::Closed(error.to_string())));
    assert!(error.unwrap_err().to_string().contains("CPU 4000"));
}

#[offspring::test]
fn a_worker_that_has_grown_too_large_makes_room_for_a_new_one() {
    let _dog = watchdog();
    let grow = |kept: &mut Vec<Vec<u8>>, size: usize| {
        kept.push(vec![1; size]);
        std::process::id()
    };
    let pool = Pool::builder()
        .workers(1)
        .initializer(Vec::<Vec<u8>>::new, ())
        .max_memory_per_child(64 << 20)
        .start()
        .unwrap();
    let small = pool.try_map(pool::stateful(grow), vec![1000; 500]).unwrap();
    assert!(small.iter().all(|pid| *pid == small[0]), "it has not grown yet");
    // The task that makes it too large has its result, and those behind it are done once by the next.
    let large = pool.submit(pool::stateful(grow), (100 << 20,)).unwrap();
    let behind = pool.submit_batch(pool::stateful(grow), vec![(1000,); 20]).unwrap();
    assert_eq!(large.get().unwrap(), small[0]);
    assert_ne!(behind.last().unwrap().get().unwrap(), small[0]);
    assert!(behind.iter().take(19).all(|task| task.get().is_ok()));
    assert_eq!(pool.stats().restarts, 1);
    assert!(matches!(Pool::builder().max_memory_per_child(0).start(), Err(PoolError::Invalid(_))));
}

#[offspring::test]
fn what_is_done_is_not_kept_back_by_a_long_call_behind_it() {
    let _dog = watchdog();
    let block = |n: u64, release: Event| {
        if n == 1000 {
            release.wait().unwrap();
        }
        n
    };
    for chunk in [1, 10_000] {
        let pool = Pool::builder().workers(1).chunk_size(chunk).start().unwrap();
        let release = Event::new().unwrap();
        let inputs = (0..2000).map(|n| (n, release.clone()));
        std::thread::scope(|scope| {
            let all = scope.spawn(|| pool.starmap(block, inputs).len());
            until("what is before the long call is answered", || {
                pool.stats().workers.iter().map(|worker| worker.tasks).sum::<u64>() >= 1000
            });
            release.set().unwrap();
            assert_eq!(all.join().unwrap(), 2000);
        });
        let mut results = pool.imap(|n: u64| if n < 1000 { n } else { forever_and(n) }, 0_u64..);
        assert!((0..1000).all(|n| results.next().unwrap().unwrap() == n));
        drop(results);
        pool.terminate();
    }
}

fn forever_and(n: u64) -> u64 {
    forever();
    n
}

#[offspring::test]
fn a_pool_that_becomes_smaller_while_it_is_busy_gives_those_that_leave_nothing_more() {
    let _dog = watchdog();
    let pool = pool(3);
    let gate = Event::new().unwrap();
    let wait = |gate: Event| {
        gate.wait().unwrap();
        std::process::id()
    };
    let tasks = pool.submit_batch(wait, vec![(gate.clone(),); 30]).unwrap();
    pool.resize(1).unwrap();
    gate.set().unwrap();
    let mut done = std::collections::HashMap::<u32, u32>::new();
    for task in &tasks {
        *done.entry(task.get().unwrap()).or_default() += 1;
    }
    // Each of those that leave had two before it.
    assert!(done.values().any(|count| *count >= 26), "{done:?}");
    until("one worker is left", || pool.stats().workers.len() == 1);
}

#[offspring::test]
fn a_closed_pool_still_grows_with_the_work_that_it_has() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(3).min_workers(1).start().unwrap();
    let all = offspring::sync::Barrier::new(3).unwrap();
    let meet = |all: offspring::sync::Barrier| {
        all.wait().unwrap();
    };
    let tasks = pool.submit_batch(meet, vec![(all,); 3]).unwrap();
    pool.join();
    assert!(tasks.iter().all(|task| task.get().is_ok()));
}

#[offspring::test]
fn a_callback_is_called_although_every_worker_is_busy_and_nobody_waits() {
    let _dog = watchdog();
    let pool = pool(1);
    let busy = pool.submit(forever, ()).unwrap();
    let queued = pool.submit(|| (), ()).unwrap();
    until("the pool has settled", || pool.stats().workers[0].busy > Duration::from_millis(200));
    let (tell, told) = std::sync::mpsc::channel();
    queued.on_done(move || tell.send(()).unwrap());
    assert!(queued.cancel());
    told.recv().unwrap();
    assert!(!busy.is_done());
}
