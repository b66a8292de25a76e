//! Pools: what hangs, breaks or exhausts the pools of others, and the traps of Python's pools that `pool.rs` does not have.

#![allow(clippy::cast_possible_truncation, clippy::needless_pass_by_value)] // numbers are small, and arguments are values

use std::os::unix::process::CommandExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use offspring::pool::{self, Pool, PoolError, TaskFailure};
use offspring::shm::{Shared, SharedSlice};
use offspring::sync::{Barrier, Event};
use offspring::{Attachment, Bytes, ExitStatus};
use offspring_tests::{children_of, finish, numbers_after, open_descriptors, program, runs, until, watchdog};
use serde::{Deserialize, Serialize, Serializer};

const LONG: Duration = Duration::from_secs(600);

fn pool(workers: usize) -> Pool {
    Pool::new(workers).unwrap()
}

fn wait(gate: Event) {
    gate.wait().unwrap();
}

fn forever() {
    loop {
        std::thread::park_timeout(LONG);
    }
}

fn workers(pool: &Pool) -> Vec<u32> {
    pool.stats().workers.iter().map(|worker| worker.pid).collect()
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid as i32), signal).unwrap();
}

/// Runs something in a process of its own that may have so few descriptors.
fn with_descriptors(limit: u64, work: fn()) {
    let limited = |limit: u64, work: usize| {
        setrlimit(Resource::RLIMIT_NOFILE, limit, limit).unwrap();
        WORKS[work]();
    };
    let place = WORKS.iter().position(|known| std::ptr::fn_addr_eq(*known, work)).unwrap();
    offspring::target(limited, (limit, place)).start().unwrap().join().unwrap();
}

/// What is run with few descriptors: functions do not travel, their places here do.
const WORKS: [fn(); 3] = [many_tasks_wait, more_workers_than_descriptors, many_maps_and_deaths];

// --- The rivals' defects ---

#[test]
fn a_pool_whose_children_die_before_the_guard_says_so() {
    let _dog = watchdog();
    for method in ["forkserver", "spawn"] {
        for (how, what) in [("exits", "exit code 9"), ("crashes", "signal 6")] {
            let mut program = program(env!("CARGO_BIN_EXE_pools"), &["early", how]);
            let done = finish(program.env("OFFSPRING_START_METHOD", method));
            // With `spawn` a start is over before the guard: the first task tells.
            let said = done.stdout.contains(what) && done.stdout.contains("before offspring::init()");
            assert!(said && !done.stdout.contains("unexpected"), "{method}: {done:?}");
            assert_eq!(done.code, Some(0));
        }
    }
    let done = finish(&mut program(env!("CARGO_BIN_EXE_pools"), &["unguarded"]));
    assert!(done.stdout.contains("#[offspring::main]"), "{done:?}");
}

#[offspring::test]
fn workers_go_on_to_the_next_task_though_nobody_takes_results() {
    let _dog = watchdog();
    let pool = pool(1);
    let done = Event::new().unwrap();
    let make = |n: usize| "x".repeat(100_000 + n);
    let large: Vec<_> = (0..100).map(|n| pool.submit(make, (n,)).unwrap()).collect();
    let last = pool.submit(|done: Event| done.set().unwrap(), (done.clone(),)).unwrap();
    done.wait().unwrap();
    last.get().unwrap();
    for (n, task) in large.iter().enumerate() {
        assert_eq!(task.get().unwrap().len(), 100_000 + n);
    }
}

#[offspring::test]
fn a_large_argument_behind_a_task_that_runs_does_not_hold_up_who_submits_it() {
    let _dog = watchdog();
    let pool = pool(1);
    let gate = Event::new().unwrap();
    let first = pool.submit(wait, (gate.clone(),)).unwrap();
    let lengths = [1 << 20, 4 << 20, 64 << 20];
    let length = |bytes: Bytes| bytes.len();
    let bytes = lengths.map(|length| Bytes::from(vec![1; length]));
    let in_place = pool.submit_batch(length, bytes.into_iter().map(|bytes| (bytes,))).unwrap();
    let text = |text: String| text.len();
    let encoded = pool.submit_batch(text, [1 << 20, 16 << 20].map(|length| ("x".repeat(length),))).unwrap();
    assert!(!first.is_done());
    gate.set().unwrap();
    first.get().unwrap();
    assert_eq!(in_place.iter().map(|task| task.get().unwrap()).collect::<Vec<_>>(), lengths);
    assert_eq!(encoded.iter().map(|task| task.get().unwrap()).collect::<Vec<_>>(), [1 << 20, 16 << 20]);
}

