//! What methods know of their callers, and what becomes of calls that nobody waits for any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use offspring::manager::{Caller, CancelToken, GoneHook, Proxy, caller, is_cancelled, when_cancelled};
use offspring::{CallError, Manager, Sender, spawn};
use offspring_tests::{until, watchdog};

/// Remembers who called, and who has gone.
#[derive(Default)]
struct Register {
    made_by: Option<Caller>,
    seen: Mutex<HashMap<Caller, u64>>,
    gone: Arc<AtomicU64>,
    hooks: Mutex<Vec<GoneHook>>,
}

#[offspring::service]
impl Register {
    /// How often this process has called.
    pub fn sign(&self) -> u64 {
        let mut seen = self.seen.lock().unwrap();
        let count = seen.entry(caller().unwrap()).or_default();
        *count += 1;
        *count
    }

    pub fn callers(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub fn are_you_my_maker(&self) -> bool {
        self.made_by == caller()
    }

    pub fn count_my_end(&self) {
        let gone = Arc::clone(&self.gone);
        let hook = caller().unwrap().when_gone(move || add_one(&gone));
        self.hooks.lock().unwrap().push(hook);
    }

    pub fn panic_at_my_end(&self) {
        let hook = caller().unwrap().when_gone(|| panic!("somebody is gone"));
        self.hooks.lock().unwrap().push(hook);
    }

    pub fn forget_ends(&self) {
        self.hooks.lock().unwrap().clear();
    }

    pub fn ended(&self) -> u64 {
        self.gone.load(Ordering::SeqCst)
    }

    /// Counts those that are gone, also if they went before.
    pub fn count_all_gone(&self) -> usize {
        let count = Arc::new(AtomicU64::new(0));
        let seen = self.seen.lock().unwrap();
        let callers = seen.keys().filter(|caller| caller.is_gone());
        let hooks = callers.map(|caller| {
            let count = Arc::clone(&count);
            caller.when_gone(move || add_one(&count))
        });
        let hooks = hooks.collect::<Vec<_>>().len();
        assert_eq!(hooks as u64, count.load(Ordering::SeqCst));
        hooks
    }
}

fn add_one(count: &AtomicU64) {
    count.fetch_add(1, Ordering::SeqCst);
}

fn register() -> Register {
    Register { made_by: caller(), ..Register::default() }
}

/// Where callers wait until somebody lets one through, or nobody waits for them any more.
#[derive(Default)]
struct Gate(Arc<(Mutex<Inside>, Condvar)>);

#[derive(Default)]
struct Inside {
    permits: u64,
    waiting: u64,
    woken: u64,
}

#[offspring::service]
impl Gate {
    pub fn pass(&self) -> bool {
        let shared = Arc::clone(&self.0);
        let _hook = when_cancelled(move || {
            shared.0.lock().unwrap().woken += 1;
            shared.1.notify_all();
        });
        let mut inside = self.0.0.lock().unwrap();
        inside.waiting += 1;
        inside = self.0.1.wait_while(inside, |inside| !is_cancelled() && inside.permits == 0).unwrap();
        inside.waiting -= 1;
        if is_cancelled() {
            return false;
        }
        inside.permits -= 1;
        true
    }

    pub fn permit(&self) {
        self.0.0.lock().unwrap().permits += 1;
        self.0.1.notify_all();
    }

    pub fn permits(&self) -> u64 {
        self.0.0.lock().unwrap().permits
    }

    pub fn waiting(&self) -> u64 {
        self.0.0.lock().unwrap().waiting
    }

    pub fn woken(&self) -> u64 {
        self.0.0.lock().unwrap().woken
    }
}

/// Adds numbers, and does it one at a time.
struct Slow {
    gate: GateProxy,
    sum: u64,
}

#[offspring::service]
impl Slow {
    pub fn add_behind_the_gate(&mut self, number: u64) {
        self.gate.pass().unwrap();
        self.sum += number;
    }

    pub fn add(&mut self, number: u64) {
        self.sum += number;
    }

    pub fn sum(&self) -> u64 {
        self.sum
    }
}

#[offspring::test]
fn a_process_is_one_caller_and_another_is_another() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let register = manager.create(register, ()).unwrap();
    assert!(register.are_you_my_maker().unwrap());
    let sign = |register: RegisterProxy| {
        assert_eq!(register.sign().unwrap(), 1);
        assert!(!register.are_you_my_maker().unwrap());
        std::thread::spawn(move || register.sign().unwrap()).join().unwrap()
    };
    for callers in 1..=3 {
        assert_eq!(spawn(sign, (register.clone(),)).unwrap().join().unwrap(), 2);
        assert_eq!(register.callers().unwrap(), callers);
    }
    until("all are gone", || register.count_all_gone().unwrap() == 3);
    assert!(caller().is_none() && !is_cancelled());
}

