//! Objects that live in a manager's process, and their proxies.

use std::collections::HashMap;
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::time::Duration;

use offspring::manager::{Proxy, Service};
use offspring::{CallError, Manager, spawn};
use offspring_tests::{runs, until, watchdog};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Counter {
    value: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Refused {
    TooMuch { by: u64 },
}

#[offspring::service]
impl Counter {
    pub fn incr(&mut self, by: u64) -> u64 {
        self.value += by;
        self.value
    }

    pub fn get(&self) -> u64 {
        self.value
    }

    pub fn decr(&mut self, by: u64) -> Result<u64, Refused> {
        self.value = self.value.checked_sub(by).ok_or_else(|| Refused::TooMuch { by: by - self.value })?;
        Ok(self.value)
    }

    pub fn half_then_panic(&mut self) {
        self.value /= 2;
        panic!("it was {}", self.value * 2);
    }

    pub fn die(&self) {
        std::process::abort();
    }

    pub fn grow(&self, bytes: usize) -> Vec<u8> {
        vec![1; bytes]
    }
}

/// A door that callers wait at.
#[derive(Default)]
struct Door {
    open: Mutex<bool>,
    opened: Condvar,
}

#[offspring::service]
impl Door {
    pub fn pass(&self) {
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.opened.wait(open).unwrap();
        }
    }

    pub fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// Generic, and used by whoever can.
struct Table<K, V>(HashMap<K, V>);

#[offspring::service]
impl<K, V> Table<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + Serialize + serde::de::DeserializeOwned + 'static,
    V: Clone + Send + Sync + Serialize + serde::de::DeserializeOwned + 'static,
{
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    pub fn get(&self, key: K) -> Option<V> {
        self.0.get(&key).cloned()
    }
}

#[offspring::test]
fn an_object_is_used_by_all_processes() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let counter: CounterProxy = manager.serve(Counter { value: 1 }).unwrap();
    let add = |counter: CounterProxy| (0..100).for_each(|_| assert!(counter.incr(1).is_ok()));
    let children = [(); 3].map(|()| spawn(add, (counter.clone(),)).unwrap());
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(counter.get().unwrap(), 301);
}

#[offspring::test]
fn threads_call_over_one_connection_and_each_gets_its_own_answer() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let table = manager.create(|| Table::<u32, String>(HashMap::new()), ()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let table = table.clone();
            scope.spawn(move || {
                for number in (0..200).map(|number| number * 8 + thread) {
                    assert_eq!(table.insert(number, number.to_string()).unwrap(), None);
                    assert_eq!(table.get(number).unwrap(), Some(number.to_string()));
                }
            });
        }
    });
}

#[offspring::test]
fn the_objects_own_errors_arrive_whole() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let counter = manager.serve(Counter { value: 3 }).unwrap();
    assert_eq!(counter.decr(2).unwrap(), Ok(1));
    assert_eq!(counter.decr(3).unwrap(), Err(Refused::TooMuch { by: 2 }));
}

#[offspring::test]
fn a_method_that_panics_fails_alone_and_the_object_stays_usable() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let counter = manager.serve(Counter { value: 8 }).unwrap();
    match counter.half_then_panic() {
        Err(CallError::Panicked(panic)) => {
            assert_eq!(panic.message, "it was 8");
            assert!(panic.location.is_some_and(|location| location.file.ends_with("manager.rs")));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(counter.incr(1).unwrap(), 5);
}

#[offspring::test]
fn a_call_that_waits_keeps_nobody_from_calling() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let door = manager.create(Door::default, ()).unwrap();
    let all_wait = Barrier::new(6);
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                all_wait.wait();
                door.pass().unwrap();
            });
        }
        all_wait.wait();
        let counter = manager.serve(Counter::default()).unwrap();
        assert_eq!(counter.incr(1).unwrap(), 1);
        door.open().unwrap();
    });
}

/// A number that callers raise in turns.
#[derive(Default)]
struct Turns {
    next: Mutex<u64>,
    raised: Condvar,
}

#[offspring::service]
impl Turns {
    pub fn take(&self, turn: u64) {
        let mut next = self.next.lock().unwrap();
        while *next != turn {
            next = self.raised.wait(next).unwrap();
        }
        *next += 1;
        self.raised.notify_all();
    }

    pub fn next(&self) -> u64 {
        *self.next.lock().unwrap()
    }
}

#[offspring::test]
fn calls_that_wait_for_the_callers_of_others_do_not_keep_their_answers() {
    const CALLERS: u64 = 8;
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let turns = manager.create(Turns::default, ()).unwrap();
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let turns = &turns;
            scope.spawn(move || {
                // No caller comes to its next turn before it has the answers for those before.
                for turn in (caller..40 * CALLERS).step_by(CALLERS.try_into().unwrap()) {
                    turns.take(turn).unwrap();
                    for _ in 0..10 {
                        assert!(turns.next().unwrap() > turn);
                    }
                }
            });
        }
    });
    assert_eq!(turns.next().unwrap(), 40 * CALLERS);
}

