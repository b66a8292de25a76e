//! The objects that every manager can make: data, queues, and what clients wait for.

#![allow(clippy::needless_pass_by_value)] // the arguments of a process are its own

use std::cell::Cell;
use std::collections::HashSet;
use std::time::Duration;

use offspring::manager::{
    AddPermitsError, Array, Barrier, BarrierError, Condition, Dict, Event, GetError, List, Lock, LockError,
    ManagedPool, ManagedTaskError, Proxy, PutError, Queue, QueueJoinError, RLock, Semaphore, Set,
    TaskDoneError, Value,
};
use offspring::net::remote::{AuthKey, Endpoint};
use offspring::sync::Cause;
use offspring::{CallError, Child, Manager, Sender, spawn};
use offspring_tests::{PATIENCE, look, until, watchdog};
use serde::{Deserialize, Deserializer, Serialize};

const SHORT: Duration = Duration::from_millis(10);

/// Tells that it is there, and does nothing more.
fn stay(there: &Sender<()>) -> ! {
    there.send(()).unwrap();
    loop {
        std::thread::park();
    }
}

/// Kills a process, and waits until the manager has noticed: it was the last to have an object beside those of this process.
fn kill<T: Serialize + serde::de::DeserializeOwned>(child: Child<T>, manager: &Manager, objects: usize) {
    child.kill().unwrap();
    assert!(child.join().is_err());
    until("the manager has noticed", || manager.objects().unwrap() == objects);
}

/// Looks until a process sleeps: in a call that waits.
fn until_it_sleeps(pid: u32) {
    until("the process sleeps", || look(pid).is_some_and(|seen| seen.state == 'S'));
}

// Data.

#[offspring::test]
fn a_dictionary_keeps_the_order_in_which_keys_came() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let dict: Dict<String, u32> = manager.dict().unwrap();
    assert!(dict.is_empty().unwrap());
    dict.extend(vec![("c".into(), 1), ("a".into(), 2), ("b".into(), 3)]).unwrap();
    assert_eq!(dict.insert("a".into(), 5).unwrap(), Some(2));
    assert_eq!(dict.keys().unwrap(), ["c", "a", "b"]);
    assert_eq!(dict.remove("c".into()).unwrap(), Some(1));
    assert_eq!(dict.remove("c".into()).unwrap(), None);
    assert_eq!(dict.insert("c".into(), 6).unwrap(), None);
    assert_eq!(dict.values().unwrap(), [5, 3, 6]);
    assert_eq!(dict.get_or_insert("c".into(), 9).unwrap(), 6);
    assert_eq!(dict.get_or_insert("d".into(), 9).unwrap(), 9);
    assert_eq!(dict.pop().unwrap(), Some(("d".into(), 9)));
    assert!(dict.contains_key("b".into()).unwrap() && !dict.contains_key("d".into()).unwrap());
    assert_eq!((dict.len().unwrap(), dict.get("d".into()).unwrap()), (3, None));
    assert_eq!(dict.items().unwrap()[0], ("a".into(), 5));
    dict.clear().unwrap();
    assert_eq!((dict.pop().unwrap(), dict.items().unwrap()), (None, vec![]));
}