#[offspring::test]
fn threads_that_connect_at_once_are_one_caller() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let register = manager.create(register, ()).unwrap();
    let tell = |proxies: Vec<offspring::Receiver<RegisterProxy>>| {
        let sign = |proxies: offspring::Receiver<RegisterProxy>| {
            let register = proxies.recv().unwrap();
            register.sign().unwrap();
            register
        };
        let threads: Vec<_> = proxies.into_iter().map(|one| std::thread::spawn(move || sign(one))).collect();
        let held: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(held[0].sign().unwrap(), held.len() as u64 + 1);
    };
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..6).map(|_| offspring::channel().unwrap()).unzip();
    let child = spawn(tell, (receivers,)).unwrap();
    for sender in &senders {
        sender.send(register.clone()).unwrap();
    }
    child.join().unwrap();
    assert_eq!(register.callers().unwrap(), 1);
}

#[offspring::test]
fn the_end_of_a_process_is_told_once_to_each_hook_that_is_kept() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let register = manager.create(register, ()).unwrap();
    let stay = |register: RegisterProxy, ready: Sender<()>| -> () {
        register.count_my_end().unwrap();
        register.panic_at_my_end().unwrap();
        register.count_my_end().unwrap();
        ready.send(()).unwrap();
        loop {
            std::thread::park();
        }
    };
    for forget in [false, true] {
        let (ready, is_ready) = offspring::channel().unwrap();
        let child = spawn(stay, (register.clone(), ready)).unwrap();
        is_ready.recv().unwrap();
        let others = register.ended().unwrap();
        if forget {
            register.forget_ends().unwrap();
        }
        register.sign().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        if forget {
            // Whoever comes later, and is seen to be gone, went later.
            let last = spawn(|register: RegisterProxy| register.count_my_end().unwrap(), (register.clone(),));
            last.unwrap().join().unwrap();
            until("the later end is told", || register.ended().unwrap() > others);
            assert_eq!(register.ended().unwrap(), others + 1);
        } else {
            until("both ends are told", || register.ended().unwrap() == others + 2);
        }
    }
}

#[offspring::test]
fn a_wait_ends_at_the_time_limit_of_its_caller_and_takes_nothing() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let gate = manager.create(Gate::default, ()).unwrap();
    for _ in 0..10 {
        assert!(gate.with_timeout(Duration::from_millis(3)).pass().unwrap_err().is_timed_out());
    }
    until("nobody waits", || gate.waiting().unwrap() == 0);
    gate.permit().unwrap();
    assert_eq!(gate.permits().unwrap(), 1);
    assert!(gate.pass().unwrap());
    assert_eq!(gate.permits().unwrap(), 0);
    let woken = gate.woken().unwrap();
    assert!(woken <= 10, "{woken}");
}

#[offspring::test]
fn a_wait_ends_with_its_caller_and_takes_nothing() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let gate = manager.create(Gate::default, ()).unwrap();
    let child = spawn(|gate: GateProxy| drop(gate.pass()), (gate.clone(),)).unwrap();
    until("it waits", || gate.waiting().unwrap() == 1);
    child.kill().unwrap();
    until("nobody waits", || gate.waiting().unwrap() == 0);
    gate.permit().unwrap();
    assert_eq!(gate.permits().unwrap(), 1);
    assert_eq!(gate.woken().unwrap(), 1);
}

#[offspring::test]
fn a_call_that_is_given_up_before_its_turn_is_not_done() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let gate = manager.create(Gate::default, ()).unwrap();
    let slow = manager.create(|gate: GateProxy| Slow { gate, sum: 0 }, (gate.clone(),)).unwrap();
    let register = manager.create(register, ()).unwrap();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| slow.add_behind_the_gate(1));
        until("the first is in", || gate.waiting().unwrap() == 1);
        let error = slow.with_timeout(Duration::from_millis(5)).add(10).unwrap_err();
        assert!(error.is_timed_out(), "{error}");
        let add = |slow: SlowProxy, register: RegisterProxy| {
            register.sign().unwrap();
            drop(slow.add(100));
        };
        let child = spawn(add, (slow.clone(), register.clone())).unwrap();
        until("it has called", || register.callers().unwrap() == 1);
        child.kill().unwrap();
        until("it is gone", || register.count_all_gone().unwrap() == 1);
        gate.permit().unwrap();
        first.join().unwrap().unwrap();
    });
    slow.add(1000).unwrap();
    assert_eq!(slow.sum().unwrap(), 1001);
}

#[offspring::test]
fn a_process_whose_calls_keep_all_threads_busy_is_refused_more_and_seen_to_end() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let gate = manager.create(Gate::default, ()).unwrap();
    let flood = |gate: GateProxy, refused: Sender<String>| {
        std::thread::scope(|scope| {
            for _ in 0..1100 {
                let builder = std::thread::Builder::new().stack_size(64 << 10);
                let wait = || match gate.pass() {
                    Err(CallError::Refused(why)) => refused.send(why).unwrap(),
                    other => panic!("{other:?}"),
                };
                builder.spawn_scoped(scope, wait).unwrap();
            }
        });
    };
    let (refused, refusals) = offspring::channel().unwrap();
    let child = spawn(flood, (gate.clone(), refused)).unwrap();
    let why = refusals.recv().unwrap();
    assert!(why.contains("1024"), "{why}");
    assert_eq!(gate.waiting().unwrap(), 1024);
    child.kill().unwrap();
    until("nobody waits", || gate.waiting().unwrap() == 0);
}

