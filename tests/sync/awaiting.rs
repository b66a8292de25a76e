//! Locks, permits and events in asynchronous code.

use std::sync::atomic::{AtomicBool, Ordering};

use offspring::shm::Shared;
use offspring::sync::{
    Barrier, BarrierError, Condvar, Event, LockError, Mutex, Once, OnceError, RwLock, Semaphore,
};
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

#[offspring::test]
fn both_ways_to_lock_are_awaited_through_the_death_of_a_writer() {
    let _dog = watchdog();
    let (lock, told) = (RwLock::new(1_u32).unwrap(), Event::new().unwrap());
    let hold = |lock: RwLock<u32>, told: Event| {
        let _guard = lock.write().unwrap();
        told.set().unwrap();
        forever();
    };
    let child = offspring::target(hold, (lock.clone(), told.clone())).start().unwrap();
    block_on(async {
        told.wait_async().await.unwrap();
        let (mut read, mut write) = (Box::pin(lock.read_async()), Box::pin(lock.write_async()));
        may_move_between_threads(&read);
        may_move_between_threads(&write);
        assert!(is_pending(&mut read).await && is_pending(&mut write).await);
        drop(Box::pin(lock.write_async())); // one that is given up
        kill(&child);
        let Err(LockError::Poisoned(poison)) = write.await else { panic!("poisoned") };
        assert_eq!(poison.owner(), Some(child.pid()));
        lock.clear_poison();
        drop(poison);
        assert_eq!(*read.await.unwrap(), 1);
        *lock.write_async().await.unwrap() += 1;
        let (one, other) = (lock.read_async().await.unwrap(), lock.read_async().await.unwrap());
        assert_eq!(*one + *other, 4);
    });
}

#[offspring::test]
fn a_task_that_writes_comes_to_it_where_others_read_without_a_pause() {
    let _dog = watchdog();
    let lock = RwLock::new(0_u32).unwrap();
    let over = Shared::new(AtomicBool::new(false)).unwrap();
    let read = |lock: RwLock<u32>, over: Shared<AtomicBool>| {
        std::thread::scope(|scope| {
            let read = || {
                while !over.load(Ordering::Relaxed) {
                    let _read = lock.read().unwrap();
                }
            };
            scope.spawn(read);
            scope.spawn(read);
        });
    };
    let children = [(); 2].map(|()| offspring::spawn(read, (lock.clone(), over.clone())).unwrap());
    block_on(async {
        for _ in 0..20 {
            *lock.write_async().await.unwrap() += 1;
        }
    });
    over.store(true, Ordering::Relaxed);
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(*lock.read().unwrap(), 20);
}

#[offspring::test]
fn a_condition_is_awaited_and_a_wait_that_is_given_up_takes_no_notification() {
    let _dog = watchdog();
    let (jobs, come) = (Mutex::new(0_u32).unwrap(), Condvar::new().unwrap());
    let bring = |jobs: Mutex<u32>, come: Condvar| {
        *jobs.lock().unwrap() += 1;
        come.notify_one().unwrap();
    };
    let none = |jobs: &mut u32| *jobs == 0;
    block_on(async {
        for early in [false, true] {
            let mut given_up = Some(Box::pin(come.wait_while_async(&jobs, none)));
            let mut waits = Box::pin(come.wait_while_async(&jobs, none));
            may_move_between_threads(&waits);
            for wait in given_up.iter_mut().chain([&mut waits]) {
                assert!(is_pending(wait).await);
            }
            drop(given_up.take_if(|_| early));
            offspring::spawn(bring, (jobs.clone(), come.clone())).unwrap().join().unwrap();
            drop(given_up);
            *waits.await.unwrap() -= 1;
        }
    });
    assert_eq!(*jobs.lock().unwrap(), 0);
}

