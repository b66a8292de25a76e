//! The barrier: rounds, actions, and the ways to break it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use offspring::sync::{Barrier, BarrierError, Mutex};
use offspring_tests::{until, watchdog};

use super::kill;

#[allow(clippy::needless_pass_by_value)] // a process has its arguments by value
fn wait(barrier: Barrier) -> Result<u32, bool> {
    barrier.wait().map(|met| met.index()).map_err(|error| matches!(error, BarrierError::Broken))
}

#[offspring::test]
fn indices_are_unique_and_one_runs_the_action_before_anybody_goes_on() {
    let _dog = watchdog();
    let (barrier, count) = (Barrier::new(3).unwrap(), Mutex::new(0_u32).unwrap());
    let meet = |barrier: Barrier, count: Mutex<u32>| {
        let mut results = Vec::new();
        for round in 1..=200 {
            let met = barrier.wait_with(|| *count.lock().unwrap() += 1).unwrap();
            assert!(*count.lock().unwrap() >= round);
            results.push((met.index(), met.is_leader()));
        }
        results
    };
    let children: Vec<_> =
        (0..3).map(|_| offspring::spawn(meet, (barrier.clone(), count.clone())).unwrap()).collect();
    let results: Vec<_> = children.into_iter().map(|child| child.join().unwrap()).collect();
    for round in 0..200 {
        let mut all: Vec<_> = results.iter().map(|results| results[round]).collect();
        all.sort_unstable();
        assert_eq!(all, [(0, false), (1, false), (2, true)]);
    }
    assert_eq!(*count.lock().unwrap(), 200);
    assert_eq!((barrier.parties().unwrap(), barrier.waiting().unwrap()), (3, 0));
}

#[offspring::test]
fn abort_breaks_it_for_all_until_reset() {
    let _dog = watchdog();
    let barrier = Barrier::new(3).unwrap();
    let children = [(); 2].map(|()| offspring::spawn(wait, (barrier.clone(),)).unwrap());
    until("both wait", || barrier.waiting().unwrap() == 2);
    barrier.abort().unwrap();
    for child in children {
        assert_eq!(child.join().unwrap(), Err(true));
    }
    assert!(barrier.is_broken().unwrap());
    assert!(matches!(barrier.wait(), Err(BarrierError::Broken)));
    barrier.reset().unwrap();
    let children = [(); 2].map(|()| offspring::spawn(wait, (barrier.clone(),)).unwrap());
    barrier.wait().unwrap();
    for child in children {
        assert!(child.join().unwrap().is_ok());
    }
}

#[offspring::test]
fn reset_tells_those_who_wait_and_leaves_it_usable() {
    let _dog = watchdog();
    let barrier = Barrier::new(2).unwrap();
    let child = offspring::spawn(wait, (barrier.clone(),)).unwrap();
    until("it waits", || barrier.waiting().unwrap() == 1);
    barrier.reset().unwrap();
    assert_eq!(child.join().unwrap(), Err(true));
    assert!(!barrier.is_broken().unwrap());
    let child = offspring::spawn(wait, (barrier.clone(),)).unwrap();
    barrier.wait().unwrap();
    child.join().unwrap().unwrap();
}

#[offspring::test]
fn a_timeout_breaks_it_for_all() {
    let _dog = watchdog();
    let barrier = Barrier::new(3).unwrap();
    let child = offspring::spawn(wait, (barrier.clone(),)).unwrap();
    until("it waits", || barrier.waiting().unwrap() == 1);
    assert!(matches!(barrier.wait_timeout(Duration::from_millis(10)), Err(BarrierError::TimedOut)));
    assert_eq!(child.join().unwrap(), Err(true));
    assert!(barrier.is_broken().unwrap());
}

#[offspring::test]
fn one_that_dies_when_it_has_come_breaks_it_for_all() {
    let _dog = watchdog();
    let barrier = Barrier::new(3).unwrap();
    let [lives, dies] = [(); 2].map(|()| offspring::spawn(wait, (barrier.clone(),)).unwrap());
    until("both wait", || barrier.waiting().unwrap() == 2);
    kill(&dies);
    assert_eq!(lives.join().unwrap(), Err(true));
    assert!(matches!(barrier.wait(), Err(BarrierError::Broken)));
}

#[offspring::test]
fn one_that_dies_in_its_action_breaks_it_for_all() {
    let _dog = watchdog();
    let barrier = Barrier::new(2).unwrap();
    let dies = |barrier: Barrier| drop(barrier.wait_with(|| std::process::abort()));
    let lives = offspring::spawn(wait, (barrier.clone(),)).unwrap();
    until("it waits", || barrier.waiting().unwrap() == 1);
    offspring::spawn(dies, (barrier.clone(),)).unwrap().join().unwrap_err();
    assert_eq!(lives.join().unwrap(), Err(true));
}

#[offspring::test]
fn an_action_that_panics_breaks_it_for_all() {
    let _dog = watchdog();
    let barrier = Barrier::new(2).unwrap();
    let child = offspring::spawn(wait, (barrier.clone(),)).unwrap();
    until("it waits", || barrier.waiting().unwrap() == 1);
    let panics = catch_unwind(AssertUnwindSafe(|| barrier.wait_with(|| panic!("on purpose"))));
    assert!(panics.is_err());
    assert_eq!(child.join().unwrap(), Err(true));
    assert!(barrier.is_broken().unwrap());
}

#[offspring::test]
fn a_barrier_is_for_somebody() {
    let _dog = watchdog();
    assert_eq!(Barrier::new(0).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    let alone = Barrier::new(1).unwrap();
    assert!(alone.wait().unwrap().is_leader());
    assert!(alone.wait_timeout(Duration::ZERO).unwrap().is_leader());
}
