//! Locks, permits and events in asynchronous code.

use offspring::sync::{Event, LockError, Mutex, Semaphore};
use offspring_tests::{block_on, is_pending, watchdog};

use super::{forever, kill};

fn may_move_between_threads(_: &impl Send) {}

#[offspring::test]
fn a_lock_is_awaited_through_the_death_of_its_holder() {
    let _dog = watchdog();
    let (mutex, told) = (Mutex::new(1_u32).unwrap(), Event::new().unwrap());
    let hold = |mutex: Mutex<u32>, told: Event| {
        let _guard = mutex.lock().unwrap();
        told.set().unwrap();
        forever();
    };
    let child = offspring::target(hold, (mutex.clone(), told.clone())).start().unwrap();
    block_on(async {
        told.wait_async().await.unwrap();
        let mut lock = Box::pin(mutex.lock_async());
        may_move_between_threads(&lock);
        assert!(is_pending(&mut lock).await);
        drop(Box::pin(mutex.lock_async())); // one that is given up
        kill(&child);
        let Err(LockError::Poisoned(poison)) = lock.await else { panic!("poisoned") };
        assert_eq!(poison.owner(), Some(child.pid()));
        mutex.clear_poison();
        drop(poison);
        *mutex.lock_async().await.unwrap() += 1;
    });
    assert_eq!(*mutex.lock().unwrap(), 2);
}

#[offspring::test]
fn permits_and_events_are_awaited() {
    let _dog = watchdog();
    let (seats, event) = (Semaphore::new(0).unwrap(), Event::new().unwrap());
    block_on(async {
        let (mut seat, mut pulse) = (Box::pin(seats.acquire_async()), Box::pin(event.wait_async()));
        assert!(is_pending(&mut seat).await && is_pending(&mut pulse).await);
        let give = |seats: Semaphore, event: Event| {
            event.set().unwrap();
            event.clear().unwrap();
            seats.add_permits(1).unwrap();
        };
        offspring::spawn(give, (seats.clone(), event.clone())).unwrap().join().unwrap();
        pulse.await.unwrap();
        drop(seat.await.unwrap());
    });
    assert_eq!(seats.value().unwrap(), 1);
}

#[offspring::test]
fn tasks_of_two_processes_take_turns() {
    let _dog = watchdog();
    let count = Mutex::new(0_u32).unwrap();
    let work = |count: Mutex<u32>| {
        block_on(async {
            for _ in 0..500 {
                *count.lock_async().await.unwrap() += 1;
            }
        });
    };
    let children = [(); 2].map(|()| offspring::spawn(work, (count.clone(),)).unwrap());
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(*count.lock().unwrap(), 1_000);
}
