//! The condition variable: notifications, timeouts, and the deaths of who waits and of who holds the mutex.

use std::time::{Duration, Instant};

use offspring::sync::{Condvar, Event, LockError, Mutex};
use offspring_tests::{until, watchdog};

use super::{forever, kill};

/// How many wait, how many went on.
type Counts = Mutex<[u32; 2]>;

#[allow(clippy::needless_pass_by_value)] // a process has its arguments by value
fn wait_once(counts: Counts, condvar: Condvar) {
    let mut guard = counts.lock().unwrap();
    guard[0] += 1;
    condvar.wait(guard).unwrap()[1] += 1;
}

fn waiting(count: u32) -> (Counts, Condvar, Vec<offspring::Child<()>>) {
    let (counts, condvar) = (Counts::new([0; 2]).unwrap(), Condvar::new().unwrap());
    let start = |_| offspring::spawn(wait_once, (counts.clone(), condvar.clone())).unwrap();
    let children = (0..count).map(start).collect();
    until("all wait", || counts.lock().unwrap()[0] == count);
    (counts, condvar, children)
}

#[offspring::test]
fn as_many_go_on_as_are_notified() {
    let _dog = watchdog();
    let (counts, condvar, children) = waiting(4);
    for (notify, gone) in [(1, 1), (2, 3), (0, 3)] {
        condvar.notify(notify).unwrap();
        until("they went on", || counts.lock().unwrap()[1] >= gone);
        assert_eq!(counts.lock().unwrap()[1], gone);
    }
    condvar.notify_all().unwrap();
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(*counts.lock().unwrap(), [4, 4]);
}

#[offspring::test]
fn a_ping_pong_of_single_notifications_loses_none() {
    let _dog = watchdog();
    let (turn, condvar) = (Mutex::new(0_u32).unwrap(), Condvar::new().unwrap());
    let play = |turn: Mutex<u32>, condvar: Condvar, me: u32| {
        for round in 0..2_000 {
            let guard = turn.lock().unwrap();
            let mut guard = condvar.wait_while(guard, |turn| *turn != 2 * round + me).unwrap();
            *guard += 1;
            condvar.notify_one().unwrap();
        }
    };
    let players: Vec<_> =
        (0..2).map(|me| offspring::spawn(play, (turn.clone(), condvar.clone(), me)).unwrap()).collect();
    for player in players {
        player.join().unwrap();
    }
    assert_eq!(*turn.lock().unwrap(), 4_000);
}

#[offspring::test]
fn a_killed_waiter_takes_no_notification_along() {
    let _dog = watchdog();
    let (counts, condvar, children) = waiting(3);
    kill(&children[0]);
    kill(&children[1]);
    condvar.notify_one().unwrap();
    until("the one that lives went on", || counts.lock().unwrap()[1] == 1);
}

#[offspring::test]
fn a_wait_ends_in_time() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(1_u8).unwrap(), Condvar::new().unwrap());
    let (begun, timeout) = (Instant::now(), Duration::from_millis(20));
    let (guard, result) = condvar.wait_timeout(mutex.lock().unwrap(), timeout).unwrap();
    assert!(result.timed_out() && begun.elapsed() >= timeout);
    let (guard, result) = condvar.wait_timeout_while(guard, timeout, |one| *one == 1).unwrap();
    assert!(result.timed_out());
    let (guard, result) = condvar.wait_timeout_while(guard, timeout, |one| *one != 1).unwrap();
    assert!(!result.timed_out());
    drop(guard);
    condvar.notify_all().unwrap(); // of nobody
    let (_guard, result) = condvar.wait_timeout(mutex.lock().unwrap(), timeout).unwrap();
    assert!(result.timed_out(), "a notification is for those who wait");
}

#[offspring::test]
fn the_death_of_a_holder_arrives_at_one_who_waits() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0_u32).unwrap(), Condvar::new().unwrap());
    let told = Event::new().unwrap();
    let hold = |mutex: Mutex<u32>, condvar: Condvar, told: Event| {
        let mut guard = mutex.lock().unwrap();
        *guard = 1;
        condvar.notify_one().unwrap();
        told.set().unwrap();
        forever();
    };
    let guard = mutex.lock().unwrap();
    let arguments = (mutex.clone(), condvar.clone(), told.clone());
    let child = offspring::target(hold, arguments).start().unwrap();
    std::thread::scope(|scope| {
        let kills = scope.spawn(|| {
            told.wait().unwrap();
            kill(&child);
        });
        let Err(LockError::Poisoned(poison)) = condvar.wait(guard) else { panic!("poisoned") };
        assert_eq!((poison.owner(), **poison.get_ref()), (Some(child.pid()), 1));
        drop(poison);
        kills.join().unwrap();
    });
}
