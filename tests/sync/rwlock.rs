//! Many readers or one writer.

use std::time::Duration;

use offspring::sync::{Cause, Event, LockError, Mutex, RwLock, Semaphore, TryLockError};
use offspring_tests::{until, watchdog};

use super::{forever, kill};

type Pair = RwLock<[u64; 2]>;

#[offspring::test]
fn readers_see_whole_changes_and_writers_lose_none() {
    let _dog = watchdog();
    let pair = Pair::new([0, 0]).unwrap();
    let write = |pair: Pair| {
        for _ in 0..300 {
            let mut pair = pair.write().unwrap();
            pair[0] += 1;
            pair[1] += 1;
        }
    };
    let read = |pair: Pair| {
        loop {
            let pair = *pair.read().unwrap();
            assert_eq!(pair[0], pair[1]);
            if pair[0] == 900 {
                return;
            }
        }
    };
    let writers = [(); 3].map(|()| offspring::spawn(write, (pair.clone(),)).unwrap());
    let readers = [(); 2].map(|()| offspring::spawn(read, (pair.clone(),)).unwrap());
    for child in writers {
        child.join().unwrap();
    }
    for child in readers {
        child.join().unwrap();
    }
}

#[offspring::test]
fn several_read_at_once_and_keep_writers_out() {
    let _dog = watchdog();
    let (pair, here, leave) = (Pair::new([1, 2]).unwrap(), Semaphore::new(0).unwrap(), Event::new().unwrap());
    let read = |pair: Pair, here: Semaphore, leave: Event| {
        let _reading = pair.read().unwrap();
        here.add_permits(1).unwrap();
        leave.wait().unwrap();
    };
    let children =
        [(); 4].map(|()| offspring::spawn(read, (pair.clone(), here.clone(), leave.clone())).unwrap());
    (0..4).for_each(|_| here.acquire().unwrap().forget());
    let own = (pair.try_read().unwrap(), pair.read_timeout(Duration::ZERO).unwrap());
    assert_eq!((*own.0, *own.1), ([1, 2], [1, 2]));
    assert!(matches!(pair.write(), Err(LockError::Deadlock)));
    drop(own);
    assert!(matches!(pair.try_write(), Err(TryLockError::WouldBlock)));
    assert!(matches!(pair.write_timeout(Duration::from_millis(5)), Err(TryLockError::TimedOut)));
    leave.set().unwrap();
    pair.write().unwrap()[0] = 2;
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(*pair.read().unwrap(), [2, 2]);
}

#[offspring::test]
fn a_reader_that_is_killed_harms_nobody() {
    let _dog = watchdog();
    let (pair, told) = (Pair::new([1, 1]).unwrap(), Event::new().unwrap());
    let read = |pair: Pair, told: Event| {
        let _reading = pair.read().unwrap();
        told.set().unwrap();
        forever();
    };
    let child = offspring::target(read, (pair.clone(), told.clone())).start().unwrap();
    told.wait().unwrap();
    std::thread::scope(|scope| {
        let writes = scope.spawn(|| pair.write().unwrap()[0] = 3);
        kill(&child);
        writes.join().unwrap();
    });
    assert_eq!(*pair.read().unwrap(), [3, 1]);
    assert!(!pair.is_poisoned());
}

#[offspring::test]
fn a_writer_that_is_killed_poisons_it_for_readers_and_writers() {
    let _dog = watchdog();
    let (pair, told) = (Pair::new([1, 1]).unwrap(), Event::new().unwrap());
    let write = |pair: Pair, told: Event| {
        let mut half = pair.write().unwrap();
        half[0] = 9;
        told.set().unwrap();
        forever();
    };
    let child = offspring::target(write, (pair.clone(), told.clone())).start().unwrap();
    told.wait().unwrap();
    assert!(matches!(pair.try_read(), Err(TryLockError::WouldBlock)));
    assert!(matches!(pair.read_timeout(Duration::from_millis(5)), Err(TryLockError::TimedOut)));
    std::thread::scope(|scope| {
        let reads = scope.spawn(|| matches!(pair.read(), Err(LockError::Poisoned(_))));
        kill(&child);
        assert!(reads.join().unwrap());
    });
    let Err(TryLockError::Poisoned(poison)) = pair.try_read() else { panic!("poisoned") };
    assert_eq!((poison.cause(), poison.owner()), (Cause::Died, Some(child.pid())));
    drop(poison);
    {
        let mut half = pair.write().or_else(LockError::into_guard).unwrap();
        half[1] = half[0];
        pair.clear_poison();
    }
    assert_eq!(*pair.read().unwrap(), [9, 9]);
    assert!(!pair.is_poisoned());
}

#[offspring::test]
fn a_writer_that_panics_poisons_it_and_a_reader_does_not() {
    let _dog = watchdog();
    let pair = Pair::new([0, 0]).unwrap();
    let panics = |write: bool| {
        let pair = pair.clone();
        std::thread::spawn(move || {
            let _guards =
                if write { (Some(pair.write().unwrap()), None) } else { (None, Some(pair.read().unwrap())) };
            panic!("on purpose");
        })
        .join()
        .unwrap_err();
    };
    panics(false);
    assert!(pair.read().is_ok());
    panics(true);
    let Err(LockError::Poisoned(poison)) = pair.read() else { panic!("poisoned") };
    assert_eq!((poison.cause(), poison.owner()), (Cause::Panicked, Some(std::process::id())));
}

#[offspring::test]
fn a_writer_gets_its_turn_among_readers_that_come_and_come() {
    let _dog = watchdog();
    let (pair, done) = (Pair::new([0, 0]).unwrap(), Mutex::new(0_u32).unwrap());
    let read = |pair: Pair| while pair.read().unwrap()[0] < 50 {};
    let readers = [(); 3].map(|()| offspring::spawn(read, (pair.clone(),)).unwrap());
    let write = |pair: Pair, done: Mutex<u32>| {
        (0..50).for_each(|_| pair.write().unwrap()[0] += 1);
        *done.lock().unwrap() = 1;
    };
    offspring::spawn(write, (pair.clone(), done.clone())).unwrap();
    until("the writer is done", || *done.lock().unwrap() == 1);
    for child in readers {
        child.join().unwrap();
    }
}