#[offspring::test]
fn nothing_of_nested_data_is_lost_that_several_processes_change() {
    type Nested = (Dict<String, Vec<u32>>, List<Vec<u32>>, Array<(u32, u32)>, Value<Vec<u32>>);
    fn change((dict, list, array, value): Nested, first: u32) {
        for number in first..first + 50 {
            let push = |all: &mut Vec<u32>, number: u32| all.push(number);
            dict.update_or_insert("all".into(), vec![], push, (number,)).unwrap();
            assert_eq!(list.update(0, push, (number,)).unwrap(), Some(()));
            let count = |pair: &mut (u32, u32), by: u32| {
                pair.0 += 1;
                pair.1 += by;
            };
            array.update(1, count, (number,)).unwrap();
            value.update(push, (number,)).unwrap();
        }
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let nested = (
        manager.dict().unwrap(),
        manager.list().unwrap(),
        manager.array(vec![(0, 0); 2]).unwrap(),
        manager.value(vec![]).unwrap(),
    );
    nested.1.push(vec![]).unwrap();
    let children = [0, 50, 100].map(|first| spawn(change, (nested.clone(), first)).unwrap());
    for child in children {
        child.join().unwrap();
    }
    let all: Vec<u32> = (0..150).collect();
    let sorted = |mut numbers: Vec<u32>| {
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(sorted(nested.0.get("all".into()).unwrap().unwrap()), all);
    assert_eq!(sorted(nested.1.get(0).unwrap().unwrap()), all);
    assert_eq!(nested.2.get(1).unwrap(), Some((150, all.iter().sum())));
    assert_eq!(sorted(nested.3.get().unwrap()), all);
}

#[offspring::test]
fn a_function_that_panics_fails_alone_and_where_there_is_nothing_none_is_run() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let dict: Dict<u32, u32> = manager.dict().unwrap();
    dict.insert(1, 1).unwrap();
    let fail = |value: &mut u32| {
        *value += 1;
        assert!(*value != 2, "it is {value}");
    };
    match dict.update(1, fail, ()) {
        Err(CallError::Panicked(panic)) => assert_eq!(panic.message, "it is 2"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        dict.update(1, |value: &mut u32, by: u32, and: u32| *value + by + and, (3, 4)).unwrap(),
        Some(9)
    );
    assert_eq!(dict.update(2, fail, ()).unwrap(), None);
}

#[offspring::test]
fn a_list_says_where_it_ends() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let list: List<u32> = manager.list().unwrap();
    assert_eq!((list.pop().unwrap(), list.remove(0).unwrap(), list.get(0).unwrap()), (None, None, None));
    assert_eq!(list.push(5).unwrap(), 1);
    assert_eq!(list.extend(vec![3, 4]).unwrap(), 3);
    list.insert(3, 9).unwrap().unwrap();
    let error = list.insert(5, 9).unwrap().unwrap_err();
    assert_eq!((error.index, error.len), (5, 4));
    assert_eq!(list.set(0, 6).unwrap().unwrap(), 5);
    assert_eq!(list.set(4, 6).unwrap().unwrap_err().index, 4);
    assert_eq!(list.slice(1..3).unwrap(), [3, 4]);
    assert_eq!(list.slice(2..usize::MAX).unwrap(), [4, 9]);
    assert!(list.slice(7..9).unwrap().is_empty());
    list.sort().unwrap();
    list.reverse().unwrap();
    assert_eq!(list.to_vec().unwrap(), [9, 6, 4, 3]);
    assert_eq!((list.position(4).unwrap(), list.position(5).unwrap()), (Some(2), None));
    assert!(list.contains(9).unwrap() && !list.contains(1).unwrap());
    assert_eq!(list.remove(1).unwrap(), Some(6));
    assert_eq!(list.replace(vec![1]).unwrap(), [9, 4, 3]);
    list.clear().unwrap();
    assert!(list.is_empty().unwrap());
}

#[offspring::test]
fn sets_arrays_and_values_are_what_their_names_say() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let set: Set<u32> = manager.set().unwrap();
    assert_eq!(set.extend(vec![1, 2, 3, 2]).unwrap(), 3);
    assert!(!set.insert(1).unwrap() && set.remove(1).unwrap() && !set.contains(1).unwrap());
    let other = HashSet::from([3, 4]);
    assert_eq!(set.union(other.clone()).unwrap(), HashSet::from([2, 3, 4]));
    assert_eq!(set.intersection(other.clone()).unwrap(), HashSet::from([3]));
    assert_eq!(set.symmetric_difference(other.clone()).unwrap(), HashSet::from([2, 4]));
    assert!(!set.is_disjoint(other.clone()).unwrap() && !set.is_subset(other.clone()).unwrap());
    assert!(set.is_superset(HashSet::from([2])).unwrap());
    assert_eq!(set.retain_all(other.clone()).unwrap(), 1);
    assert_eq!(set.remove_all(other).unwrap(), 1);
    assert_eq!(set.pop().unwrap(), None);

    let array = manager.array(vec!["a".to_owned(); 3]).unwrap();
    assert_eq!(array.set(2, "b".into()).unwrap().unwrap(), "a");
    assert_eq!(array.set(3, "b".into()).unwrap().unwrap_err().len, 3);
    array.set_slice(0, vec!["c".into(), "d".into()]).unwrap().unwrap();
    assert_eq!(array.set_slice(2, vec!["e".into(), "f".into()]).unwrap().unwrap_err().index, 3);
    assert_eq!(array.to_vec().unwrap(), ["c", "d", "b"]);

    let value = manager.value(1.5_f64).unwrap();
    assert_eq!(value.replace(2.5).unwrap().to_bits(), 1.5_f64.to_bits());
    value.set(3.5).unwrap();
    assert_eq!(value.get().unwrap().to_bits(), 3.5_f64.to_bits());
}

#[offspring::test]
fn ready_made_objects_have_names_and_are_told_apart() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let (lock, queue) = (manager.lock().unwrap(), manager.queue::<u32>().unwrap());
    manager.register("lock", &lock).unwrap();
    manager.register("queue", &queue).unwrap();
    let _guard = lock.lock().unwrap();
    assert!(manager.get::<Lock>("lock").unwrap().is_locked().unwrap());
    assert!(matches!(manager.get::<RLock>("lock"), Err(CallError::OtherService)));
    assert!(matches!(manager.get::<Queue<u8>>("queue"), Err(CallError::OtherService)));
    queue.put(3).unwrap();
    assert_eq!(manager.get::<Queue<u32>>("queue").unwrap().get().unwrap(), 3);
    assert!(matches!(manager.barrier(0), Err(CallError::Refused(_))));
    assert!(matches!(manager.bounded_queue::<u8>(0), Err(CallError::Refused(_))));
}

