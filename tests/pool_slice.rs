//! Slices that a pool works at in place: what is done, what is told of what is not, and who may have them.

#![allow(clippy::cast_possible_truncation, clippy::needless_pass_by_value)] // numbers are small, and arguments are values

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use offspring::pool::{Pool, PoolError, SliceError, TaskFailure, WorkerStats};
use offspring::shm::{Shared, SharedSlice};
use offspring::sync::Event;
use offspring::{ExitStatus, Shareable};
use offspring_tests::{open_descriptors, runs, until, watchdog, while_workers_are_killed};

fn pool(workers: usize) -> Pool {
    Pool::new(workers).unwrap()
}

fn numbers(count: usize) -> SharedSlice<u64> {
    SharedSlice::from_fn(count, |index| index as u64).unwrap()
}

fn forever() {
    loop {
        std::thread::park();
    }
}

/// The ranges that failed, which are apart and in order.
fn failed(outcome: Result<(), SliceError>) -> Vec<(Range<usize>, TaskFailure)> {
    let Err(error) = outcome else { return Vec::new() };
    assert!(!error.failed().is_empty(), "{error}");
    let failed: Vec<_> =
        error.failed().iter().map(|error| (error.range(), error.failure().clone())).collect();
    assert!(failed.iter().all(|(range, _)| !range.is_empty()), "{error}");
    assert!(failed.windows(2).all(|two| two[0].0.end <= two[1].0.start), "{error}");
    failed
}

/// Each element was done once, but for those that failed, which were done once at most.
fn all_done_but(slice: &SharedSlice<u64>, failed: &[(Range<usize>, TaskFailure)], done: impl Fn(u64) -> u64) {
    for (index, value) in slice.iter().enumerate() {
        let (before, after) = (index as u64, done(index as u64));
        let has_failed = failed.iter().any(|(range, _)| range.contains(&index));
        assert!(*value == after || (has_failed && *value == before), "element {index} is {value}");
    }
}