fn many_tasks_wait() {
    let pool = pool(1);
    let gate = Event::new().unwrap();
    let first = pool.submit(wait, (gate.clone(),)).unwrap();
    let tasks: Vec<_> = (0..5000_u32).map(|n| pool.submit(|n: u32| n + 1, (n,)).unwrap()).collect();
    gate.set().unwrap();
    first.get().unwrap();
    for (n, task) in tasks.iter().enumerate() {
        assert_eq!(task.get().unwrap() as usize, n + 1);
    }
}

#[offspring::test]
fn tasks_that_wait_cost_no_descriptors() {
    let _dog = watchdog();
    with_descriptors(1024, many_tasks_wait);
    with_descriptors(64, many_tasks_wait);
}

fn more_workers_than_descriptors() {
    let before = open_descriptors();
    let error = Pool::new(60).unwrap_err();
    assert!(matches!(error, PoolError::Start(_) | PoolError::System(_)), "{error:?}");
    until("those that could be started are gone", || {
        children_of(std::process::id()).iter().all(|child| child.title == "offspring-fork")
    });
    until("their descriptors are closed", || open_descriptors().len() <= before.len() + 8);
    assert_eq!(pool(2).try_map(|n: u32| n, 0..100).unwrap().len(), 100);
}

#[offspring::test]
fn a_pool_that_cannot_have_all_its_workers_is_an_error_and_leaves_none() {
    let _dog = watchdog();
    with_descriptors(64, more_workers_than_descriptors);
}

fn many_maps_and_deaths() {
    let pool = pool(2);
    for _ in 0..20 {
        let results = pool.map(|n: u32| if n == 50 { std::process::exit(1) } else { n }, 0..100);
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
    }
}

#[offspring::test]
fn dead_workers_give_their_descriptors_back() {
    let _dog = watchdog();
    with_descriptors(64, many_maps_and_deaths);
}

// --- The way of a task through both processes ---

/// A value that panics when it is encoded in the process that has the pool.
struct Panics(u32);

impl Serialize for Panics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert_ne!(self.0, 3, "no {}", self.0);
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self)
    }
}

/// What a panic of the caller's says.
fn panics<R>(action: impl FnOnce() -> R) -> String {
    let cause = std::panic::catch_unwind(std::panic::AssertUnwindSafe(action)).err().expect("it panics");
    cause
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).into()))
        .unwrap()
}

#[offspring::test]
fn an_input_or_an_encoding_that_panics_is_the_callers_panic_and_the_pool_goes_on() {
    let _dog = watchdog();
    let pool = pool(2);
    let take = |value: Panics| value.0;
    let inputs = || (0..10_u32).map(Panics);
    assert!(panics(|| pool.submit(take, (Panics(3),))).contains("no 3"));
    assert!(panics(|| pool.map(take, inputs())).contains("no 3"));
    assert!(panics(|| pool.try_map(take, inputs())).contains("no 3"));
    assert!(panics(|| pool.imap(take, inputs()).count()).contains("no 3"));
    assert!(panics(|| pool.imap_unordered(take, inputs()).count()).contains("no 3"));
    assert!(panics(|| pool.broadcast(take, (Panics(3),))).contains("no 3"));
    let inputs = || (0..10_u32).inspect(|n| assert_ne!(*n, 7, "no more"));
    assert!(panics(|| pool.map(|n: u32| n, inputs())).contains("no more"));
    assert!(panics(|| pool.imap(|n: u32| n, inputs()).count()).contains("no more"));
    assert_eq!(pool.try_map(|n: u32| n, 0..1000).unwrap().len(), 1000);
    assert_eq!(pool.stats().queued, 0);
}

