//! Methods whose results come one after the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use offspring::manager::{CancelToken, Proxy, Stream};
use offspring::net::remote::{AuthKey, Endpoint};
use offspring::{CallError, Manager, Sender, spawn};
use offspring_tests::{until, watchdog};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Counter {
    value: u64,
}

#[offspring::service]
impl Counter {
    pub fn incr(&mut self, by: u64) -> u64 {
        self.value += by;
        self.value
    }
}

/// Makes streams, and counts what they yield, and those that are there.
#[derive(Default)]
struct Spring(Arc<Shared>);

#[derive(Default)]
struct Shared {
    yielded: AtomicU64,
    streams: AtomicU64,
    permits: Mutex<u64>,
    changed: Condvar,
}

/// Counts as a stream until drop.
struct Flowing(Arc<Shared>);

impl Flowing {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.streams.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }

    fn counted(&self, number: u64) -> u64 {
        self.0.yielded.fetch_add(1, Ordering::SeqCst);
        number
    }
}

impl Drop for Flowing {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::SeqCst);
    }
}

#[offspring::service]
impl Spring {
    pub fn numbers(&self) -> Stream<u64> {
        let flowing = Flowing::new(&self.0);
        Stream::new((0..).map(move |number| flowing.counted(number)))
    }

    pub fn up_to(&self, end: u64) -> Stream<u64> {
        Stream::new(0..end)
    }

    pub fn blocks(&self, count: usize, size: usize) -> Stream<Vec<u8>> {
        let flowing = Flowing::new(&self.0);
        Stream::new((0..count).map(move |_| vec![0; usize::try_from(flowing.counted(size as u64)).unwrap()]))
    }

    pub fn failing(&self, begins: bool) -> Result<Stream<Result<u64, String>>, String> {
        if !begins {
            return Err("it does not begin".to_owned());
        }
        let item = |number: u64| match number {
            3 => Err("three".to_owned()),
            5 => panic!("no five"),
            number => Ok(number),
        };
        Ok(Stream::new((0..).map(item)))
    }

    pub fn counters(&self, counter: CounterProxy) -> Stream<CounterProxy> {
        Stream::new(std::iter::repeat_n(counter, 3))
    }

    /// Yields a number for each permit.
    pub fn slowly(&self) -> Stream<u64> {
        let flowing = Flowing::new(&self.0);
        Stream::new((0..).inspect(move |_| {
            let permits = flowing.0.permits.lock().unwrap();
            *flowing.0.changed.wait_while(permits, |permits| *permits == 0).unwrap() -= 1;
        }))
    }

    pub fn permit(&self, count: u64) {
        *self.0.permits.lock().unwrap() += count;
        self.0.changed.notify_all();
    }

    pub fn yielded(&self) -> u64 {
        self.0.yielded.load(Ordering::SeqCst)
    }

    pub fn streams(&self) -> u64 {
        self.0.streams.load(Ordering::SeqCst)
    }

    pub fn swallow(&self, stream: Stream<u64>) -> usize {
        stream.count()
    }

    pub fn die(&self) {
        std::process::abort();
    }
}

#[offspring::test]
fn a_stream_comes_in_order_and_ends() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let spring = manager.create(Spring::default, ()).unwrap();
    for count in [0, 1, 2, 5000] {
        let mut stream = spring.up_to(count).unwrap();
        let numbers: Result<Vec<_>, _> = stream.by_ref().collect();
        assert!(numbers.unwrap().into_iter().eq(0..count));
        assert!(stream.next().is_none());
        drop(stream);
        assert_eq!(manager.objects().unwrap(), 1);
    }
}

#[offspring::test]
fn an_endless_stream_runs_a_bounded_way_ahead_and_ends_with_who_reads() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let spring = manager.create(Spring::default, ()).unwrap();
    let unread = spring.numbers().unwrap();
    assert_eq!((spring.streams().unwrap(), spring.yielded().unwrap()), (1, 0));
    drop(unread);
    until("it is dropped", || spring.streams().unwrap() == 0);

    let mut numbers = spring.numbers().unwrap();
    assert_eq!(numbers.next().unwrap().unwrap(), 0);
    assert!(spring.yielded().unwrap() <= 2);
    for number in 1..3000 {
        assert_eq!(numbers.next().unwrap().unwrap(), number);
    }
    let yielded = spring.yielded().unwrap();
    assert!((3000..3000 + 2 * 1024).contains(&yielded), "{yielded}");
    drop(numbers);
    until("it is dropped", || spring.streams().unwrap() == 0);
    assert_eq!(manager.objects().unwrap(), 1);
}

#[offspring::test]
fn what_waits_to_be_read_is_bounded_in_bytes() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let spring = manager.create(Spring::default, ()).unwrap();
    let mut blocks = spring.blocks(200, 50_000).unwrap();
    for _ in 0..40 {
        assert_eq!(blocks.next().unwrap().unwrap().len(), 50_000);
    }
    let yielded = spring.yielded().unwrap();
    assert!(yielded <= 40 + 4, "{yielded}");
    assert_eq!(blocks.count(), 200 - 40);
}

