//! What is done once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use offspring::sync::{Cause, Event, Mutex, Once, OnceError};
use offspring_tests::watchdog;

use super::{forever, kill};

#[offspring::test]
fn of_many_processes_one_does_it_and_all_see_it_done() {
    let _dog = watchdog();
    let (once, count) = (Once::new().unwrap(), Mutex::new(0_u32).unwrap());
    let call = |once: Once, count: Mutex<u32>| {
        once.call_once(|| *count.lock().unwrap() += 1).unwrap();
        (once.is_completed(), *count.lock().unwrap())
    };
    let children: Vec<_> =
        (0..5).map(|_| offspring::spawn(call, (once.clone(), count.clone())).unwrap()).collect();
    for child in children {
        assert_eq!(child.join().unwrap(), (true, 1));
    }
}

#[offspring::test]
fn one_that_is_killed_at_it_leaves_it_to_others_who_know() {
    let _dog = watchdog();
    let (once, told) = (Once::new().unwrap(), Event::new().unwrap());
    let begin = |once: Once, told: Event| {
        once.call_once(|| {
            told.set().unwrap();
            forever();
        })
        .unwrap();
    };
    let child = offspring::spawn(begin, (once.clone(), told.clone())).unwrap();
    told.wait().unwrap();
    let timeout = Duration::from_millis(10);
    assert!(matches!(once.call_once_timeout(timeout, || ()), Err(OnceError::TimedOut)));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| once.call_once(|| ()));
        kill(&child);
        assert!(matches!(waits.join().unwrap(), Err(OnceError::Poisoned { cause: Cause::Died, .. })));
    });
    let Err(OnceError::Poisoned { owner, .. }) = once.call_once(|| ()) else { panic!("poisoned") };
    assert_eq!(owner, Some(child.pid()));
    assert!(!once.is_completed());
    once.call_once_force(|state| assert!(state.is_poisoned() && state.owner() == Some(child.pid()))).unwrap();
    once.call_once(|| unreachable!()).unwrap();
    assert!(once.is_completed());
}

#[offspring::test]
fn a_panic_in_it_poisons_it() {
    let _dog = watchdog();
    let once = Once::new().unwrap();
    let panics = catch_unwind(AssertUnwindSafe(|| once.call_once(|| panic!("on purpose"))));
    assert!(panics.is_err());
    assert!(matches!(once.call_once(|| ()), Err(OnceError::Poisoned { cause: Cause::Panicked, .. })));
    once.call_once_force(|state| assert_eq!(state.cause(), Some(Cause::Panicked))).unwrap();
    once.call_once_force(|_| unreachable!()).unwrap();
}

#[offspring::test]
fn to_call_it_in_itself_is_an_error() {
    let _dog = watchdog();
    let once = Once::new().unwrap();
    once.call_once(|| assert!(matches!(once.call_once(|| ()), Err(OnceError::Deadlock)))).unwrap();
}