#[test]
fn a_program_that_ends_while_it_encodes_or_decodes_takes_its_workers_along() {
    let _dog = watchdog();
    for at in ["encoding", "decoding"] {
        for (how, code, signal) in [("exits", Some(3), None), ("crashes", None, Some(6))] {
            let done = finish(&mut program(env!("CARGO_BIN_EXE_pools"), &[at, how]));
            assert_eq!((done.code, done.signal), (code, signal), "{at}, {how}: {done:?}");
            let pids = done.stdout.strip_prefix("workers ").unwrap().split_whitespace();
            let pids: Vec<u32> = pids.map(|pid| pid.parse().unwrap()).collect();
            assert_eq!(pids.len(), 2);
            until("the workers are gone", || !pids.iter().any(|pid| runs(*pid)));
        }
    }
}

/// Panics with something whose destructor panics, too.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("and again");
    }
}

#[offspring::test]
fn a_panic_whose_payload_panics_when_dropped_is_the_tasks_alone() {
    let _dog = watchdog();
    let pool = pool(1);
    let work = |n: u32| if n == 5 { std::panic::panic_any(Bomb) } else { n };
    let failed: Vec<bool> = pool.map(work, 0..10).into_iter().map(|result| result.is_err()).collect();
    assert_eq!(failed, (0..10).map(|n| n == 5).collect::<Vec<_>>());
    assert_eq!(pool.stats().restarts, 0);
}

#[offspring::test]
fn the_copy_of_a_worker_that_forks_in_a_task_does_none_of_the_pools_tasks() {
    #![allow(unsafe_code)]
    let _dog = watchdog();
    let counts = SharedSlice::<AtomicU32>::zeroed(1000).unwrap();
    let pool = Pool::builder().workers(1).chunk_size(100).initializer(|counts| counts, (counts.clone(),));
    let pool = pool.start().unwrap();
    let work = |n: u32| {
        pool::with_state(|counts: &mut SharedSlice<AtomicU32>| {
            counts[n as usize].fetch_add(1, Ordering::Relaxed);
        });
        if n % 100 == 10 {
            // SAFETY: the worker has one thread.
            if let offspring::Fork::Parent(copy) = unsafe { offspring::fork() }.unwrap() {
                // It returns as well, into what called this.
                assert_eq!(offspring::waitpid(copy, true).unwrap(), Some(ExitStatus::Exited(0)));
            }
        }
        n
    };
    assert_eq!(pool.try_map(work, 0..1000).unwrap(), (0..1000).collect::<Vec<_>>());
    assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    assert_eq!(pool.stats().restarts, 0);
}

#[offspring::test]
fn what_a_task_leaves_running_in_its_worker_harms_no_other() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(2).max_tasks_per_child(3).start().unwrap();
    let work = |n: u32| {
        std::thread::spawn(forever);
        n
    };
    assert_eq!(pool.try_map(work, 0..30).unwrap().len(), 30);
    let workers = workers(&pool);
    pool.join();
    assert!(!workers.into_iter().any(runs));
}

#[offspring::test]
fn settings_may_be_as_large_as_they_can_be() {
    let _dog = watchdog();
    let builder = Pool::builder().workers(1).task_timeout(Duration::MAX).retries(u32::MAX);
    let pool = builder.max_tasks_per_child(u64::MAX).chunk_size(usize::MAX).start().unwrap();
    assert_eq!(pool.try_map(|n: u32| n, 0..100).unwrap().len(), 100);
    let task = pool.submit(|| 1, ()).unwrap();
    assert_eq!(task.get_timeout(Duration::MAX).unwrap().unwrap(), 1);
}

// --- Ends ---

#[test]
fn an_interrupt_of_the_whole_group_leaves_no_process_and_no_pages_of_text() {
    let _dog = watchdog();
    for method in ["forkserver", "spawn"] {
        let mut program = program(env!("CARGO_BIN_EXE_pools"), &["midway"]);
        let mut child = program.env("OFFSPRING_START_METHOD", method).process_group(0).spawn().unwrap();
        let mut pids = numbers_after(&mut child, "midway ");
        pids.extend(children_of(child.id()).iter().map(|child| child.pid));
        kill(Pid::from_raw(-(child.id() as i32)), Signal::SIGINT).unwrap();
        let done = child.wait_with_output().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&done.status), Some(2), "{done:?}");
        assert!(String::from_utf8_lossy(&done.stderr).lines().count() <= 1, "{done:?}");
        until("no process is left", || !pids.iter().any(|pid| runs(*pid)));
    }
}