#[offspring::test]
fn what_a_slow_stream_has_yielded_comes_at_once() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let spring = manager.create(Spring::default, ()).unwrap();
    let mut numbers = spring.slowly().unwrap();
    for number in 0..30 {
        spring.permit(1).unwrap();
        assert_eq!(numbers.next().unwrap().unwrap(), number);
    }
}

#[offspring::test]
fn errors_of_the_items_are_items_and_a_panic_is_the_end_behind_what_came() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let spring = manager.create(Spring::default, ()).unwrap();
    assert_eq!(spring.failing(false).unwrap().unwrap_err(), "it does not begin");
    let mut items = spring.failing(true).unwrap().unwrap();
    for expected in [Ok(0), Ok(1), Ok(2), Err("three".to_owned()), Ok(4)] {
        assert_eq!(items.next().unwrap().unwrap(), expected);
    }
    assert!(matches!(items.next(), Some(Err(CallError::Panicked(panic))) if panic.message == "no five"));
    assert!(items.next().is_none());
}

#[offspring::test]
fn a_stream_ends_when_its_reader_dies() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let spring = manager.create(Spring::default, ()).unwrap();
    let read = |spring: SpringProxy, ready: Sender<()>| -> () {
        let mut numbers = spring.numbers().unwrap();
        for number in 0..10 {
            assert_eq!(numbers.next().unwrap().unwrap(), number);
        }
        let mut slow = spring.slowly().unwrap();
        ready.send(()).unwrap();
        slow.next();
        unreachable!("nobody permits anything");
    };
    let (ready, is_ready) = offspring::channel().unwrap();
    let child = spawn(read, (spring.clone(), ready)).unwrap();
    is_ready.recv().unwrap();
    assert_eq!(spring.streams().unwrap(), 2);
    child.kill().unwrap();
    until("the one that waits for nothing is dropped", || spring.streams().unwrap() < 2);
    // The other waits in the iterator itself, if it has begun: it goes when that returns.
    until("the other is dropped", || {
        spring.permit(1).unwrap();
        spring.streams().unwrap() == 0
    });
    assert_eq!(manager.objects().unwrap(), 1);
}

#[offspring::test]
fn the_end_of_the_server_is_an_error_and_then_the_end() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let spring = manager.create(Spring::default, ()).unwrap();
    let mut slow = spring.slowly().unwrap();
    let reading = std::thread::spawn(move || (slow.next(), slow.next()));
    assert!(spring.die().unwrap_err().is_server_gone());
    let (error, end) = reading.join().unwrap();
    assert!(error.unwrap().unwrap_err().is_server_gone() && end.is_none());
}

#[offspring::test]
fn proxies_come_in_streams_and_streams_go_nowhere_else() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let spring = manager.create(Spring::default, ()).unwrap();
    let counter = manager.serve(Counter::default()).unwrap();
    for (number, counter) in (1..).zip(spring.counters(counter).unwrap()) {
        assert_eq!(counter.unwrap().incr(1).unwrap(), number);
    }
    assert_eq!(manager.objects().unwrap(), 1);
    let read_here = spring.numbers().unwrap();
    assert!(matches!(spring.swallow(read_here), Err(CallError::Encode(why)) if why.contains("stream")));
    assert_eq!(spring.swallow(Stream::new(0..3)).unwrap(), 3);
    until("all are dropped", || manager.objects().unwrap() == 1);
}

#[offspring::test]
fn streams_come_over_a_port_and_from_this_very_process() {
    let _dog = watchdog();
    let key = AuthKey::from("a key of the tests");
    let builder = Manager::builder().listen(Endpoint::tcp("127.0.0.1", 0)).authkey(key.clone());
    let server = builder.serve().unwrap();
    let spring = server.serve(Spring::default());
    server.register("spring", &spring).unwrap();
    let client = |there: Endpoint, key: AuthKey| {
        let spring: SpringProxy = Manager::connect(&there, Some(&key)).unwrap().get("spring").unwrap();
        spring.numbers().unwrap().take(5000).map(Result::unwrap).sum::<u64>()
    };
    let child = spawn(client, (server.endpoint().clone(), key)).unwrap();
    let sum = (0..5000).sum::<u64>();
    assert_eq!(spring.numbers().unwrap().take(5000).map(Result::unwrap).sum::<u64>(), sum);
    assert_eq!(child.join().unwrap(), sum);
    until("all are dropped", || spring.streams().unwrap() == 0);
    // A token is for the calls of its proxy.
    let token = CancelToken::new();
    let mut numbers = spring.with_cancel(&token).numbers().unwrap();
    token.cancel();
    assert_eq!(numbers.next().unwrap().unwrap(), 0);
}