#[offspring::test]
fn ready_made_objects_are_in_each_other() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let dict: Dict<String, List<u32>> = manager.dict().unwrap();
    dict.insert("a".into(), manager.list().unwrap()).unwrap();
    let queue = manager.queue().unwrap();
    queue.put(dict.get("a".into()).unwrap().unwrap()).unwrap();
    let list: List<u32> = queue.get().unwrap();
    list.push(4).unwrap();
    assert_eq!(dict.get("a".into()).unwrap().unwrap().to_vec().unwrap(), [4]);
}

// Locks.

#[offspring::test]
fn a_lock_is_held_by_one() {
    fn count(lock: Lock, value: Value<u32>) {
        for _ in 0..50 {
            let _guard = lock.lock().unwrap();
            value.set(value.get().unwrap() + 1).unwrap();
        }
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let (lock, value) = (manager.lock().unwrap(), manager.value(0).unwrap());
    let children = [(); 3].map(|()| spawn(count, (lock.clone(), value.clone())).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| count(lock.clone(), value.clone()));
        }
    });
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(value.get().unwrap(), 250);
}

#[offspring::test]
fn a_lock_is_free_when_its_guard_is_dropped_and_not_before() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let lock = manager.lock().unwrap();
    for _ in 0..20 {
        let guard = lock.lock().unwrap();
        assert!(matches!(lock.try_lock(), Err(LockError::WouldBlock)));
        assert!(matches!(lock.lock_timeout(SHORT), Err(LockError::TimedOut)));
        std::thread::spawn(|| drop(guard)).join().unwrap();
        drop(lock.try_lock().unwrap());
    }
}

#[offspring::test]
fn who_waits_for_a_lock_gets_it_with_the_news_when_its_holder_is_killed() {
    fn hold(lock: Lock, there: Sender<()>) {
        let _guard = lock.lock().unwrap();
        stay(&there);
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let lock = manager.lock().unwrap();
    let (there, is_there) = offspring::channel().unwrap();
    let child = spawn(hold, (lock.clone(), there)).unwrap();
    is_there.recv().unwrap();
    let pid = child.pid();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| lock.lock());
        child.kill().unwrap();
        match waits.join().unwrap() {
            Err(LockError::Poisoned(poison)) => {
                assert_eq!((poison.cause(), poison.owner()), (Cause::Died, Some(pid)));
            }
            other => panic!("{other:?}"),
        }
    });
    assert!(matches!(lock.try_lock(), Err(LockError::Poisoned(_))), "until it is cleared");
    assert!(lock.is_poisoned().unwrap());
    let guard = lock.lock().or_else(LockError::into_guard).unwrap();
    lock.clear_poison().unwrap();
    drop(guard);
    drop(lock.lock().unwrap());
}

#[offspring::test]
fn a_panic_while_a_lock_is_held_poisons_it() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let lock = manager.lock().unwrap();
    let panicked = std::thread::scope(|scope| {
        let panics = scope.spawn(|| {
            let _guard = lock.lock().unwrap();
            panic!("in the middle");
        });
        panics.join().is_err()
    });
    assert!(panicked);
    match lock.lock() {
        Err(LockError::Poisoned(poison)) => assert_eq!(poison.cause(), Cause::Panicked),
        other => panic!("{other:?}"),
    }
}

#[offspring::test]
fn who_gave_up_waiting_for_a_lock_does_not_get_it() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let lock = manager.lock().unwrap();
    for _ in 0..20 {
        let guard = lock.lock().unwrap();
        let error = lock.with_timeout(Duration::from_millis(1)).lock().unwrap_err();
        assert!(matches!(error, LockError::Call(CallError::TimedOut)), "{error:?}");
        drop(guard);
        drop(lock.try_lock().unwrap());
    }
}

#[offspring::test]
fn a_lock_whose_answer_may_come_too_late_is_never_held_by_nobody() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let lock = manager.lock().unwrap();
    let hasty = lock.with_timeout(Duration::from_micros(30));
    for _ in 0..500 {
        drop(hasty.lock());
    }
    drop(lock.lock().unwrap());
}

#[offspring::test]
fn a_waiter_that_is_killed_takes_no_lock() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let lock = manager.lock().unwrap();
    let guard = lock.lock().unwrap();
    let waits = |lock: Lock, there: Sender<()>, _mark: Event| {
        there.send(()).unwrap();
        drop(lock.lock());
    };
    let (there, is_there) = offspring::channel().unwrap();
    let child = spawn(waits, (lock.clone(), there, manager.event().unwrap())).unwrap();
    is_there.recv().unwrap();
    until_it_sleeps(child.pid());
    kill(child, &manager, 1);
    drop(guard);
    drop(lock.try_lock().unwrap());
}