#[offspring::test]
fn a_call_is_cancelled_from_another_thread_and_the_server_is_told() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let gate = manager.create(Gate::default, ()).unwrap();
    let others = gate.clone();
    std::thread::scope(|scope| {
        let waits_on = scope.spawn(move || others.pass());
        until("it waits", || gate.waiting().unwrap() == 1);
        let token = CancelToken::new();
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let gate = gate.with_cancel(&token);
                scope.spawn(move || gate.pass())
            })
            .collect();
        until("all wait", || gate.waiting().unwrap() == 5);
        token.cancel();
        for waiting in waiting {
            let error = waiting.join().unwrap().unwrap_err();
            assert!(matches!(error, CallError::Cancelled) && !error.was_not_done(), "{error}");
        }
        until("nobody else waits", || gate.waiting().unwrap() == 1);
        let error = gate.with_cancel(&token).pass().unwrap_err();
        assert!(matches!(error, CallError::NotBegun) && error.was_not_done(), "{error}");
        gate.permit().unwrap();
        assert!(waits_on.join().unwrap().unwrap());
    });
    assert_eq!(gate.permits().unwrap(), 0);
}

#[offspring::test]
fn who_starts_a_call_waits_for_room_no_longer_than_it_has_patience() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let gate = manager.create(Gate::default, ()).unwrap();
    let started: Vec<_> = (0..1024).map(|_| gate.start_pass().unwrap()).collect();
    let short = gate.with_timeout(Duration::from_millis(20));
    assert!(short.start_pass().unwrap_err().is_timed_out());
    let token = CancelToken::new();
    std::thread::scope(|scope| {
        // One of them reads for all.
        let waiting = [(); 3].map(|()| {
            let (patient, impatient) = (gate.with_cancel(&token), &short);
            scope.spawn(move || {
                assert!(impatient.start_pass().unwrap_err().is_timed_out());
                patient.start_pass().map(drop)
            })
        });
        assert!(short.start_pass().unwrap_err().is_timed_out());
        token.cancel();
        for waiting in waiting {
            let error = waiting.join().unwrap().unwrap_err();
            assert!(matches!(error, CallError::NotBegun) && error.was_not_done(), "{error}");
        }
        let waits = scope.spawn(|| gate.start_pass().map(drop));
        let permit = |gate: GateProxy| (0..1024).for_each(|_| gate.permit().unwrap());
        spawn(permit, (gate.clone(),)).unwrap().join().unwrap();
        waits.join().unwrap().unwrap();
    });
    drop((started, manager));
}

#[offspring::test]
fn a_token_that_nobody_cancels_changes_nothing_and_stays_at_home() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let gate = manager.create(Gate::default, ()).unwrap();
    let token = CancelToken::new();
    let with_token = gate.with_cancel(&token).with_timeout(Duration::from_secs(3600));
    for _ in 0..50 {
        with_token.permit().unwrap();
        assert!(with_token.pass().unwrap());
    }
    let error = with_token.with_timeout(Duration::from_millis(2)).pass().unwrap_err();
    assert!(error.is_timed_out(), "{error}");
    token.cancel();
    assert!(with_token.permits().unwrap_err().is_cancelled());
    let child = |gate: GateProxy| {
        gate.permit().unwrap();
        gate.pass().unwrap()
    };
    assert!(spawn(child, (with_token,)).unwrap().join().unwrap());
}

/// Waits for something without a thread of its own's doing.
#[derive(Default)]
struct Echo(Mutex<Vec<u64>>);

#[offspring::service]
impl Echo {
    pub async fn later(&self, value: u64) -> u64 {
        let (sender, receiver) = offspring::channel().unwrap();
        let thread = std::thread::spawn(move || sender.send(value).unwrap());
        let value = receiver.recv_async().await.unwrap();
        thread.join().unwrap();
        self.0.lock().unwrap().push(value);
        value
    }

    pub async fn take(&mut self) -> Vec<u64> {
        std::future::ready(()).await;
        std::mem::take(self.0.get_mut().unwrap())
    }

    pub async fn fail(&mut self) {
        std::future::ready(()).await;
        panic!("later");
    }
}

#[offspring::test]
fn methods_may_be_async() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let echo = manager.create(Echo::default, ()).unwrap();
    for value in [3, 4] {
        assert_eq!(echo.later(value).unwrap(), value);
    }
    assert!(matches!(echo.fail(), Err(CallError::Panicked(panic)) if panic.message == "later"));
    assert_eq!(echo.take().unwrap(), [3, 4]);
}
