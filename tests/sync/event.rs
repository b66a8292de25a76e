//! The event.

use std::time::{Duration, Instant};

use offspring::sync::{Event, Semaphore};
use offspring_tests::watchdog;

#[offspring::test]
fn all_who_wait_go_on_though_it_is_cleared_at_once() {
    let _dog = watchdog();
    let (event, here) = (Event::new().unwrap(), Semaphore::new(0).unwrap());
    let wait = |event: Event, here: Semaphore| {
        here.add_permits(1).unwrap();
        event.wait().unwrap();
    };
    let children: Vec<_> =
        (0..3).map(|_| offspring::spawn(wait, (event.clone(), here.clone())).unwrap()).collect();
    (0..3).for_each(|_| here.acquire().unwrap().forget());
    // Some are perhaps not asleep yet: they see it the next time.
    for child in children {
        while child.try_join().unwrap().is_none() {
            event.set().unwrap();
            event.clear().unwrap();
            std::thread::yield_now();
        }
    }
    assert!(!event.is_set().unwrap());
}

#[offspring::test]
fn it_stays_set_until_it_is_cleared() {
    let _dog = watchdog();
    let event = Event::new().unwrap();
    offspring::spawn(|event: Event| event.set().unwrap(), (event.clone(),)).unwrap().join().unwrap();
    event.wait().unwrap();
    assert!(event.wait_timeout(Duration::ZERO).unwrap());
    assert!(format!("{event:?}").contains("set: true"));
    event.clear().unwrap();
    let (begun, timeout) = (Instant::now(), Duration::from_millis(20));
    assert!(!event.wait_timeout(timeout).unwrap());
    assert!(begun.elapsed() >= timeout);
}