#[offspring::test]
fn a_condition_is_awaited_through_the_death_of_the_mutexs_holder() {
    #[allow(clippy::needless_pass_by_value)] // what a child runs owns its arguments
    fn die(jobs: Mutex<u32>, come: Condvar) {
        let mut jobs = jobs.lock().unwrap();
        *jobs += 1;
        come.notify_all().unwrap();
        std::process::abort();
    }
    let _dog = watchdog();
    let (jobs, come) = (Mutex::new(0_u32).unwrap(), Condvar::new().unwrap());
    block_on(async {
        let mut waits = Box::pin(come.wait_while_async(&jobs, |jobs| *jobs == 0));
        assert!(is_pending(&mut waits).await);
        offspring::spawn(die, (jobs.clone(), come.clone())).unwrap();
        let Err(LockError::Poisoned(poison)) = waits.await else { panic!("poisoned") };
        assert_eq!(**poison.get_ref(), 1);
    });
}

#[offspring::test]
fn tasks_and_threads_of_several_processes_meet() {
    let _dog = watchdog();
    let barrier = Barrier::new(3).unwrap();
    let task = |barrier: Barrier| block_on(async { barrier.wait_async().await.unwrap().index() });
    let thread = |barrier: Barrier| barrier.wait().unwrap().index();
    for _ in 0..20 {
        let task = offspring::spawn(task, (barrier.clone(),)).unwrap();
        let thread = offspring::spawn(thread, (barrier.clone(),)).unwrap();
        let met = block_on(async {
            let wait = barrier.wait_async();
            may_move_between_threads(&wait);
            wait.await.unwrap()
        });
        let mut all = [met.index(), task.join().unwrap(), thread.join().unwrap()];
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    }
}

#[offspring::test]
fn a_meeting_that_a_task_or_a_dead_process_leaves_is_broken() {
    let _dog = watchdog();
    let barrier = Barrier::new(3).unwrap();
    block_on(async {
        let (mut leaves, mut waits) = (Box::pin(barrier.wait_async()), Box::pin(barrier.wait_async()));
        assert!(is_pending(&mut leaves).await && is_pending(&mut waits).await);
        drop(leaves);
        assert!(matches!(waits.await, Err(BarrierError::Broken)));
        assert!(matches!(barrier.wait_async().await, Err(BarrierError::Broken)));
        barrier.reset().unwrap();

        let comes = |barrier: Barrier| drop(barrier.wait());
        let child = offspring::spawn(comes, (barrier.clone(),)).unwrap();
        let mut waits = Box::pin(barrier.wait_async());
        assert!(is_pending(&mut waits).await);
        offspring_tests::until("both have come", || barrier.waiting().unwrap() == 2);
        kill(&child);
        assert!(matches!(waits.await, Err(BarrierError::Broken)));
    });
}

#[offspring::test]
fn what_is_done_once_is_awaited_through_the_death_of_the_one_that_does_it() {
    let _dog = watchdog();
    let (once, begun) = (Once::new().unwrap(), Event::new().unwrap());
    let endless = |once: Once, begun: Event| {
        let work = || {
            begun.set().unwrap();
            forever();
        };
        once.call_once(work).unwrap();
    };
    let child = offspring::spawn(endless, (once.clone(), begun.clone())).unwrap();
    block_on(async {
        begun.wait_async().await.unwrap();
        let mut waits = Box::pin(once.call_once_async(|| unreachable!("it is poisoned")));
        may_move_between_threads(&waits);
        assert!(is_pending(&mut waits).await);
        kill(&child);
        match waits.await {
            Err(OnceError::Poisoned { owner, .. }) => assert_eq!(owner, Some(child.pid())),
            other => panic!("{other:?}"),
        }
        let mut done = 0;
        once.call_once_force_async(|state| done += u32::from(state.is_poisoned())).await.unwrap();
        once.call_once_async(|| unreachable!("it is done")).await.unwrap();
        assert_eq!(done, 1);
    });
    assert!(once.is_completed());
}
