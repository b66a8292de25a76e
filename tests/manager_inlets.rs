//! Methods whose arguments come one after the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use offspring::manager::{CancelToken, Proxy, Stream};
use offspring::net::remote::{AuthKey, Endpoint, Limits};
use offspring::{CallError, Manager, Sender, spawn};
use offspring_tests::{until, watchdog};
use serde::{Deserialize, Serialize};

/// Reads what it is given, at once or later.
#[derive(Default)]
struct Mouth {
    kept: Mutex<Option<Stream<u64>>>,
    swallowed: AtomicU64,
}

#[offspring::service]
impl Mouth {
    pub fn sum(&self, numbers: Stream<u64>) -> Result<u64, String> {
        let mut sum = 0;
        for number in numbers {
            sum += number.map_err(|error| error.to_string())?;
            self.swallowed.fetch_add(1, Ordering::SeqCst);
        }
        Ok(sum)
    }

    pub fn sum_one_at_a_time(&mut self, numbers: Stream<u64>) -> u64 {
        numbers.map(Result::unwrap).sum()
    }

    pub fn first(&self, numbers: Stream<u64>, count: usize) -> Vec<u64> {
        numbers.take(count).map(Result::unwrap).collect()
    }

    pub fn lengths(&self, blocks: Stream<Vec<u8>>) -> Result<usize, String> {
        blocks.map(|block| block.map(|block| block.len()).map_err(|error| error.to_string())).sum()
    }

    pub fn zip(&self, tens: Stream<u64>, ones: Stream<u64>) -> Stream<u64> {
        Stream::new(tens.zip(ones).map(|(ten, one)| ten.unwrap() * 10 + one.unwrap()))
    }

    pub fn keep(&self, numbers: Stream<u64>) {
        *self.kept.lock().unwrap() = Some(numbers);
    }

    pub fn read(&self) -> Option<Result<u64, String>> {
        let next = self.kept.lock().unwrap().as_mut().and_then(Iterator::next);
        next.map(|next| next.map_err(|error| error.to_string()))
    }

    pub fn spit_out(&self) {
        *self.kept.lock().unwrap() = None;
    }

    pub fn keep_and_fail(&self, numbers: Stream<u64>) {
        self.keep(numbers);
        panic!("it does not taste");
    }

    pub fn call_all(&self, mouths: Stream<MouthProxy>) -> u64 {
        mouths.map(|mouth| mouth.unwrap().swallowed().unwrap()).sum()
    }

    pub fn swallowed(&self) -> u64 {
        self.swallowed.load(Ordering::SeqCst)
    }

    pub fn die(&self) {
        std::process::abort();
    }
}

/// An iterator that is seen from outside.
#[derive(Clone, Default)]
struct Food(Arc<(AtomicU64, AtomicU64, Mutex<u64>, Condvar)>);

struct Served(Food, u64);

impl Food {
    /// Yields numbers, up to as many as are permitted so far.
    fn serve(&self, permits: u64) -> Served {
        self.0.1.fetch_add(1, Ordering::SeqCst);
        self.permit(permits);
        Served(self.clone(), 0)
    }

    fn permit(&self, count: u64) {
        *self.0.2.lock().unwrap() += count;
        self.0.3.notify_all();
    }

    fn yielded(&self) -> u64 {
        self.0.0.load(Ordering::SeqCst)
    }

    fn is_gone(&self) -> bool {
        self.0.1.load(Ordering::SeqCst) == 0
    }
}

impl Iterator for Served {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let (yielded, _, permits, changed) = &*self.0.0;
        *changed.wait_while(permits.lock().unwrap(), |permits| *permits == 0).unwrap() -= 1;
        yielded.fetch_add(1, Ordering::SeqCst);
        self.1 += 1;
        Some(self.1 - 1)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.0.1.fetch_sub(1, Ordering::SeqCst);
    }
}

const MANY: u64 = 1 << 40;

#[offspring::test]
fn a_method_reads_what_its_caller_yields_in_order_to_the_end() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let mouth = manager.create(Mouth::default, ()).unwrap();
    for count in [0, 1, 2, 5000] {
        assert_eq!(mouth.sum(Stream::new(0..count)).unwrap().unwrap(), (0..count).sum::<u64>());
        assert_eq!(mouth.sum_one_at_a_time(Stream::new(0..count)).unwrap(), (0..count).sum::<u64>());
    }
    assert_eq!(mouth.first(Stream::new(vec![5, 3, 9]), 9).unwrap(), [5, 3, 9]);
    let zipped = mouth.zip(Stream::new(1..4), Stream::new(5..8)).unwrap();
    assert_eq!(zipped.map(Result::unwrap).collect::<Vec<_>>(), [15, 26, 37]);
    until("nothing is left", || manager.objects().unwrap() == 1);
}