#[offspring::test]
fn a_thread_locks_an_rlock_again_and_others_wait_for_the_last_guard() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let lock = manager.rlock().unwrap();
    let outer = lock.lock().unwrap();
    let inner = lock.try_lock().unwrap();
    let is_held = |lock: RLock| matches!(lock.try_lock(), Err(LockError::WouldBlock));
    std::thread::scope(|scope| {
        assert!(scope.spawn(|| is_held(lock.clone())).join().unwrap());
        assert!(spawn(is_held, (lock.clone(),)).unwrap().join().unwrap());
        drop(outer);
        assert!(scope.spawn(|| is_held(lock.clone())).join().unwrap());
        drop(inner);
        assert!(!scope.spawn(|| is_held(lock.clone())).join().unwrap());
    });
}

#[offspring::test]
fn an_rlock_of_a_killed_process_is_poisoned_however_often_it_was_locked() {
    fn hold(lock: RLock, there: Sender<()>) {
        let _guards = (lock.lock().unwrap(), lock.lock().unwrap());
        stay(&there);
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let lock = manager.rlock().unwrap();
    let (there, is_there) = offspring::channel().unwrap();
    let child = spawn(hold, (lock.clone(), there)).unwrap();
    is_there.recv().unwrap();
    child.kill().unwrap();
    let guard = match lock.lock() {
        Err(LockError::Poisoned(poison)) => poison.into_inner(),
        other => panic!("{other:?}"),
    };
    lock.clear_poison().unwrap();
    drop(lock.lock().unwrap());
    drop(guard);
    assert!(!lock.is_locked().unwrap());
}

// Conditions.

#[offspring::test]
fn who_waits_at_a_condition_lets_the_lock_go_and_has_it_afterwards() {
    fn produce(lock: Lock, condition: Condition, list: List<u32>) {
        for number in 0..20 {
            let _guard = lock.lock().unwrap();
            list.push(number).unwrap();
            condition.notify_one().unwrap();
        }
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let (lock, list) = (manager.lock().unwrap(), manager.list::<u32>().unwrap());
    let condition = manager.condition(&lock).unwrap();
    let child = spawn(produce, (lock.clone(), condition.clone(), list.clone())).unwrap();
    let mut guard = lock.lock().unwrap();
    for number in 0..20 {
        guard = condition.wait_for(guard, || Ok(!list.is_empty()?)).unwrap();
        assert!(lock.is_locked().unwrap());
        assert_eq!(list.remove(0).unwrap(), Some(number));
    }
    drop(guard);
    child.join().unwrap();
}

#[offspring::test]
fn a_wait_at_a_condition_ends_in_time_and_holds_the_lock() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let lock = manager.lock().unwrap();
    let condition = manager.condition(&lock).unwrap();
    condition.notify_all().unwrap(); // nobody waits: nothing is kept
    let (guard, notified) = condition.wait_timeout(lock.lock().unwrap(), SHORT).unwrap();
    assert!(!notified && lock.is_locked().unwrap());
    let (guard, is_so) = condition.wait_for_timeout(guard, SHORT, || Ok(false)).unwrap();
    assert!(!is_so && lock.is_locked().unwrap());
    drop(guard);
    let other = manager.lock().unwrap();
    assert!(matches!(condition.wait(other.lock().unwrap()), Err(LockError::NotHeld)));
    drop(lock.try_lock().unwrap());
    drop(other.try_lock().unwrap());
}

#[offspring::test]
fn a_notice_wakes_as_many_as_it_says_and_an_rlock_is_held_as_often_as_before() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let (lock, asleep) = (manager.rlock().unwrap(), manager.value(0_u32).unwrap());
    let condition = manager.condition(&lock).unwrap();
    let awake = manager.queue::<u32>().unwrap();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (lock, asleep, condition, awake) = (&lock, &asleep, &condition, &awake);
            scope.spawn(move || {
                let outer = lock.lock().unwrap();
                let inner = lock.lock().unwrap();
                asleep.update(|asleep: &mut u32| *asleep += 1, ()).unwrap();
                let inner = condition.wait(inner).unwrap();
                drop(inner);
                assert!(lock.is_locked().unwrap());
                awake.put(number).unwrap();
                drop(outer);
            });
        }
        // They count themselves while they hold the lock: all have let it go again when it can be got.
        until("all sleep", || asleep.get().unwrap() == 4 && lock.try_lock().is_ok());
        condition.notify(3).unwrap();
        for _ in 0..3 {
            awake.get().unwrap();
        }
        assert!(awake.try_get().unwrap_err().is_empty());
        condition.notify_one().unwrap();
        awake.get().unwrap();
    });
}

