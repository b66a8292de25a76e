//! The semaphore: permits, their owners, bounds.

use std::time::{Duration, Instant};

use offspring::sync::{AddPermitsError, Event, Semaphore};
use offspring_tests::watchdog;

use super::{forever, kill};

#[offspring::test]
fn no_more_hold_permits_than_there_are() {
    let _dog = watchdog();
    let (seats, crowd) = (Semaphore::bounded(3).unwrap(), Semaphore::new(0).unwrap());
    let sit = |seats: Semaphore, crowd: Semaphore| {
        let mut most = 0;
        for _ in 0..300 {
            let _seat = seats.acquire().unwrap();
            crowd.add_permits(1).unwrap();
            most = most.max(crowd.value().unwrap());
            crowd.acquire().unwrap().forget();
        }
        most
    };
    let children: Vec<_> =
        (0..5).map(|_| offspring::spawn(sit, (seats.clone(), crowd.clone())).unwrap()).collect();
    for child in children {
        assert!((1..=3).contains(&child.join().unwrap()));
    }
    assert_eq!((seats.value().unwrap(), crowd.value().unwrap()), (3, 0));
}

#[offspring::test]
fn a_permit_of_a_killed_process_comes_back_to_one_that_waits() {
    let _dog = watchdog();
    let (seats, told) = (Semaphore::bounded(3).unwrap(), Event::new().unwrap());
    let hold = |seats: Semaphore, told: Event| {
        let _two = (seats.acquire().unwrap(), seats.acquire().unwrap());
        told.set().unwrap();
        forever();
    };
    let child = offspring::target(hold, (seats.clone(), told.clone())).start().unwrap();
    told.wait().unwrap();
    let own = seats.acquire().unwrap();
    assert!(seats.acquire_timeout(Duration::from_millis(30)).unwrap().is_none(), "it lives");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| (seats.acquire().unwrap(), seats.acquire().unwrap()));
        kill(&child);
        drop(waits.join().unwrap());
    });
    assert_eq!(seats.value().unwrap(), 2);
    drop(own);
    assert_eq!(seats.value().unwrap(), 3);
}

#[offspring::test]
fn an_attempt_finds_what_a_process_that_ended_held() {
    let _dog = watchdog();
    let seats = Semaphore::new(1).unwrap();
    let holds = |seats: Semaphore| std::mem::forget(seats.acquire().unwrap());
    offspring::spawn(holds, (seats.clone(),)).unwrap().join().unwrap();
    assert_eq!(seats.value().unwrap(), 0);
    drop(seats.try_acquire().unwrap().unwrap());
    assert_eq!(seats.value().unwrap(), 1);
}

#[offspring::test]
fn more_processes_than_the_roster_has_places_can_hold_permits() {
    let _dog = watchdog();
    let (seats, met) = (Semaphore::new(100).unwrap(), Semaphore::new(0).unwrap());
    let leave = Event::new().unwrap();
    let hold = |seats: Semaphore, met: Semaphore, leave: Event| {
        let _seat = seats.acquire().unwrap();
        met.add_permits(1).unwrap();
        leave.wait().unwrap();
    };
    let children: Vec<_> = (0..40)
        .map(|_| offspring::spawn(hold, (seats.clone(), met.clone(), leave.clone())).unwrap())
        .collect();
    (0..40).for_each(|_| met.acquire().unwrap().forget());
    assert_eq!(seats.value().unwrap(), 60);
    leave.set().unwrap();
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(seats.value().unwrap(), 100);
}

#[offspring::test]
fn a_bounded_one_refuses_what_was_not_taken() {
    let _dog = watchdog();
    let seats = Semaphore::bounded(2).unwrap();
    assert!(matches!(seats.add_permits(1), Err(AddPermitsError::TooMany { limit: 2, .. })));
    seats.acquire().unwrap().forget();
    seats.add_permits(1).unwrap();
    assert!(seats.add_permits(1).is_err());
    assert_eq!(seats.value().unwrap(), 2);
    let endless = Semaphore::new(1).unwrap();
    endless.add_permits(10).unwrap();
    assert_eq!(endless.value().unwrap(), 11);
    assert!(endless.add_permits(u32::MAX).is_err());
}

#[offspring::test]
fn a_forgotten_permit_stays_away_when_its_process_ends() {
    let _dog = watchdog();
    let seats = Semaphore::new(2).unwrap();
    let takes = |seats: Semaphore| seats.acquire().unwrap().forget();
    offspring::spawn(takes, (seats.clone(),)).unwrap().join().unwrap();
    drop(seats.acquire().unwrap());
    assert_eq!(seats.value().unwrap(), 1);
}

#[offspring::test]
fn a_wait_for_a_permit_ends_in_time_or_with_one() {
    let _dog = watchdog();
    let seats = Semaphore::new(0).unwrap();
    assert!(seats.try_acquire().unwrap().is_none());
    let (begun, timeout) = (Instant::now(), Duration::from_millis(20));
    assert!(seats.acquire_timeout(timeout).unwrap().is_none());
    assert!(begun.elapsed() >= timeout);
    let adds = |seats: Semaphore| seats.add_permits(1).unwrap();
    let child = offspring::spawn(adds, (seats.clone(),)).unwrap();
    let permit = seats.acquire_timeout(Duration::MAX).unwrap().unwrap();
    child.join().unwrap();
    // Another thread may give it back.
    std::thread::spawn(move || drop(permit)).join().unwrap();
    assert_eq!(seats.value().unwrap(), 1);
}