#[offspring::test]
fn what_is_yielded_is_a_bounded_way_ahead_of_the_method_and_ends_with_it() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let mouth = manager.create(Mouth::default, ()).unwrap();
    let food = Food::default();
    mouth.keep(Stream::new(food.serve(MANY))).unwrap();
    assert_eq!(food.yielded(), 0);
    assert_eq!(mouth.read().unwrap(), Some(Ok(0)));
    for number in 1..3000 {
        assert_eq!(mouth.read().unwrap(), Some(Ok(number)));
    }
    let yielded = food.yielded();
    assert!((3000..3000 + 3 * 1024).contains(&yielded), "{yielded}");
    mouth.spit_out().unwrap();
    until("the iterator is dropped", || food.is_gone());
    assert_eq!(mouth.first(Stream::new(food.serve(0)), 2).unwrap(), [0, 1]);
    until("the iterator is dropped", || food.is_gone());
    until("nothing is left", || manager.objects().unwrap() == 1);
}

#[offspring::test]
fn what_a_slow_iterator_yields_is_there_at_once() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let mouth = manager.create(Mouth::default, ()).unwrap();
    let food = Food::default();
    let call = mouth.start_sum(Stream::new(food.serve(0).take(30))).unwrap();
    for number in 0..30 {
        until("it has come", || mouth.swallowed().unwrap() == number);
        food.permit(1);
    }
    assert_eq!(call.wait().unwrap().unwrap(), (0..30).sum::<u64>());
}

#[offspring::test]
fn a_panic_of_the_iterator_and_an_item_that_is_too_large_end_the_stream() {
    let _dog = watchdog();
    let manager = Manager::builder().limits(Limits::new().max_message(100_000)).start().unwrap();
    let mouth = manager.create(Mouth::default, ()).unwrap();
    let fails = (0..).inspect(|number| assert!(*number < 5, "no five"));
    mouth.keep(Stream::new(fails)).unwrap();
    for number in 0..5 {
        assert_eq!(mouth.read().unwrap(), Some(Ok(number)));
    }
    assert!(mouth.read().unwrap().unwrap().unwrap_err().contains("no five"));
    assert_eq!(mouth.read().unwrap(), None);
    assert_eq!(mouth.lengths(Stream::new(vec![vec![0; 1000]; 1000])).unwrap().unwrap(), 1_000_000);
    let error = mouth.lengths(Stream::new([1, 200_000].map(|size| vec![0; size]))).unwrap().unwrap_err();
    assert!(error.contains("cannot be sent"), "{error}");
}

#[offspring::test]
fn a_method_learns_that_its_caller_has_died() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let mouth = manager.create(Mouth::default, ()).unwrap();
    let feed = |mouth: MouthProxy, ready: Sender<()>| -> () {
        mouth.keep(Stream::new(Food::default().serve(3))).unwrap();
        ready.send(()).unwrap();
        mouth.sum(Stream::new(Food::default().serve(5))).unwrap().unwrap();
        unreachable!("nobody permits more");
    };
    let (ready, is_ready) = offspring::channel().unwrap();
    let child = spawn(feed, (mouth.clone(), ready)).unwrap();
    is_ready.recv().unwrap();
    for number in 0..3 {
        assert_eq!(mouth.read().unwrap(), Some(Ok(number)));
    }
    until("all that can come has come", || mouth.swallowed().unwrap() == 5);
    child.kill().unwrap();
    let error = mouth.read().unwrap().unwrap().unwrap_err();
    assert_eq!(error, CallError::CallerGone.to_string());
    assert_eq!(mouth.read().unwrap(), None);
    until("nothing is left", || manager.objects().unwrap() == 1);
}