#[offspring::test]
fn who_is_killed_while_it_waits_at_a_condition_held_no_lock() {
    fn wait(lock: Lock, condition: Condition, there: Sender<()>, _mark: Event) {
        let guard = lock.lock().unwrap();
        there.send(()).unwrap();
        drop(condition.wait(guard));
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let lock = manager.lock().unwrap();
    let condition = manager.condition(&lock).unwrap();
    let (there, is_there) = offspring::channel().unwrap();
    let child = spawn(wait, (lock.clone(), condition.clone(), there, manager.event().unwrap())).unwrap();
    is_there.recv().unwrap();
    drop(lock.lock().unwrap()); // it waits
    kill(child, &manager, 2);
    let guard = lock.lock().unwrap();
    // A notice is for those who are there.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = lock.lock().unwrap();
            condition.notify_one().unwrap();
        });
        drop(condition.wait(guard).unwrap());
    });
}

// Semaphores and events.

#[offspring::test]
fn permits_of_a_killed_process_come_back() {
    fn hold(seats: Semaphore, there: Sender<()>) {
        let _permits = (seats.acquire().unwrap(), seats.acquire().unwrap());
        stay(&there);
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let seats = manager.bounded_semaphore(2).unwrap();
    let (there, is_there) = offspring::channel().unwrap();
    let child = spawn(hold, (seats.clone(), there)).unwrap();
    is_there.recv().unwrap();
    assert!(seats.try_acquire().unwrap().is_none());
    assert!(seats.acquire_timeout(SHORT).unwrap().is_none());
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| (seats.acquire().unwrap(), seats.acquire().unwrap()));
        child.kill().unwrap();
        drop(waits.join().unwrap());
    });
    assert_eq!(seats.value().unwrap(), 2);
}

#[offspring::test]
fn permits_can_be_taken_for_good_and_added_from_nowhere() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let seats = manager.bounded_semaphore(1).unwrap();
    assert!(matches!(seats.add_permits(1), Err(AddPermitsError::TooMany { limit: 1 })));
    seats.acquire().unwrap().forget();
    let take = |seats: Semaphore| seats.try_acquire().unwrap().is_some();
    assert!(!spawn(take, (seats.clone(),)).unwrap().join().unwrap());
    seats.add_permits(1).unwrap();
    assert!(spawn(take, (seats.clone(),)).unwrap().join().unwrap());
    let free = manager.semaphore(0).unwrap();
    free.add_permits(3).unwrap();
    assert_eq!(free.value().unwrap(), 3);
    assert!(free.add_permits(u32::MAX).is_err());
}

#[offspring::test]
fn an_event_wakes_all_who_wait_also_when_it_is_cleared_at_once() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let (event, gate) = (manager.event().unwrap(), manager.event().unwrap());
    assert!(!event.is_set().unwrap() && !event.wait_timeout(SHORT).unwrap());
    let wait = |event: Event, gate: Event| {
        gate.set().unwrap();
        event.wait().unwrap();
    };
    let child = spawn(wait, (event.clone(), gate.clone())).unwrap();
    gate.wait().unwrap();
    until_it_sleeps(child.pid());
    event.set().unwrap();
    assert!(event.is_set().unwrap() && event.wait_timeout(Duration::ZERO).unwrap());
    event.clear().unwrap();
    assert!(!event.is_set().unwrap());
    event.set().unwrap(); // for a child that slept elsewhere
    child.join().unwrap();
}

// Barriers.

#[offspring::test]
fn all_meet_at_a_barrier_round_after_round() {
    fn meet(barrier: Barrier) -> Vec<u32> {
        (0..10).map(|_| barrier.wait().unwrap()).collect()
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let barrier = manager.barrier(3).unwrap();
    assert_eq!(barrier.parties().unwrap(), 3);
    let children = [(); 2].map(|()| spawn(meet, (barrier.clone(),)).unwrap());
    let mut rounds = vec![meet(barrier.clone())];
    rounds.extend(children.map(|child| child.join().unwrap()));
    for round in 0..10 {
        let indices: HashSet<u32> = rounds.iter().map(|indices| indices[round]).collect();
        assert_eq!(indices, HashSet::from([0, 1, 2]));
    }
    assert!(!barrier.is_broken().unwrap());
}

#[offspring::test]
fn a_barrier_breaks_when_one_of_those_who_wait_is_killed() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let barrier = manager.barrier(3).unwrap();
    let child = spawn(|barrier: Barrier| drop(barrier.wait()), (barrier.clone(),)).unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| barrier.wait());
        until("both wait", || barrier.waiting().unwrap() == 2);
        child.kill().unwrap();
        assert!(matches!(waits.join().unwrap(), Err(BarrierError::Broken)));
    });
    assert!(barrier.is_broken().unwrap());
    assert!(matches!(barrier.wait(), Err(BarrierError::Broken)));
    barrier.reset().unwrap();
    assert!(!barrier.is_broken().unwrap() && barrier.waiting().unwrap() == 0);
}

