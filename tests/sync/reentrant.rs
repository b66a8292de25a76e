//! The mutex that its holder can lock again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use offspring::sync::{Cause, Event, LockError, ReentrantMutex, TryLockError};
use offspring_tests::watchdog;

use super::{forever, kill};

type Steps = ReentrantMutex<AtomicU32>;

#[offspring::test]
fn it_is_unlocked_by_the_last_guard_in_whichever_order() {
    let _dog = watchdog();
    let steps = Steps::new(AtomicU32::new(5)).unwrap();
    let (one, two) = (steps.lock().unwrap(), steps.try_lock().unwrap());
    let three = steps.lock_timeout(Duration::from_millis(1)).unwrap();
    let locked = |steps: Steps| matches!(steps.try_lock(), Err(TryLockError::WouldBlock));
    let elsewhere = || offspring::spawn(locked, (steps.clone(),)).unwrap().join().unwrap();
    assert!(elsewhere());
    drop(one);
    drop(three);
    assert!(elsewhere());
    two.store(6, Ordering::Relaxed);
    drop(two);
    assert!(!elsewhere());
    assert_eq!(steps.lock().unwrap().load(Ordering::Relaxed), 6);
}

#[offspring::test]
fn it_excludes_others_at_any_depth() {
    let _dog = watchdog();
    let steps = Steps::new(AtomicU32::new(0)).unwrap();
    let work = |steps: Steps| {
        for _ in 0..1_000 {
            let outer = steps.lock().unwrap();
            let before = outer.load(Ordering::Relaxed);
            let inner = steps.lock().unwrap();
            inner.store(before + 1, Ordering::Relaxed);
            drop(inner);
            outer.store(outer.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    };
    let children = [(); 3].map(|()| offspring::spawn(work, (steps.clone(),)).unwrap());
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(steps.lock().unwrap().load(Ordering::Relaxed), 6_000);
}

#[offspring::test]
fn a_killed_holder_poisons_it_and_its_depth_is_forgotten() {
    let _dog = watchdog();
    let (steps, told) = (Steps::new(AtomicU32::new(0)).unwrap(), Event::new().unwrap());
    let hold = |steps: Steps, told: Event| {
        let _both = (steps.lock().unwrap(), steps.lock().unwrap());
        told.set().unwrap();
        forever();
    };
    let child = offspring::target(hold, (steps.clone(), told.clone())).start().unwrap();
    told.wait().unwrap();
    assert!(matches!(steps.lock_timeout(Duration::from_millis(5)), Err(TryLockError::TimedOut)));
    kill(&child);
    let Err(LockError::Poisoned(poison)) = steps.lock() else { panic!("poisoned") };
    assert_eq!((poison.cause(), poison.owner()), (Cause::Died, Some(child.pid())));
    steps.clear_poison();
    drop(poison);
    let unlocked = |steps: Steps| steps.try_lock().is_ok();
    assert!(offspring::spawn(unlocked, (steps.clone(),)).unwrap().join().unwrap());
}