#[offspring::test]
fn a_closed_pool_whose_workers_do_one_task_each_does_all_that_waits() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(2).max_tasks_per_child(1).start().unwrap();
    let tasks: Vec<_> = (0..50_u32).map(|n| pool.submit(|n: u32| n, (n,)).unwrap()).collect();
    pool.close();
    for (n, task) in tasks.iter().enumerate() {
        assert_eq!(task.get().unwrap() as usize, n);
    }
    pool.join();
}

#[offspring::test]
fn a_join_waits_for_no_reader_of_large_results() {
    let _dog = watchdog();
    let pool = pool(2);
    let make = |length: usize| "x".repeat(length);
    let lengths = [100, 70_000, 3 << 20];
    let tasks: Vec<_> = (0..20).map(|n| pool.submit(make, (lengths[n % 3],)).unwrap()).collect();
    pool.join();
    for (n, task) in tasks.iter().enumerate() {
        assert_eq!(task.get().unwrap().len(), lengths[n % 3]);
    }
}

#[offspring::test]
fn an_iterator_that_was_read_in_part_ends_though_its_pool_is_closed_or_ended() {
    let _dog = watchdog();
    for terminate in [false, true] {
        let pool = pool(2);
        let mut results = pool.imap(|n: u32| n, 0..100_000);
        for n in 0..10 {
            assert_eq!(results.next().unwrap().unwrap(), n);
        }
        if terminate {
            pool.terminate();
        } else {
            pool.close();
        }
        let rest: Vec<_> = results.collect();
        assert_eq!(rest.len(), 100_000 - 10);
        let error = rest.last().unwrap().as_ref().unwrap_err();
        assert!(matches!(error.failure(), TaskFailure::Pool(_)), "{error}");
    }
}

#[offspring::test]
fn a_callback_may_end_its_pool_in_any_way() {
    let _dog = watchdog();
    for how in ["terminate", "close", "join", "drop"] {
        let pool = Arc::new(pool(2));
        let workers = workers(&pool);
        let (tell, told) = mpsc::channel();
        let gate = Event::new().unwrap();
        let task = pool.submit(wait, (gate.clone(),)).unwrap();
        let busy = pool.submit(|n: u32| n, (1,)).unwrap();
        let held = Arc::clone(&pool);
        task.on_done(move || {
            match how {
                "terminate" => held.terminate(),
                "close" => held.close(),
                "join" => held.join(),
                _ => {}
            }
            drop(held); // the last one
            tell.send(()).unwrap();
        });
        drop(pool);
        gate.set().unwrap();
        told.recv().unwrap();
        assert!(!workers.into_iter().any(runs), "{how}");
        assert!(task.get().is_ok());
        let _done_or_ended = busy.get();
    }
}

#[offspring::test]
fn what_is_to_be_done_when_a_task_is_done_is_done_also_afterwards() {
    let _dog = watchdog();
    let pool = pool(1);
    for taken in [false, true] {
        let task = pool.submit(|| 1, ()).unwrap();
        assert!(task.wait(LONG));
        if taken {
            task.get().unwrap();
        }
        let (tell, told) = mpsc::channel();
        task.on_done(move || tell.send(std::thread::current().id()).unwrap());
        assert_eq!(told.try_recv(), Ok(std::thread::current().id()), "at once, on this thread");
    }
}