#[offspring::test]
fn each_element_of_a_slice_of_any_length_is_changed_once() {
    let _dog = watchdog();
    let pool = pool(3);
    for count in [0, 1, 2, 3, 10, 1000, 100_003] {
        let mut slice = numbers(count);
        for round in 1..=3 {
            pool.for_each_mut(|n| *n += 1_000_000, &mut slice).unwrap();
            let changed = |index: usize| index as u64 + round * 1_000_000;
            assert!(slice.iter().enumerate().all(|(index, n)| *n == changed(index)));
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Shareable)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
    hits: [u16; 5],
}

/// One that zero bytes are not.
#[derive(Clone, Copy, Debug, PartialEq, Shareable)]
#[repr(u8)]
enum Parity {
    Even = 1,
    Odd = 2,
}

#[offspring::test]
fn elements_of_every_kind_are_changed_and_computed() {
    let _dog = watchdog();
    let pool = pool(2);
    let point = |index: usize| Point { x: f32::from(index as u16), y: 0.5, hits: [1, 2, 3, 4, index as u16] };
    let mut points = SharedSlice::from_fn(5000, point).unwrap();
    pool.for_each_mut(|point| point.hits[4] = (point.x * point.y) as u16, &mut points).unwrap();
    assert!(points.iter().enumerate().all(|(index, point)| point.hits == [1, 2, 3, 4, index as u16 / 2]));

    let parity = |n: &u64| if n % 2 == 0 { Parity::Even } else { Parity::Odd };
    let parities = pool.map_slice(parity, &numbers(10_001)).unwrap();
    assert!(parities.chunks(2).all(|two| two[0] == Parity::Even && two.get(1) != Some(&Parity::Even)));

    let mut nothing = SharedSlice::from_slice(&[(); 100_000]).unwrap();
    pool.for_each_mut(|()| (), &mut nothing).unwrap();
    assert_eq!(pool.map_slice(|()| 7_u8, &nothing).unwrap()[..], vec![7; 100_000]);
    assert_eq!(pool.map_slice(|_| (), &numbers(1000)).unwrap().len(), 1000);

    let large = SharedSlice::from_fn(9, |index| [index as u8; 10_000]).unwrap();
    let sums =
        pool.map_slice(|large| large.iter().map(|byte| u64::from(*byte)).sum::<u64>(), &large).unwrap();
    assert_eq!(sums[..], [0, 1, 2, 3, 4, 5, 6, 7, 8].map(|sum| sum * 10_000));
}

#[offspring::test]
fn what_was_computed_is_the_callers_alone_and_can_be_changed() {
    let _dog = watchdog();
    let pool = pool(2);
    let input = numbers(10_000);
    let shared = input.clone(); // an input may be
    let mut output = pool.map_slice(|n| n * 2, &input).unwrap();
    pool.for_each_mut(|n| *n += 1, &mut output).unwrap();
    pool.map_slice_into(|n| n * 3, &output.clone(), &mut numbers(10_000)).unwrap();
    assert!(matches!(pool.map_slice_into(|n| n * 3, &shared, &mut output), Ok(())));
    output.get_mut().unwrap()[0] = 5;
    assert_eq!((output[0], output[9999]), (5, 29_997));
}

#[offspring::test]
fn a_slice_that_others_may_read_is_not_changed() {
    let _dog = watchdog();
    let pool = pool(2);
    let refused = |slice: &mut SharedSlice<u64>| {
        let untouched = slice.to_vec();
        assert!(matches!(pool.for_each_mut(|n| *n += 1, slice), Err(SliceError::Shared)));
        assert!(matches!(pool.for_each_chunk_mut(|_, _| (), slice), Err(SliceError::Shared)));
        assert!(matches!(pool.map_slice_into(|n| *n, &numbers(slice.len()), slice), Err(SliceError::Shared)));
        assert!(slice.get_mut().is_none());
        assert_eq!(slice[..], untouched);
    };
    let mut slice = numbers(100);
    let clone = slice.clone();
    refused(&mut slice);
    drop(clone);
    pool.for_each_mut(|n| *n += 1, &mut slice).unwrap();
    assert_eq!(slice.get_mut().unwrap()[99], 100);

    // Sent, it may be kept.
    let mut back = pool.submit(|slice: SharedSlice<u64>| slice, (slice.clone(),)).unwrap().get().unwrap();
    refused(&mut slice);
    refused(&mut back);
    let mut copy = SharedSlice::from_slice(&slice).unwrap();
    pool.for_each_mut(|n| *n += 1, &mut copy).unwrap();
    assert_eq!((slice[0], copy[0]), (1, 2));
}

#[offspring::test]
#[allow(unsafe_code)]
fn a_slice_that_a_copy_of_the_process_has_is_not_changed() {
    let _dog = watchdog();
    let pool = pool(1);
    let (mut before, mut during) = (numbers(10), numbers(10));
    // SAFETY: the copy only leaves.
    match unsafe { offspring::fork() }.unwrap() {
        // SAFETY: as above.
        offspring::Fork::Child => unsafe { libc::_exit(0) },
        offspring::Fork::Parent(pid) => assert!(offspring::waitpid(pid, true).unwrap().is_some()),
    }
    assert!(matches!(pool.for_each_mut(|n| *n += 1, &mut before), Err(SliceError::Shared)));
    during = pool.map_slice(|n| n + 1, &during).unwrap();
    pool.for_each_mut(|n| *n += 1, &mut during).unwrap();
    assert_eq!(during[9], 11);
}

#[offspring::test]
fn slices_of_different_lengths_are_an_error() {
    let _dog = watchdog();
    let mut output = numbers(6);
    let error = pool(1).map_slice_into(|n| n + 1, &numbers(5), &mut output).unwrap_err();
    assert!(matches!(error, SliceError::Lengths { input: 5, output: 6 }), "{error}");
    assert_eq!(output[..], [0, 1, 2, 3, 4, 5]);
}

#[offspring::test]
fn chunks_come_with_the_index_of_their_first_element() {
    let _dog = watchdog();
    let mut slice = numbers(10_000);
    let add = |start: usize, chunk: &mut [u64]| {
        let length = chunk.len() as u64;
        for (index, n) in (start as u64..).zip(chunk) {
            assert_eq!(*n, index);
            *n = length;
        }
    };
    pool(2).for_each_chunk_mut(add, &mut slice).unwrap();
    assert!(slice.iter().all(|length| (1..=10_000).contains(length)));

    let mut slice = numbers(1003);
    let pool = Pool::builder().workers(2).chunk_size(100).start().unwrap();
    pool.for_each_chunk_mut(|_, chunk| chunk.fill(chunk.len() as u64), &mut slice).unwrap();
    assert!(slice[..200].iter().all(|length| *length == 100), "until the last ones are shared");
}

#[offspring::test]
fn a_panic_costs_its_own_range_from_its_element_on() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(2).chunk_size(10).start().unwrap();
    let mut slice = numbers(1000);
    let add = |n: &mut u64| {
        assert!(*n % 500 != 105, "{n} is one of those");
        *n += 1_000_000;
    };
    let error = pool.for_each_mut(add, &mut slice).unwrap_err();
    let [first, second] = error.failed() else { panic!("{error}") };
    assert_eq!((first.range().start, second.range().start), (105, 605));
    assert!(first.range().end <= 115 && second.range().end <= 615);
    assert!(
        matches!(first.failure(), TaskFailure::Panicked(panic) if panic.message == "105 is one of those")
    );
    assert!(first.error().worker().unwrap().starts_with("Worker-") && first.error().pid().is_some());
    let text = error.to_string();
    assert!(text.starts_with("elements 105..") && text.ends_with("1 more of the ranges failed"), "{text}");
    let failed = [first, second].map(|error| (error.range(), error.failure().clone()));
    all_done_but(&slice, &failed, |n| n + 1_000_000);
    assert!(failed.iter().all(|(range, _)| slice[range.clone()].iter().all(|n| *n < 1000)));
    assert_eq!(pool.stats().restarts, 0);
}