#[offspring::test]
fn each_call_that_was_started_is_done_once_whether_it_is_waited_for_or_not() {
    const CALLS: u64 = 5000;
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let counter = manager.serve(Counter::default()).unwrap();
    // More than may be without an answer at a time; every third is dropped.
    let mut started = Vec::new();
    for number in 0..CALLS {
        let call = counter.start_incr(1).unwrap();
        if number % 3 == 0 { drop(call) } else { started.push(call) }
    }
    let kept = started.len();
    let mut values: Vec<u64> = started.into_iter().rev().map(|call| call.wait().unwrap()).collect();
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), kept);
    // One that was dropped may be done yet.
    until("all are done", || counter.get().unwrap() == CALLS);
    assert!(values.last().is_some_and(|last| *last <= CALLS));
}

#[offspring::test]
fn threads_wait_for_calls_that_others_started() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let counter = manager.serve(Counter::default()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (sender, receiver) = std::sync::mpsc::sync_channel(100);
            scope.spawn({
                let counter = counter.clone();
                move || {
                    for bytes in 0..1500 {
                        sender.send((bytes, counter.start_grow(bytes).unwrap())).unwrap();
                        counter.start_incr(1).unwrap().wait().unwrap();
                    }
                }
            });
            scope.spawn(move || {
                for (bytes, call) in receiver {
                    assert_eq!(call.wait().unwrap().len(), bytes);
                }
            });
        }
    });
    assert_eq!(counter.get().unwrap(), 4 * 1500);
}

#[offspring::test]
fn a_call_that_was_started_and_waits_in_its_method_keeps_nobody_from_calling() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let door = manager.create(Door::default, ()).unwrap();
    let passes: Vec<_> = (0..20).map(|_| door.start_pass().unwrap()).collect();
    let late = door.with_timeout(Duration::from_millis(1)).start_pass().unwrap();
    assert!(late.wait().unwrap_err().is_timed_out());
    door.start_open().unwrap().wait().unwrap();
    for pass in passes {
        pass.wait().unwrap();
    }
}

#[offspring::test]
fn a_dead_server_is_an_error_of_all_calls_that_were_started() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let door = manager.create(Door::default, ()).unwrap();
    let counter = manager.serve(Counter::default()).unwrap();
    let passes: Vec<_> = (0..20).map(|_| door.start_pass().unwrap()).collect();
    assert!(counter.start_die().unwrap().wait().unwrap_err().is_server_gone());
    for pass in passes {
        assert!(pass.wait().unwrap_err().is_server_gone());
    }
    assert!(counter.start_get().is_err());
}

/// Has methods of the names that proxies would have.
#[derive(Default)]
struct Engine(bool);

#[offspring::service]
impl Engine {
    pub fn run(&self) -> bool {
        self.0
    }

    pub fn start_run(&mut self) -> bool {
        std::mem::replace(&mut self.0, true)
    }
}

#[offspring::test]
fn a_method_of_the_types_own_stands_for_itself() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let engine = manager.create(Engine::default, ()).unwrap();
    assert!(!engine.start_run().unwrap());
    assert!(engine.run().unwrap() && engine.start_start_run().unwrap().wait().unwrap());
}

#[offspring::test]
fn a_call_ends_at_its_time_limit_and_others_go_on() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let door = manager.create(Door::default, ()).unwrap();
    let error = door.with_timeout(Duration::from_millis(10)).pass().unwrap_err();
    assert!(error.is_timed_out() && !error.was_not_done(), "{error}");
    door.open().unwrap();
    door.with_timeout(Duration::from_secs(3600)).pass().unwrap();
}

#[offspring::test]
fn a_time_limit_of_who_reads_does_not_strand_who_waits_behind_it() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let door = Arc::new(manager.create(Door::default, ()).unwrap());
    let waits = std::thread::spawn({
        let door = Arc::clone(&door);
        move || door.pass()
    });
    for _ in 0..20 {
        assert!(door.with_timeout(Duration::from_millis(1)).pass().is_err());
    }
    door.open().unwrap();
    waits.join().unwrap().unwrap();
}

#[offspring::test]
fn a_dead_server_is_an_error_for_all_who_wait_and_for_all_who_come() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let door = manager.create(Door::default, ()).unwrap();
    let counter = manager.serve(Counter::default()).unwrap();
    std::thread::scope(|scope| {
        let waiting = [(); 4].map(|()| scope.spawn(|| door.pass()));
        assert!(counter.die().unwrap_err().is_server_gone());
        for waiting in waiting {
            assert!(waiting.join().unwrap().unwrap_err().is_server_gone());
        }
    });
    assert!(counter.get().unwrap_err().is_server_gone());
    assert!(manager.serve(Counter::default()).unwrap_err().is_server_gone());
}

