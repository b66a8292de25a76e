//! The mutex: exclusion, poison, timeouts, fairness, travel.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use offspring::sync::{Cause, LockError, Mutex, TryLockError};
use offspring::{Attachment, JoinError};
use offspring_tests::{until, watchdog};
use serde::{Deserialize, Serialize};

use super::forever;

#[allow(clippy::needless_pass_by_value)] // a process has its arguments by value
fn hold(mutex: Mutex<[u64; 2]>, told: Mutex<bool>) {
    let mut data = mutex.lock().unwrap();
    data[0] += 1;
    *told.lock().unwrap() = true;
    forever();
}

/// A mutex that a child holds with half a change done, and the child.
fn held() -> (Mutex<[u64; 2]>, offspring::Child<()>) {
    let (mutex, told) = (Mutex::new([7, 7]).unwrap(), Mutex::new(false).unwrap());
    let child = offspring::spawn(hold, (mutex.clone(), told.clone())).unwrap();
    until("the child holds the lock", || *told.lock().unwrap());
    (mutex, child)
}

#[offspring::test]
fn increments_of_many_processes_and_threads_are_all_there() {
    let _dog = watchdog();
    let count = Mutex::new(0_u64).unwrap();
    let work = |count: Mutex<u64>| {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..2_000).for_each(|_| *count.lock().unwrap() += 1));
            }
        });
    };
    let children: Vec<_> = (0..4).map(|_| offspring::spawn(work, (count.clone(),)).unwrap()).collect();
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(*count.lock().unwrap(), 16_000);
    assert!(!count.is_poisoned());
}

#[offspring::test]
fn a_killed_holder_poisons_until_somebody_clears_it() {
    let _dog = watchdog();
    let (mutex, child) = held();
    assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
    let pid = child.pid();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| matches!(mutex.lock(), Err(LockError::Poisoned(_))));
        child.kill().unwrap();
        assert!(waits.join().unwrap(), "one that waits is told");
    });
    for _ in 0..3 {
        let Err(LockError::Poisoned(poison)) = mutex.lock() else { panic!("the poison stays") };
        assert_eq!((poison.cause(), poison.owner()), (Cause::Died, Some(pid)));
        assert_eq!(**poison.get_ref(), [8, 7]);
    }
    assert!(mutex.is_poisoned());
    let told = offspring::spawn(|mutex: Mutex<[u64; 2]>| mutex.is_poisoned(), (mutex.clone(),)).unwrap();
    assert!(told.join().unwrap(), "other processes are told as well");
    {
        let mut data = mutex.lock().or_else(LockError::into_guard).unwrap();
        data[1] = data[0];
        mutex.clear_poison();
    }
    assert_eq!(*mutex.lock().unwrap(), [8, 8]);
    assert!(!mutex.is_poisoned());
}

#[offspring::test]
fn a_panic_while_holding_poisons_and_names_the_process() {
    let _dog = watchdog();
    let mutex = Mutex::new(1_u8).unwrap();
    let child = offspring::spawn(
        |mutex: Mutex<u8>| {
            let _guard = mutex.lock().unwrap();
            panic!("on purpose");
        },
        (mutex.clone(),),
    );
    let child: offspring::Child<()> = child.unwrap();
    child.join().unwrap_err();
    let Err(TryLockError::Poisoned(poison)) = mutex.try_lock() else { panic!("poisoned") };
    assert_eq!((poison.cause(), poison.owner()), (Cause::Panicked, Some(child.pid())));
    assert!(poison.to_string().contains("panicked"), "{poison}");
}

/// Locks when it is dropped.
struct Locks(Mutex<u8>);