#[offspring::test]
fn what_ends_a_worker_costs_its_range_and_the_others_are_done() {
    let _dog = watchdog();
    let pool = pool(2);
    let mut slice = numbers(2000);
    let end = |n: &mut u64| {
        match *n {
            300 => std::process::exit(9),
            1500 => std::process::abort(),
            _ => {}
        }
        *n += 1_000_000;
    };
    let failed = failed(pool.for_each_mut(end, &mut slice));
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed[0].0.contains(&300) && failed[1].0.contains(&1500));
    assert!(matches!(failed[0].1, TaskFailure::Ended(ExitStatus::Exited(9))), "{failed:?}");
    assert!(matches!(failed[1].1, TaskFailure::Ended(ExitStatus::Signaled { signal: libc::SIGABRT, .. })));
    all_done_but(&slice, &failed, |n| n + 1_000_000);

    // It is still the caller's alone, and the pool goes on.
    pool.for_each_mut(|n| *n = 1, &mut slice).unwrap();
    assert!(slice.iter().all(|n| *n == 1));
}

#[offspring::test]
fn where_every_element_fails_all_are_told_and_the_call_ends() {
    let _dog = watchdog();
    let all =
        |failed: &[(Range<usize>, TaskFailure)]| failed.iter().map(|(range, _)| range.len()).sum::<usize>();
    let mut slice = numbers(50);
    let pool = pool(2);
    let panicked = failed(pool.for_each_mut(|n| panic!("{n}"), &mut slice));
    assert_eq!(all(&panicked), 50);
    assert!(panicked.iter().all(|(_, failure)| matches!(failure, TaskFailure::Panicked(_))));
    let mut slice = numbers(30);
    let ended = failed(pool.for_each_mut(|n| std::process::exit(*n as i32), &mut slice));
    assert_eq!(all(&ended), 30);
    assert!(ended.iter().all(|(range, failure)| {
        matches!(failure, TaskFailure::Ended(ExitStatus::Exited(code)) if *code as usize == range.start)
    }));
}

#[offspring::test]
fn workers_that_are_killed_from_outside_at_any_moment_cost_the_ranges_they_were_at() {
    let _dog = watchdog();
    let pool = pool(2);
    // Those that have begun something: a pool whose workers end before, one after the other, gives up.
    let is_at_work = |worker: &WorkerStats| !worker.working.is_zero() && worker.ended.is_none();
    let mut lost = 0;
    let kills = while_workers_are_killed(&pool, is_at_work, || {
        for _ in 0..5 {
            let mut slice = numbers(100_000);
            let add = |n: &mut u64| *n = (0..*n % 256).fold(*n, |n, _| std::hint::black_box(n)) + 1;
            let failed = failed(pool.for_each_mut(add, &mut slice));
            assert!(failed.iter().all(|(_, failure)| matches!(failure, TaskFailure::Ended(_))), "{failed:?}");
            all_done_but(&slice, &failed, |n| n + 1);
            lost += failed.len();
        }
    });
    assert!(lost <= kills, "{lost} ranges failed of {kills} kills");
}