#[offspring::test]
fn a_barrier_breaks_for_all_when_one_gives_up_or_it_is_aborted_or_reset() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let barrier = manager.barrier(3).unwrap();
    let ends: [fn(&Barrier); 4] = [
        |barrier| assert!(matches!(barrier.wait_timeout(SHORT), Err(BarrierError::TimedOut))),
        |barrier| assert!(matches!(barrier.with_timeout(SHORT).wait(), Err(BarrierError::Call(_)))),
        |barrier| barrier.abort().unwrap(),
        |barrier| barrier.reset().unwrap(),
    ];
    for (number, end) in ends.into_iter().enumerate() {
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| barrier.wait());
            until("one waits", || barrier.waiting().unwrap() == 1);
            end(&barrier);
            assert!(matches!(waits.join().unwrap(), Err(BarrierError::Broken)), "{number}");
        });
        assert_eq!(barrier.is_broken().unwrap(), number < 3, "{number}");
        barrier.reset().unwrap();
    }
}

#[offspring::test]
fn who_comes_last_acts_before_all_go_on() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let (barrier, list) = (manager.barrier(2).unwrap(), manager.list::<u32>().unwrap());
    let meet = |barrier: Barrier, list: List<u32>| {
        for round in 0..5 {
            let push = || assert!(list.push(round).is_ok());
            barrier.wait_with(push).unwrap();
            assert!(list.contains(round).unwrap());
        }
    };
    let child = spawn(meet, (barrier.clone(), list.clone())).unwrap();
    meet(barrier.clone(), list.clone());
    child.join().unwrap();
    assert_eq!(list.to_vec().unwrap(), [0, 1, 2, 3, 4]);
}

#[offspring::test]
fn an_action_that_panics_or_is_killed_breaks_the_barrier() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let barrier = manager.barrier(2).unwrap();
    let panic = |barrier: Barrier| drop(barrier.wait_with(|| panic!("no")));
    let die = |barrier: Barrier| drop(barrier.wait_with(|| std::process::abort()));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| barrier.wait());
        until("one waits", || barrier.waiting().unwrap() == 1);
        assert!(spawn(panic, (barrier.clone(),)).unwrap().join().is_err());
        assert!(matches!(waits.join().unwrap(), Err(BarrierError::Broken)));
        barrier.reset().unwrap();
        let waits = scope.spawn(|| barrier.wait());
        until("one waits", || barrier.waiting().unwrap() == 1);
        assert!(spawn(die, (barrier.clone(),)).unwrap().join().is_err());
        assert!(matches!(waits.join().unwrap(), Err(BarrierError::Broken)));
    });
}

// Queues.

#[offspring::test]
fn items_come_out_in_their_order_and_a_full_queue_gives_them_back() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let queue = manager.bounded_queue(2).unwrap();
    assert!(queue.try_get().unwrap_err().is_empty() && queue.get_timeout(SHORT).unwrap_err().is_empty());
    queue.put("a".to_owned()).unwrap();
    queue.try_put("b".into()).unwrap();
    assert!(queue.is_full().unwrap() && queue.len().unwrap() == 2);
    assert_eq!(queue.try_put("c".into()).unwrap_err().into_item().unwrap(), "c");
    assert!(queue.put_timeout("c".into(), SHORT).unwrap_err().is_full());
    std::thread::scope(|scope| {
        let puts = scope.spawn(|| queue.put("c".into()));
        assert_eq!(queue.get().unwrap(), "a");
        puts.join().unwrap().unwrap();
    });
    queue.close().unwrap();
    assert!(matches!(queue.put("d".into()), Err(PutError::Closed(item)) if item == "d"));
    assert_eq!((queue.get().unwrap(), queue.get().unwrap()), ("b".into(), "c".into()));
    assert!(matches!(queue.get(), Err(GetError::Closed)));
    assert!(queue.is_empty().unwrap());
}

#[offspring::test]
fn each_item_goes_to_one_of_several_processes() {
    fn work(numbers: Queue<u32>, results: Queue<u32>) {
        while let Ok(number) = numbers.get() {
            results.put(number).unwrap();
        }
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let (numbers, results) = (manager.bounded_queue(4).unwrap(), manager.queue().unwrap());
    let workers = [(); 3].map(|()| spawn(work, (numbers.clone(), results.clone())).unwrap());
    for number in 0..200 {
        numbers.put(number).unwrap();
    }
    numbers.close().unwrap();
    for worker in workers {
        worker.join().unwrap();
    }
    let all: HashSet<u32> = (0..200).map(|_| results.try_get().unwrap()).collect();
    assert_eq!((all.len(), results.len().unwrap()), (200, 0));
}

thread_local! {
    /// Whether this thread hangs when it reads a [`Slow`].
    static HANGS: Cell<bool> = const { Cell::new(false) };
}

/// An item that can be read slowly.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Slow(u32);

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        while HANGS.get() {
            std::thread::park();
        }
        u32::deserialize(deserializer).map(Self)
    }
}

