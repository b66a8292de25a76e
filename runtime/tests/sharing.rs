//! What processes share, on every system: the package of the behaviour tests needs Unix.
#![allow(clippy::needless_pass_by_value)] // what is sent is the child's

use std::time::Duration;

use offspring::channel::Queue;
use offspring::shm::SharedMemory;
use offspring::sync::{Barrier, Event, Mutex, Semaphore};
use offspring::{Pool, Receiver, Sender, StartMethod};

macro_rules! spawn {
    ($function:expr, $arguments:expr) => {
        offspring::target($function, $arguments).start_method(StartMethod::Spawn).start().unwrap()
    };
}

fn double(numbers: Receiver<u64>, doubled: Sender<u64>) {
    for number in &numbers {
        doubled.send(number.unwrap() * 2).unwrap();
    }
}

#[offspring::test]
fn what_is_sent_arrives_in_order_and_the_end_of_all_senders_ends_it() {
    let (numbers, theirs) = offspring::channel().unwrap();
    let (doubled, results) = offspring::channel().unwrap();
    let child = spawn!(double, (theirs, doubled));
    for number in 0..2000_u64 {
        numbers.send(number).unwrap();
    }
    drop(numbers);
    let results: Vec<u64> = results.iter().map(Result::unwrap).collect();
    assert_eq!(results, (0..2000).map(|number| number * 2).collect::<Vec<_>>());
    child.join().unwrap();
}

fn sleep() {
    loop {
        std::thread::park();
    }
}

fn hold(_end: Sender<u64>, ready: Event) {
    ready.set().unwrap();
    sleep();
}

#[offspring::test]
fn a_receiver_hears_that_its_sender_was_killed() {
    let (sender, receiver) = offspring::channel::<u64>().unwrap();
    let ready = Event::new().unwrap();
    let child = spawn!(hold, (sender, ready.clone()));
    ready.wait().unwrap();
    child.kill().unwrap();
    assert!(receiver.recv().is_err());
    child.wait().unwrap();
}

fn add(total: Mutex<u64>, times: u64) {
    for _ in 0..times {
        *total.lock().unwrap() += 1;
    }
}

#[offspring::test]
fn a_lock_is_held_by_one_process_at_a_time() {
    let total = Mutex::new(0_u64).unwrap();
    let children = [(); 3].map(|()| spawn!(add, (total.clone(), 300)));
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(*total.lock().unwrap(), 900);
}

fn take(lock: Mutex<u64>, ready: Event) {
    let mut held = lock.lock().unwrap();
    *held = 7;
    ready.set().unwrap();
    sleep();
}

#[offspring::test]
fn a_lock_whose_holder_was_killed_is_poisoned() {
    let lock = Mutex::new(0_u64).unwrap();
    let ready = Event::new().unwrap();
    let child = spawn!(take, (lock.clone(), ready.clone()));
    ready.wait().unwrap();
    assert!(lock.lock_timeout(Duration::from_millis(20)).is_err());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(lock.lock(), Err(offspring::sync::LockError::Poisoned(_))));
    assert_eq!(*lock.lock().unwrap_err().into_guard().unwrap(), 7);
}

fn write(memory: SharedMemory, permits: Semaphore) {
    memory.write_at(5, b"from the child").unwrap();
    permits.add_permits(1).unwrap();
}

#[offspring::test]
fn memory_is_shared_and_a_semaphore_tells_of_it() {
    let memory = SharedMemory::create(1 << 20).unwrap();
    let permits = Semaphore::new(0).unwrap();
    let child = spawn!(write, (memory.clone(), permits.clone()));
    let _permit = permits.acquire().unwrap();
    let mut read = [0; 14];
    memory.read_at(5, &mut read).unwrap();
    assert_eq!(&read, b"from the child");
    child.join().unwrap();
}

fn consume(queue: Queue<Vec<u8>>) -> usize {
    let mut total = 0;
    loop {
        let item = queue.get().unwrap();
        let length = item.len();
        queue.task_done().unwrap();
        if length == 0 {
            return total;
        }
        total += length;
    }
}

#[offspring::test]
fn a_queue_carries_items_of_any_length_and_is_joined() {
    let queue = Queue::new().unwrap();
    let child = spawn!(consume, (queue.clone(),));
    for length in [1, 1000, 100_000, 3_000_000, 0] {
        queue.put(vec![1; length]).unwrap();
    }
    queue.join().unwrap();
    assert_eq!(child.join().unwrap(), 3_101_001);
}

fn square(number: u64) -> u64 {
    assert_ne!(number, 13, "it is an unlucky number");
    number * number
}

#[offspring::test]
fn a_pool_maps_and_a_task_that_panics_fails_alone() {
    let pool = Pool::builder().workers(2).start_method(StartMethod::Spawn).start().unwrap();
    let results = pool.map(square, 0..100_u64);
    for (number, result) in (0..100).zip(results) {
        match result {
            Ok(result) => assert_eq!(result, number * number),
            Err(error) => assert!(number == 13 && error.to_string().contains("unlucky"), "{error}"),
        }
    }
    pool.close();
    pool.join();
}

fn answer(connection: offspring::Connection<usize, String>) {
    while let Ok(text) = connection.recv() {
        connection.send(text.len()).unwrap();
    }
}

#[offspring::test]
fn a_pipe_carries_questions_and_answers() {
    let (here, there) = offspring::pipe::<String, usize>().unwrap();
    let child = spawn!(answer, (there,));
    for length in [0, 10, 40_000, 2_000_000] {
        here.send("x".repeat(length)).unwrap();
        assert_eq!(here.recv().unwrap(), length);
    }
    drop(here);
    child.join().unwrap();
}

fn meet(barrier: Barrier) -> bool {
    barrier.wait().unwrap().is_leader()
}

#[offspring::test]
fn those_who_meet_at_a_barrier_go_on_together() {
    let barrier = Barrier::new(3).unwrap();
    let children = [(); 2].map(|()| spawn!(meet, (barrier.clone(),)));
    let here = meet(barrier);
    let leaders = children.into_iter().filter_map(|child| child.join().unwrap().then_some(())).count();
    assert_eq!(leaders + usize::from(here), 1);
}

#[offspring::test]
fn what_there_is_not_on_this_system_is_an_error_that_says_so() {
    match offspring::Manager::start() {
        Ok(manager) => drop(manager),
        Err(error) => assert!(cfg!(windows) && error.to_string().contains("on this system"), "{error}"),
    }
}