#[offspring::test]
fn who_drops_the_manager_ends_its_process() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let pid = manager.process().unwrap().pid();
    let counter = manager.serve(Counter::default()).unwrap();
    drop(manager);
    assert!(!runs(pid));
    assert!(counter.get().unwrap_err().is_server_gone());
}

#[offspring::test]
fn an_object_lives_as_long_as_a_proxy_does() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let counter = manager.serve(Counter::default()).unwrap();
    let other = counter.clone();
    drop(counter);
    assert_eq!(manager.objects().unwrap(), 1);
    drop(other);
    assert_eq!(manager.objects().unwrap(), 0);
}

#[offspring::test]
fn a_client_that_is_killed_gives_up_what_it_held() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let counter = manager.serve(Counter::default()).unwrap();
    let (holds, has_it) = offspring::channel::<()>().unwrap();
    let hold = |counter: CounterProxy, holds: offspring::Sender<()>| {
        counter.incr(1).unwrap();
        holds.send(()).unwrap();
        loop {
            std::thread::park();
        }
    };
    let hold = move |counter, holds| -> () { hold(counter, holds) };
    let child = spawn(hold, (counter.clone(), holds)).unwrap();
    has_it.recv().unwrap();
    drop(counter);
    assert_eq!(manager.objects().unwrap(), 1);
    child.kill().unwrap();
    until("nobody holds the object", || manager.objects().unwrap() == 0);
}

#[offspring::test]
fn a_proxy_outlives_the_process_that_returns_it() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let counter = manager.serve(Counter::default()).unwrap();
    manager.register("counter", &counter).unwrap();
    drop(counter);
    let child =
        spawn(|counter: CounterProxy| counter, (manager.get::<CounterProxy>("counter").unwrap(),)).unwrap();
    let pid = child.pid();
    until("the child has ended", || !runs(pid));
    assert!(manager.unregister("counter").unwrap());
    let counter = child.join().unwrap();
    assert_eq!(counter.incr(4).unwrap(), 4);
}

#[offspring::test]
fn names_lead_to_objects_of_their_own_type() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let counter = manager.serve(Counter { value: 9 }).unwrap();
    manager.register("it", &counter).unwrap();
    manager.register("it", &counter).unwrap();
    assert_eq!(manager.get::<CounterProxy>("it").unwrap().get().unwrap(), 9);
    assert!(matches!(manager.get::<DoorProxy>("it"), Err(CallError::OtherService)));
    assert!(matches!(manager.get::<DoorProxy>("that"), Err(CallError::UnknownName(name)) if name == "that"));
    let another = manager.serve(Counter::default()).unwrap();
    assert!(matches!(manager.register("it", &another), Err(CallError::NameTaken(_))));
    assert!(manager.unregister("it").unwrap() && !manager.unregister("it").unwrap());
}

/// Has a proxy.
struct Team(Vec<CounterProxy>);

#[offspring::service]
impl Team {
    pub fn join(&mut self, counter: CounterProxy) -> usize {
        self.0.push(counter);
        self.0.len()
    }

    pub fn member(&self, number: usize) -> CounterProxy {
        self.0[number].clone()
    }
}

#[offspring::test]
fn proxies_are_arguments_and_results_of_methods() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let team = manager.create(|| Team(Vec::new()), ()).unwrap();
    assert_eq!(team.join(manager.serve(Counter { value: 5 }).unwrap()).unwrap(), 1);
    assert_eq!(team.member(0).unwrap().incr(1).unwrap(), 6);
    assert!(matches!(team.member(1), Err(CallError::Panicked(_))));
}

#[offspring::test]
fn a_result_that_is_too_long_is_an_error_of_its_call_alone() {
    let _dog = watchdog();
    let limits = offspring::net::remote::Limits::new().max_message(1 << 16);
    let manager = Manager::builder().limits(limits).name("small").start().unwrap();
    assert_eq!(manager.process().unwrap().name(), "small");
    let counter = manager.serve(Counter::default()).unwrap();
    assert!(matches!(counter.grow(1 << 17), Err(CallError::Result(_))));
    assert_eq!(counter.grow(7).unwrap().len(), 7);
}

#[offspring::test]
fn a_function_that_panics_makes_no_object() {
    fn fail<S: Service>(_: u8) -> S {
        panic!("no object today")
    }
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    match manager.create(fail::<Counter>, (1,)) {
        Err(CallError::Panicked(panic)) => assert_eq!(panic.message, "no object today"),
        other => panic!("{other:?}"),
    }
    assert_eq!(manager.objects().unwrap(), 0);
}