#[offspring::test]
fn an_item_that_was_on_its_way_to_a_killed_process_comes_back_to_its_place() {
    fn get(queue: Queue<Slow>) {
        HANGS.set(true);
        drop(queue.get());
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let queue = manager.queue().unwrap();
    for number in 0..3 {
        queue.put(Slow(number)).unwrap();
    }
    let child = spawn(get, (queue.clone(),)).unwrap();
    until("it was given an item", || queue.len().unwrap() == 2);
    child.kill().unwrap();
    until("the item is back", || queue.len().unwrap() == 3);
    for number in 0..3 {
        assert_eq!(queue.get().unwrap(), Slow(number));
    }
}

#[offspring::test]
fn a_process_that_is_killed_while_it_waits_takes_no_item() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let queue = manager.queue().unwrap();
    let get = |queue: Queue<u32>, there: Sender<()>, _mark: Event| {
        there.send(()).unwrap();
        drop(queue.get());
    };
    let (there, is_there) = offspring::channel().unwrap();
    let child = spawn(get, (queue.clone(), there, manager.event().unwrap())).unwrap();
    is_there.recv().unwrap();
    until_it_sleeps(child.pid());
    kill(child, &manager, 1);
    queue.put(1).unwrap();
    assert_eq!(queue.try_get().unwrap(), 1);
}

#[offspring::test]
fn no_item_is_lost_to_calls_that_give_up() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let queue = manager.queue().unwrap();
    let hasty = queue.with_timeout(Duration::from_micros(50));
    let mut got = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| (0..300).for_each(|number: u32| queue.put(number).unwrap()));
        for _ in 0..300 {
            if let Ok(number) = hasty.get() {
                assert_eq!(number, got);
                got += 1;
            }
        }
    });
    for number in got..300 {
        assert_eq!(queue.try_get().unwrap(), number);
    }
    assert!(queue.try_get().is_err());
}

#[offspring::test]
fn a_queue_is_waited_for_until_all_is_done() {
    fn work(queue: Queue<u32>, done: List<u32>) {
        while let Ok(number) = queue.get() {
            done.push(number).unwrap();
            queue.task_done().unwrap();
        }
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let (queue, done) = (manager.queue().unwrap(), manager.list().unwrap());
    queue.join().unwrap();
    assert!(matches!(queue.task_done(), Err(TaskDoneError::TooMany)));
    queue.put(0).unwrap();
    assert!(matches!(queue.join_timeout(SHORT), Err(QueueJoinError::TimedOut)));
    let workers = [(); 2].map(|()| spawn(work, (queue.clone(), done.clone())).unwrap());
    for number in 1..50 {
        queue.put(number).unwrap();
    }
    queue.join().unwrap();
    assert_eq!(done.len().unwrap(), 50);
    queue.close().unwrap();
    for worker in workers {
        worker.join().unwrap();
    }
}

#[offspring::test]
fn who_joins_a_queue_is_told_of_items_that_a_killed_process_had() {
    fn take(queue: Queue<u32>, there: Sender<()>) {
        assert_eq!((queue.get().unwrap(), queue.get().unwrap()), (0, 1));
        queue.task_done().unwrap();
        stay(&there);
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let queue = manager.queue().unwrap();
    for number in 0..3 {
        queue.put(number).unwrap();
    }
    let (there, is_there) = offspring::channel().unwrap();
    let child = spawn(take, (queue.clone(), there)).unwrap();
    is_there.recv().unwrap();
    std::thread::scope(|scope| {
        let joins = scope.spawn(|| queue.join());
        child.kill().unwrap();
        assert!(matches!(joins.join().unwrap(), Err(QueueJoinError::ConsumerGone { items: 1 })));
    });
    assert_eq!(queue.get().unwrap(), 2);
    queue.task_done().unwrap();
    queue.join_timeout(PATIENCE).unwrap();
}

#[offspring::test]
fn what_waits_learns_that_the_server_is_gone() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let (queue, event) = (manager.queue::<u32>().unwrap(), manager.event().unwrap());
    let lock = manager.lock().unwrap();
    let guard = lock.lock().unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| queue.get());
        let also = scope.spawn(|| event.wait());
        let pid = i32::try_from(manager.process().unwrap().pid()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        assert!(matches!(waits.join().unwrap(), Err(GetError::Call(error)) if error.is_server_gone()));
        assert!(also.join().unwrap().unwrap_err().is_server_gone());
    });
    drop(guard);
    assert!(matches!(lock.lock(), Err(LockError::Call(error)) if error.is_server_gone()));
}