impl Drop for Locks {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

#[offspring::test]
fn a_guard_dropped_by_an_unwinding_destructor_does_not_poison() {
    let _dog = watchdog();
    let mutex = Mutex::new(0).unwrap();
    let clone = mutex.clone();
    std::thread::spawn(move || {
        let _locks = Locks(clone);
        panic!("on purpose");
    })
    .join()
    .unwrap_err();
    assert_eq!(*mutex.lock().unwrap(), 1);
}

#[offspring::test]
fn a_thread_that_ends_with_a_leaked_guard_poisons() {
    let _dog = watchdog();
    let mutex = Mutex::new(0_u64).unwrap();
    let leaks = mutex.clone();
    std::thread::spawn(move || std::mem::forget(leaks.lock().unwrap())).join().unwrap();
    let Err(LockError::Poisoned(poison)) = mutex.lock() else { panic!("poisoned") };
    assert_eq!(poison.owner(), Some(std::process::id()));
}

#[offspring::test]
fn a_timeout_ends_a_wait_and_nothing_else() {
    let _dog = watchdog();
    let (mutex, child) = held();
    let begun = Instant::now();
    let timeout = Duration::from_millis(30);
    assert!(matches!(mutex.lock_timeout(timeout), Err(TryLockError::TimedOut)));
    assert!(begun.elapsed() >= timeout);
    assert!(matches!(mutex.lock_timeout(Duration::ZERO), Err(TryLockError::TimedOut)));
    child.kill().unwrap();
    let guard = mutex.lock_timeout(Duration::MAX).or_else(TryLockError::into_guard).unwrap();
    assert_eq!(*guard, [8, 7]);
}

#[offspring::test]
fn to_lock_twice_in_one_thread_is_an_error() {
    let _dog = watchdog();
    let mutex = Mutex::new(()).unwrap();
    let guard = mutex.lock().unwrap();
    assert!(matches!(mutex.lock(), Err(LockError::Deadlock)));
    assert!(matches!(mutex.lock_timeout(Duration::MAX), Err(TryLockError::Deadlock)));
    assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
    drop(guard);
    drop(mutex.lock().unwrap());
}

#[offspring::test]
fn no_process_starves_beside_one_that_locks_again_at_once() {
    let _dog = watchdog();
    let counts = Mutex::new([0_u32; 2]).unwrap();
    let compete = |counts: Mutex<[u32; 2]>, me: usize| {
        loop {
            let mut counts = counts.lock().unwrap();
            counts[me] += 1;
            if counts[1 - me] >= 50 && counts[me] >= 50 {
                return;
            }
            // Long enough that a waiter sleeps, and short in relation to it are the gaps.
            (0..2_000).for_each(|n| _ = std::hint::black_box(n));
        }
    };
    let greedy: Vec<_> = (0..2).map(|me| offspring::spawn(compete, (counts.clone(), me)).unwrap()).collect();
    for child in greedy {
        child.join().unwrap();
    }
}

#[offspring::test]
fn a_killed_starving_waiter_does_not_keep_others_waiting() {
    let _dog = watchdog();
    let counts = Mutex::new(0_u32).unwrap();
    for _ in 0..20 {
        let guard = counts.lock().unwrap();
        let wait = |counts: Mutex<u32>| *counts.lock().unwrap() += 1;
        let child = offspring::spawn(wait, (counts.clone(),)).unwrap();
        std::thread::sleep(Duration::from_millis(3)); // so that it is starving, most times
        child.kill().unwrap();
        child.wait().unwrap();
        drop(guard);
        for _ in 0..1_000 {
            drop(counts.lock().or_else(LockError::into_guard).unwrap());
        }
    }
}

#[derive(Serialize, Deserialize)]
enum Nested {
    None,
    Some { mutexes: Vec<(u8, Mutex<u32>)>, named: BTreeMap<String, Option<Mutex<u32>>> },
}

#[offspring::test]
fn handles_travel_nested_anywhere() {
    let _dog = watchdog();
    let (one, two) = (Mutex::new(1).unwrap(), Mutex::new(2).unwrap());
    let value = Nested::Some {
        mutexes: vec![(0, one.clone()), (1, two.clone()), (2, one.clone())],
        named: BTreeMap::from([("one".to_owned(), Some(one.clone())), ("none".to_owned(), None)]),
    };
    let visit = |value: Nested| {
        let Nested::Some { mutexes, mut named } = value else { return Vec::new() };
        for (_, mutex) in &mutexes {
            *mutex.lock().unwrap() *= 10;
        }
        vec![named.remove("one").flatten().unwrap()]
    };
    let back = offspring::spawn(visit, (value,)).unwrap().join().unwrap();
    assert_eq!((*one.lock().unwrap(), *two.lock().unwrap()), (100, 20));
    *back[0].lock().unwrap() += 1;
    assert_eq!(*one.lock().unwrap(), 101);
    let none = offspring::spawn(visit, (Nested::None,)).unwrap();
    assert!(none.join().unwrap().is_empty());
}

/// Sent as one type, taken for another.
enum Disguised<S, T> {
    Sent(S),
    Taken(T),
}

impl<S: Serialize, T> Serialize for Disguised<S, T> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        match self {
            Self::Sent(sent) => sent.serialize(serializer),
            Self::Taken(_) => unreachable!("it is sent once"),
        }
    }
}

impl<'de, S, T: Deserialize<'de>> Deserialize<'de> for Disguised<S, T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::Taken)
    }
}

/// What a process says that is sent an `S` and takes it for a `T`.
fn disguised<S, T>(sent: S) -> Result<(), JoinError>
where
    S: Serialize + 'static,
    T: serde::de::DeserializeOwned + 'static,
{
    let accept = |_: Disguised<S, T>| ();
    offspring::spawn(accept, (Disguised::Sent(sent),)).unwrap().join()
}

#[offspring::test]
fn what_is_no_such_object_is_refused() {
    let _dog = watchdog();
    let mutex = Mutex::new(1_u32).unwrap();
    disguised::<_, Mutex<u32>>(mutex.clone()).unwrap();
    let path = std::env::temp_dir().join(format!("offspring-no-mutex-{}", std::process::id()));
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file.set_len(4096).unwrap();
    for outcome in [
        disguised::<_, Mutex<i32>>(mutex.clone()),
        disguised::<_, Mutex<[u32; 2000]>>(mutex),
        disguised::<_, Mutex<u32>>(Attachment::new(file)),
    ] {
        assert!(matches!(outcome, Err(JoinError::Argument { .. })), "{outcome:?}");
    }
}