#[offspring::test]
fn a_lost_range_is_computed_anew_if_that_was_asked_for() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(2).retries(2).start().unwrap();
    let tries = SharedSlice::<AtomicU32>::zeroed(1000).unwrap();
    tries[500].store(100, Ordering::Relaxed);
    tries[700].store(200, Ordering::Relaxed);
    let end = |tries: &AtomicU32| match tries.fetch_add(1, Ordering::Relaxed) {
        100 | 200..300 => std::process::exit(1),
        _ => 5_u8,
    };
    let mut output = SharedSlice::zeroed(1000).unwrap();
    let failed = failed(pool.map_slice_into(end, &tries, &mut output));
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].0.contains(&700));
    assert!((0..1000).all(|index| output[index] == 5 || failed[0].0.contains(&index)));
    assert_eq!((tries[500].load(Ordering::Relaxed), tries[700].load(Ordering::Relaxed)), (102, 203));

    // What is changed in place would be changed twice.
    let mut slice = numbers(1000);
    let end = |n: &mut u64| {
        *n += 1_000_000;
        if *n == 1_000_500 {
            std::process::abort();
        }
    };
    let error = pool.for_each_mut(end, &mut slice).unwrap_err();
    assert!(error.failed().len() == 1 && error.failed()[0].range().contains(&500), "{error}");
    assert_eq!(slice[500], 1_000_500);
}

#[offspring::test]
fn a_time_limit_is_that_of_a_range_and_not_of_all_of_them() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(2).task_timeout(Duration::from_secs(1)).start().unwrap();
    let mut slice = numbers(250);
    let nap = |n: &mut u64| {
        std::thread::sleep(Duration::from_millis(10));
        *n += 1;
    };
    pool.for_each_mut(nap, &mut slice).unwrap();
    let mut slice = numbers(250);
    let sleep = |n: &mut u64| {
        if *n == 100 {
            forever();
        }
        *n += 1;
    };
    let failed = failed(pool.for_each_mut(sleep, &mut slice));
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].0.contains(&100) && matches!(failed[0].1, TaskFailure::TimedOut(_)), "{failed:?}");
    all_done_but(&slice, &failed, |n| n + 1);
}

#[offspring::test]
fn workers_with_a_share_of_tasks_do_slices_of_any_number() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(2).max_tasks_per_child(1).start().unwrap();
    let mut slice = numbers(1000);
    for _ in 0..5 {
        pool.for_each_mut(|n| *n += 1, &mut slice).unwrap();
    }
    assert_eq!((slice[0], slice[999]), (5, 1004));
}

#[offspring::test]
fn a_pool_that_is_terminated_meanwhile_ends_the_call_and_leaves_the_slice_alone() {
    let _dog = watchdog();
    for round in 0..5 {
        let pool = pool(2);
        let begun = Event::new().unwrap();
        let mut slice = numbers(100_000);
        let outcome = std::thread::scope(|scope| {
            let call = scope.spawn(|| {
                let slow = |n: &mut u64| *n = (0..20_000).fold(*n, |n, _| std::hint::black_box(n)) + 1;
                begun.set().unwrap();
                pool.for_each_mut(slow, &mut slice)
            });
            begun.wait().unwrap();
            std::thread::sleep(Duration::from_millis(round * 10));
            pool.terminate();
            call.join().unwrap()
        });
        if let Err(SliceError::Pool(error)) = &outcome {
            assert!(matches!(error, PoolError::Closed(_)), "{error}"); // it came too late
            continue;
        }
        let failed = failed(outcome);
        assert!(failed.iter().all(|(_, failure)| matches!(failure, TaskFailure::Pool(_))), "{failed:?}");
        assert_eq!(failed.last().unwrap().0.end, 100_000);
        // Nobody is at it any more.
        let seen = slice.get_mut().unwrap().to_vec();
        all_done_but(&slice, &failed, |n| n + 1);
        assert!(slice.iter().eq(&seen));
        let error = pool.for_each_mut(|n| *n += 1, &mut slice).unwrap_err();
        assert!(matches!(error, SliceError::Pool(PoolError::Closed(_))) && error.failed().is_empty());
    }
}

fn begin(starts: Shared<AtomicU64>) {
    assert!(starts.fetch_add(1, Ordering::Relaxed) < 2, "no more than two");
}