#[offspring::test]
fn who_gives_a_call_up_or_gets_an_error_of_it_feeds_no_more() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let mouth = manager.create(Mouth::default, ()).unwrap();
    let food = Food::default();
    let short = mouth.with_timeout(Duration::from_millis(20));
    assert!(short.sum(Stream::new(food.serve(2))).unwrap_err().is_timed_out());
    let token = CancelToken::new();
    let call = mouth.with_cancel(&token).start_sum(Stream::new(food.serve(2))).unwrap();
    token.cancel();
    assert!(call.wait().unwrap_err().is_cancelled());
    let error = mouth.keep_and_fail(Stream::new(food.serve(0))).unwrap_err();
    assert!(matches!(error, CallError::Panicked(_)));
    assert!(mouth.read().unwrap().unwrap().is_err());
    until("each iterator is dropped when it has returned", || {
        food.permit(1);
        food.is_gone()
    });
    until("nothing is left", || manager.objects().unwrap() == 1);
}

#[offspring::test]
fn the_end_of_the_server_ends_what_is_fed() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let mouth = manager.create(Mouth::default, ()).unwrap();
    let food = Food::default();
    mouth.keep(Stream::new(food.serve(MANY))).unwrap();
    assert_eq!(mouth.read().unwrap(), Some(Ok(0)));
    assert!(mouth.die().unwrap_err().is_server_gone());
    until("the iterator is dropped", || food.is_gone());
    let error = mouth.sum(Stream::new(food.serve(1))).unwrap_err();
    assert!(error.was_not_done() && food.is_gone(), "{error}");
}

#[offspring::test]
fn proxies_are_items_and_a_copy_of_a_stream_is_none() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    let mouth = manager.create(Mouth::default, ()).unwrap();
    mouth.sum(Stream::new(0..7)).unwrap().unwrap();
    assert_eq!(mouth.call_all(Stream::new(vec![mouth.clone(); 3])).unwrap(), 21);
    let (sender, _receiver) = offspring::channel::<Stream<u64>>().unwrap();
    assert!(sender.send(Stream::new(0..3)).unwrap_err().to_string().contains("stream"));
    until("nothing is left", || manager.objects().unwrap() == 1);
}

#[offspring::test]
fn streams_go_through_a_port_and_to_this_very_process() {
    let _dog = watchdog();
    let key = AuthKey::from("a key of the tests");
    let builder = Manager::builder().listen(Endpoint::tcp("127.0.0.1", 0)).authkey(key.clone());
    let server = builder.serve().unwrap();
    let mouth = server.serve(Mouth::default());
    server.register("mouth", &mouth).unwrap();
    let client = |there: Endpoint, key: AuthKey| {
        let mouth: MouthProxy = Manager::connect(&there, Some(&key)).unwrap().get("mouth").unwrap();
        mouth.sum(Stream::new(0..5000)).unwrap().unwrap()
    };
    let child = spawn(client, (server.endpoint().clone(), key)).unwrap();
    let sum = (0..5000).sum::<u64>();
    let food = Food::default();
    assert_eq!(mouth.sum(Stream::new(food.serve(MANY).take(5000))).unwrap().unwrap(), sum);
    let started = mouth.start_sum(Stream::new(0..5000)).unwrap();
    assert_eq!(started.wait().unwrap().unwrap(), sum);
    assert_eq!(child.join().unwrap(), sum);
    let short = mouth.with_timeout(Duration::from_millis(20));
    *food.0.2.lock().unwrap() = 0;
    assert!(short.sum(Stream::new(food.serve(2))).unwrap_err().is_timed_out());
    until("all are dropped", || {
        food.permit(1);
        food.is_gone()
    });
}

#[derive(Serialize, Deserialize)]
struct Relay(MouthProxy);

#[offspring::service]
impl Relay {
    pub fn sum(&self, numbers: Stream<u64>) -> Result<u64, String> {
        let passed_on = Stream::new(numbers.map_while(Result::ok));
        self.0.sum(passed_on).map_err(|error| error.to_string())?
    }
}

#[offspring::test]
fn a_method_passes_on_what_it_reads_to_another_server() {
    let _dog = watchdog();
    let (one, other) = (Manager::start().unwrap(), Manager::start().unwrap());
    let mouth = one.create(Mouth::default, ()).unwrap();
    let relay = other.serve(Relay(mouth)).unwrap();
    assert_eq!(relay.sum(Stream::new(0..3000)).unwrap().unwrap(), (0..3000).sum::<u64>());
    until("nothing is left", || one.objects().unwrap() == 1 && other.objects().unwrap() == 1);
}