#[offspring::test]
fn stopped_workers_keep_back_nothing_but_what_they_are_at_and_a_pool_that_has_them_ends() {
    let _dog = watchdog();
    for how in 0..3 {
        let pool = pool(3);
        // They wait for tasks, and none is stopped while it says that it is there.
        assert!(pool.broadcast(|| (), ()).unwrap().iter().all(Result::is_ok));
        let stopped = workers(&pool)[0];
        signal(stopped, Signal::SIGSTOP);
        // The two others meet, so both work.
        let barrier = Barrier::new(2).unwrap();
        let rendezvous = |barrier: Barrier| {
            barrier.wait().unwrap();
            std::process::id()
        };
        let met = pool.starmap(rendezvous, [(barrier.clone(),), (barrier,)]);
        assert!(met.into_iter().all(|pid| pid.unwrap() != stopped));
        let mut tasks: Vec<_> = (0..200_u32).map(|n| pool.submit(|n: u32| n, (n,)).unwrap()).collect();
        // The one that is stopped can have begun none of them, so all are done.
        for (n, task) in tasks.drain(..).enumerate() {
            assert_eq!(task.get().unwrap() as usize, n);
        }
        let all = workers(&pool);
        match how {
            0 => drop(pool),
            1 => pool.terminate(),
            _ => {
                signal(stopped, Signal::SIGCONT);
                pool.join();
            }
        }
        assert!(!all.into_iter().any(runs), "{how}");
    }
}

#[offspring::test]
fn what_tasks_have_started_ends_with_their_pool() {
    let _dog = watchdog();
    let nest = |pids: offspring::Sender<u32>| {
        let pool = Pool::new(2).unwrap();
        let child = offspring::spawn(forever, ()).unwrap();
        for pid in workers(&pool).into_iter().chain([child.pid()]) {
            pids.send(pid).unwrap();
        }
        let _never_done = pool.map(|_: u32| forever(), [1, 2]);
    };
    for how in 0..3 {
        let pool = pool(1);
        let (sender, receiver) = offspring::channel().unwrap();
        let task = pool.submit(nest, (sender,)).unwrap();
        let pids: Vec<u32> = (0..3).map(|_| receiver.recv().unwrap()).collect();
        match how {
            0 => drop(pool),
            1 => assert!(task.cancel()),
            _ => signal(workers(&pool)[0], Signal::SIGKILL),
        }
        until("nothing is left", || !pids.iter().any(|pid| runs(*pid)));
    }
}

// --- Depth ---

/// How deep pools in pools come, and what ends them.
fn descend(level: u32) -> (u32, String) {
    match Pool::new(1) {
        Err(error) => (level, format!("{error:?}")),
        Ok(pool) => pool.submit(descend, (level + 1,)).unwrap().get().unwrap(),
    }
}

#[offspring::test]
fn pools_in_workers_of_pools_end_at_the_limit_of_depth_with_an_error() {
    let _dog = watchdog();
    let start = |limit: &str| {
        let child = offspring::target(descend, (0,)).env("OFFSPRING_MAX_DEPTH", limit).start().unwrap();
        child.join().unwrap()
    };
    // That child is at depth 1 at least: a test runner that is itself a child makes it deeper.
    let depth = offspring::current().depth;
    for limit in [3, 6] {
        let (level, why) = start(&(depth + limit).to_string());
        assert_eq!(level, limit - 1);
        assert!(why.contains("TooDeep") && why.contains(&format!("limit: {}", depth + limit)), "{why}");
    }
}

#[offspring::test]
fn a_result_with_handles_is_one_tasks_failure_when_there_are_no_descriptors_for_them() {
    let _dog = watchdog();
    let open = |count: usize| {
        let opened = || std::fs::File::open("/dev/null").unwrap();
        (0..count).map(|_| Attachment::new(opened())).collect::<Vec<_>>()
    };
    let pool = pool(1);
    assert_eq!(pool.submit(open, (200,)).unwrap().get().unwrap().len(), 200);
    assert_eq!(pool.try_map(|n: u32| n, 0..10).unwrap().len(), 10);
}

#[offspring::test]
fn a_value_in_a_task_can_be_shared_memory_that_a_dead_worker_had() {
    let _dog = watchdog();
    let value = Shared::new(AtomicU32::new(0)).unwrap();
    let pool = pool(2);
    let work = |value: Shared<AtomicU32>, n: u32| {
        value.fetch_add(1, Ordering::Relaxed);
        if n % 5 == 0 {
            std::process::abort();
        }
    };
    let results = pool.starmap(work, (0..50).map(|n| (value.clone(), n)));
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 10);
    assert_eq!(value.load(Ordering::Relaxed), 50);
}