#[offspring::test]
fn a_pool_that_runs_out_of_workers_tells_what_is_left() {
    let _dog = watchdog();
    let starts = Shared::new(AtomicU64::new(0)).unwrap();
    let pool = Pool::builder().workers(2).initializer(begin, (starts,)).start().unwrap();
    let mut slice = numbers(5000);
    let end = |n: &mut u64| if *n % 1000 == 500 { std::process::abort() } else { *n += 1_000_000 };
    let failed = failed(pool.for_each_mut(end, &mut slice));
    assert!(failed.iter().any(|(_, failure)| matches!(failure, TaskFailure::Ended(_))), "{failed:?}");
    let (range, failure) = failed.last().unwrap();
    assert!(range.end == 5000 && failure.to_string().contains("no more than two"), "{failed:?}");
    all_done_but(&slice, &failed, |n| n + 1_000_000);
}

#[offspring::test]
fn a_worker_that_is_busy_otherwise_is_not_waited_for() {
    let _dog = watchdog();
    let pool = pool(2);
    let (begun, gate) = (Event::new().unwrap(), Event::new().unwrap());
    let wait = |begun: Event, gate: Event| {
        begun.set().unwrap();
        gate.wait().unwrap();
    };
    let busy = pool.submit(wait, (begun.clone(), gate.clone())).unwrap();
    begun.wait().unwrap();
    let mut slice = numbers(10_000);
    pool.for_each_mut(|n| *n += 1, &mut slice).unwrap();
    assert_eq!((slice[9999], busy.is_done()), (10_000, false));
    // What it was to do it does not do later.
    gate.set().unwrap();
    busy.get().unwrap();
    assert_eq!(pool.try_map(|n: u64| n, 0..100).unwrap().len(), 100);
    all_done_but(&slice, &[], |n| n + 1);
}

#[offspring::test]
fn slow_elements_are_spread_over_the_workers() {
    let _dog = watchdog();
    let pool = pool(2);
    pool.broadcast(|| (), ()).unwrap().into_iter().for_each(Result::unwrap); // they are there
    let nap = |_: &u64| {
        std::thread::sleep(Duration::from_millis(2));
        std::process::id()
    };
    let pids = pool.map_slice(nap, &numbers(100)).unwrap();
    let mut shares = HashMap::new();
    pids.iter().for_each(|pid| *shares.entry(*pid).or_insert(0) += 1);
    assert!(shares.len() == 2, "{shares:?}");
}

#[offspring::test]
fn threads_use_one_pool_for_slices_and_tasks_at_once() {
    let _dog = watchdog();
    let pool = pool(2);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let pool = &pool;
            scope.spawn(move || {
                let mut slice = numbers(1000);
                for _ in 0..50 {
                    pool.for_each_mut(|n| *n += 1, &mut slice).unwrap();
                    assert_eq!(pool.submit(|n: u64| n + 1, (thread,)).unwrap().get().unwrap(), thread + 1);
                }
                all_done_but(&slice, &[], |n| n + 50);
            });
        }
    });
}

#[offspring::test]
fn others_watch_the_atomics_of_an_input() {
    let _dog = watchdog();
    let pool = pool(2);
    let cells = SharedSlice::<AtomicU64>::zeroed(50_000).unwrap();
    let watched = cells.clone();
    let added = pool.map_slice(|cell| cell.fetch_add(1, Ordering::Relaxed), &cells).unwrap();
    assert!(added.iter().all(|before| *before == 0));
    assert!(watched.iter().all(|cell| cell.load(Ordering::Relaxed) == 1));
}

#[offspring::test]
fn slices_leave_no_descriptor_and_no_process() {
    let _dog = watchdog();
    let pool = pool(2);
    let mut slice = numbers(1000);
    pool.for_each_mut(|n| *n += 1, &mut slice).unwrap();
    let before = open_descriptors();
    for _ in 0..20 {
        pool.for_each_mut(|n| *n += 1, &mut slice).unwrap();
        drop(pool.map_slice(|n| n + 1, &slice).unwrap());
    }
    let mut after = open_descriptors();
    until("what was sent is closed", || {
        after = open_descriptors();
        after.len() <= before.len()
    });
    let pids: Vec<_> = pool.stats().workers.iter().map(|worker| worker.pid).collect();
    drop(pool);
    assert!(!pids.into_iter().any(runs));
}