// Pools.

#[offspring::test]
fn several_processes_share_the_workers_of_a_pool() {
    fn work(pool: ManagedPool, from: u64) -> HashSet<u32> {
        let work = |number: u64| (std::process::id(), number * 2);
        let outcomes = pool.map(work, from..from + 20).unwrap();
        let outcomes = outcomes.into_iter().zip(from..).map(|(outcome, number)| {
            let (worker, double) = outcome.unwrap();
            assert_eq!(double, number * 2);
            worker
        });
        outcomes.collect()
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let pool = manager.pool(2).unwrap();
    assert_eq!(pool.workers().unwrap(), 2);
    let children = [100, 200].map(|from| spawn(work, (pool.clone(), from)).unwrap());
    let mut workers = work(pool.clone(), 0);
    for child in children {
        workers.extend(child.join().unwrap());
    }
    assert!(workers.len() <= 2, "{workers:?}");
    assert_eq!(pool.run(|a: String, b: u8| format!("{a}{b}"), ("a".into(), 1)).unwrap(), "a1");
}

#[offspring::test]
fn a_task_that_panics_or_kills_its_worker_fails_alone() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let pool = manager.pool(1).unwrap();
    let work = |number: u32| match number {
        1 => panic!("it is one"),
        2 => std::process::abort(),
        other => other,
    };
    let outcomes = pool.map(work, 0..4).unwrap();
    assert!(matches!(&outcomes[1], Err(ManagedTaskError::Panicked(panic)) if panic.message == "it is one"));
    assert!(matches!(&outcomes[2], Err(ManagedTaskError::Failed(_))), "{outcomes:?}");
    assert!(matches!((&outcomes[0], &outcomes[3]), (Ok(0), Ok(3))));
}

#[offspring::test]
fn what_nobody_waits_for_any_more_is_not_worked_at() {
    fn hang(_: u32) {
        loop {
            std::thread::park();
        }
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let pool = manager.pool(1).unwrap();
    let late = pool.with_timeout(SHORT).run(hang, (1,)).unwrap_err();
    assert!(matches!(late, ManagedTaskError::Call(CallError::TimedOut)), "{late:?}");
    assert_eq!(pool.run(|number: u32| number, (2,)).unwrap(), 2);
    let child = spawn(|pool: ManagedPool| drop(pool.run(hang, (3,))), (pool.clone(),)).unwrap();
    until_it_sleeps(child.pid());
    child.kill().unwrap();
    assert_eq!(pool.run(|number: u32| number, (4,)).unwrap(), 4);
}

// Other programs, other machines.

#[offspring::test]
fn those_who_come_from_elsewhere_use_what_has_a_name_and_run_no_functions() {
    fn work(there: Endpoint, key: AuthKey) {
        let manager = Manager::connect(&there, Some(&key)).unwrap();
        let tasks: Queue<u32> = manager.get("tasks").unwrap();
        let results: Dict<u32, u32> = manager.get("results").unwrap();
        while let Ok(task) = tasks.get() {
            results.insert(task, task * task).unwrap();
            tasks.task_done().unwrap();
        }
        let refused = results.update(1, |value: &mut u32| *value = 0, ());
        assert!(matches!(refused, Err(CallError::Refused(_))), "{refused:?}");
        assert!(matches!(manager.lock(), Err(CallError::Refused(_))));
        let lock: Lock = manager.get("lock").unwrap();
        std::mem::forget(lock.lock().unwrap());
    }
    let _dog = watchdog();
    let key = AuthKey::random();
    let builder = Manager::builder().listen(Endpoint::tcp("127.0.0.1", 0)).authkey(key.clone());
    // In this very process.
    let server = builder.serve().unwrap();
    let (tasks, results) = (server.queue::<u32>().unwrap(), server.dict::<u32, u32>().unwrap());
    let lock = server.lock().unwrap();
    server.register("tasks", &tasks).unwrap();
    server.register("results", &results).unwrap();
    server.register("lock", &lock).unwrap();
    let child = spawn(work, (server.endpoint().clone(), key)).unwrap();
    for task in 0..10 {
        tasks.put(task).unwrap();
    }
    tasks.join().unwrap();
    assert_eq!(results.update(3, |value: &mut u32| *value + 1, ()).unwrap(), Some(10));
    tasks.close().unwrap();
    child.join().unwrap();
    assert!(matches!(lock.lock(), Err(LockError::Poisoned(_))), "it left with the lock");
    let condition = server.condition(&lock).unwrap();
    let other = Manager::start().unwrap();
    assert!(matches!(other.condition(&lock), Err(CallError::Refused(_))));
    let guard = lock.lock().or_else(LockError::into_guard).unwrap();
    lock.clear_poison().unwrap();
    let (_guard, notified) = condition.wait_timeout(guard, SHORT).unwrap();
    assert!(!notified);
}
