//! Tasks for workers: who gets them, and that none is lost whoever ends.

#![allow(clippy::needless_pass_by_value)] // what a child runs owns its arguments

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use offspring::net::remote::{AuthKey, Endpoint, RemoteError, TlsClient, TlsServer};
use offspring::tasks::{
    Finished, Receipt, ResultQueue, TaskClient, TaskError, TaskFailure, TaskServer, TaskServerBuilder,
    TaskWorker, TaskWorkerBuilder,
};
use offspring::{Child, Receiver, Sender};
use offspring_tests::{until, watchdog};

type Server = TaskServer<u64, String>;
type Worker = TaskWorker<u64, String>;
type Client = TaskClient<u64, String>;

fn key() -> AuthKey {
    AuthKey::from("a key of the tests")
}

fn anywhere() -> Endpoint {
    Endpoint::tcp("127.0.0.1", 0)
}

/// Where a server can be started again: a port that was free could be somebody else's then.
fn for_good() -> Endpoint {
    Endpoint::fresh()
}

fn server() -> Server {
    Server::bind(&anywhere(), Some(key())).unwrap()
}

fn worker(endpoint: &Endpoint) -> Worker {
    Worker::connect(endpoint, Some(&key())).unwrap()
}

fn do_it(task: u64) -> String {
    format!("{task} done")
}

/// Works until the server is shut down.
fn work(endpoint: Endpoint) -> u64 {
    worker(&endpoint).run(do_it).unwrap()
}

/// Gets a task, says which, and holds it until it is killed.
fn hold(endpoint: Endpoint, which: Sender<u64>) {
    let worker = worker(&endpoint);
    let task = worker.get_task_queue().get().unwrap();
    which.send(*task).unwrap();
    loop {
        thread::park();
    }
}

/// A worker that holds a task: which.
fn holder(endpoint: &Endpoint) -> (Child<()>, u64) {
    let (sender, receiver) = offspring::channel().unwrap();
    let child = offspring::spawn(hold, (endpoint.clone(), sender)).unwrap();
    let task = receiver.recv().unwrap();
    (child, task)
}

/// Gets results until there are so many, each task's once.
fn collect(results: &ResultQueue<String>, count: usize) -> BTreeMap<u64, Result<String, TaskFailure>> {
    let mut all = BTreeMap::new();
    while all.len() < count {
        let finished = results.get().unwrap();
        let number = finished.number();
        assert!(all.insert(number, finished.into_result()).is_none(), "{number} has two results");
    }
    all
}

/// A way to a server that can be cut.
struct Way {
    endpoint: Endpoint,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    blocked: Arc<AtomicBool>,
    /// Whether nothing comes from the server any more.
    stalled: Arc<AtomicBool>,
    port: Arc<AtomicU16>,
}

/// The port of a server.
fn port_of(server: &Endpoint) -> u16 {
    let Endpoint::Tcp { port, .. } = *server else { panic!("a port") };
    port
}

impl Way {
    fn to(server: &Endpoint) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::tcp("127.0.0.1", listener.local_addr().unwrap().port());
        let streams = Arc::<Mutex<Vec<TcpStream>>>::default();
        let blocked = Arc::<AtomicBool>::default();
        let stalled = Arc::<AtomicBool>::default();
        let port = Arc::new(AtomicU16::new(port_of(server)));
        let (all, is_blocked) = (Arc::clone(&streams), Arc::clone(&blocked));
        let (is_stalled, to) = (Arc::clone(&stalled), Arc::clone(&port));
        thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.unwrap();
                if is_blocked.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", to.load(Ordering::SeqCst))) else { continue };
                let mut all = all.lock().unwrap();
                for (from, to, stalls) in [(&near, &far, None), (&far, &near, Some(&is_stalled))] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    all.push(from.try_clone().unwrap());
                    let stalls = stalls.cloned();
                    thread::spawn(move || carry(from, to, stalls));
                }
            }
        });
        Self { endpoint, streams, blocked, stalled, port }
    }

    /// Whether it can be taken. That it cannot ends what goes over it now.
    fn block(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::SeqCst);
        if blocked {
            self.cut();
        }
    }

    /// From now on it leads to another server.
    fn lead_to(&self, server: &Endpoint) {
        self.port.store(port_of(server), Ordering::SeqCst);
    }

    /// Cuts all that goes over it now. It can be taken again.
    fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _is_cut_already = stream.shutdown(Shutdown::Both);
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, stalls: Option<Arc<AtomicBool>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        while stalls.as_ref().is_some_and(|stalls| stalls.load(Ordering::SeqCst)) {
            thread::park();
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _is_cut_already = to.shutdown(Shutdown::Write);
}

/// A directory of one test, which ends with it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("offspring-tasks-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn journal(&self) -> TaskServerBuilder {
        Server::builder().journal(self.0.join("journal"))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[offspring::test]
fn every_task_has_one_result_whoever_does_it() {
    let _dog = watchdog();
    let server = server();
    let children: Vec<_> =
        (0..3).map(|_| offspring::spawn(work, (server.endpoint().clone(),)).unwrap()).collect();
    let here = worker(server.endpoint());
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let here = here.clone();
            thread::spawn(move || here.run(do_it).unwrap())
        })
        .collect();
    until("all are there", || server.counts().workers == 4);
    let (tasks, results) = (server.get_task_queue(), server.get_result_queue());
    let first = tasks.put(&0).unwrap();
    assert_eq!(tasks.put_all(&(1..500).collect::<Vec<_>>()).unwrap(), first + 1);
    for (task, (number, result)) in (0_u64..).zip(collect(&results, 500)) {
        assert_eq!((number, result), (first + task, Ok(do_it(task))));
    }
    assert_eq!(server.counts().waiting + server.counts().leased, 0);
    server.shutdown();
    let done = children.into_iter().map(|child| child.join().unwrap()).sum::<u64>()
        + threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>();
    assert_eq!(done, 500);
    assert!(matches!(results.get().unwrap_err(), TaskError::Closed));
    assert!(matches!(tasks.put(&1).unwrap_err(), TaskError::Closed));
}

#[offspring::test]
fn the_task_of_a_worker_that_is_killed_goes_to_another() {
    let _dog = watchdog();
    let server = server();
    let (tasks, results) = (server.get_task_queue(), server.get_result_queue());
    tasks.put_all(&[1, 2, 3]).unwrap();
    let (child, task) = holder(server.endpoint());
    assert_eq!((task, server.counts().leased, server.counts().waiting), (1, 1, 2));
    child.kill().unwrap();
    assert!(child.join().is_err());
    until("it waits again", || server.counts().waiting == 3);
    // It is the first again.
    let worker = worker(server.endpoint());
    for task in 1..=3 {
        let leased = worker.get_task_queue().get().unwrap();
        assert_eq!(*leased, task);
        assert_eq!(worker.get_result_queue().put(leased, &do_it(task)).unwrap(), Receipt::Taken);
    }
    assert_eq!(
        collect(&results, 3).into_values().collect::<Vec<_>>(),
        (1..=3).map(|task| Ok(do_it(task))).collect::<Vec<_>>()
    );
}

#[offspring::test]
fn a_worker_that_is_stopped_loses_its_task_when_the_lease_is_over() {
    let _dog = watchdog();
    let server: Server =
        Server::builder().lease(Duration::from_millis(50)).bind(&anywhere(), Some(key())).unwrap();
    server.get_task_queue().put(&7).unwrap();
    let (child, _) = holder(server.endpoint());
    let pid = Pid::from_raw(i32::try_from(child.pid()).unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    let other = worker(server.endpoint());
    let task = other.get_task_queue().get().unwrap();
    assert_eq!(other.get_result_queue().put(task, &do_it(7)).unwrap(), Receipt::Taken);
    child.kill().unwrap();
    assert!(child.join().is_err());
}

#[offspring::test]
fn a_worker_that_works_for_longer_than_the_lease_keeps_its_task() {
    let _dog = watchdog();
    let server: Server =
        Server::builder().lease(Duration::from_millis(60)).bind(&anywhere(), Some(key())).unwrap();
    server.get_task_queue().put(&7).unwrap();
    let worker = worker(server.endpoint());
    let task = worker.get_task_queue().get().unwrap();
    let other = Worker::connect(server.endpoint(), Some(&key())).unwrap();
    // Whole leases pass in which nobody else gets it. On a machine that stalls it may be lost, and come back to who holds it.
    let waited = other.get_task_queue().get_timeout(Duration::from_millis(300));
    match waited {
        Err(error) => assert!(error.is_timed_out()),
        Ok(theirs) => theirs.give_back(),
    }
    assert_eq!(worker.get_result_queue().put(task, &do_it(7)).unwrap(), Receipt::Taken);
}

#[offspring::test]
fn a_worker_that_is_cut_off_comes_back_with_what_it_has() {
    let _dog = watchdog();
    let server = server();
    let way = Way::to(server.endpoint());
    let worker = worker(&way.endpoint);
    let tasks = server.get_task_queue();
    for round in 0..5 {
        tasks.put(&round).unwrap();
        let task = worker.get_task_queue().get().unwrap();
        way.cut();
        assert_eq!(worker.get_result_queue().put(task, &do_it(round)).unwrap(), Receipt::Taken);
        let finished = server.get_result_queue().get().unwrap();
        assert_eq!(finished.result().unwrap(), &do_it(round));
    }
    // Who waits goes on waiting.
    let waiting = {
        let worker = worker.clone();
        thread::spawn(move || *worker.get_task_queue().get().unwrap())
    };
    until("it is back", || server.counts().workers == 1);
    way.cut();
    tasks.put(&77).unwrap();
    assert_eq!(waiting.join().unwrap(), 77);
}

#[offspring::test]
fn the_first_result_counts_when_a_task_was_done_twice() {
    let _dog = watchdog();
    let server = server();
    let way = Way::to(server.endpoint());
    let (cut_off, other) = (worker(&way.endpoint), worker(server.endpoint()));
    server.get_task_queue().put(&1).unwrap();
    let here = cut_off.get_task_queue().get().unwrap();
    let waiting = thread::spawn(move || {
        let task = other.get_task_queue().get().unwrap();
        other.get_result_queue().put(task, &"the other's".to_owned()).unwrap()
    });
    way.block(true);
    assert_eq!(waiting.join().unwrap(), Receipt::Taken);
    way.block(false);
    assert_eq!(cut_off.get_result_queue().put(here, &"late".to_owned()).unwrap(), Receipt::AlreadyDone);
    assert_eq!(server.get_result_queue().get().unwrap().into_result(), Ok("the other's".into()));
    assert!(server.get_result_queue().is_empty());
}

#[offspring::test]
fn a_task_that_is_given_back_goes_to_the_next_and_one_that_is_dropped_is_lost_so_often() {
    let _dog = watchdog();
    let server: Server = Server::builder().attempts(3).bind(&anywhere(), Some(key())).unwrap();
    let worker = worker(server.endpoint());
    let tasks = worker.get_task_queue();
    let number = server.get_task_queue().put(&5).unwrap();
    for _ in 0..10 {
        tasks.get().unwrap().give_back();
    }
    for _ in 0..3 {
        drop(tasks.get().unwrap());
    }
    let finished = server.get_result_queue().get().unwrap();
    assert_eq!((finished.number(), finished.result()), (number, Err(&TaskFailure::Lost { times: 3 })));
    assert!(tasks.get_timeout(Duration::from_millis(1)).unwrap_err().is_timed_out());
}

/// Dies of any task but 0.
fn die(endpoint: Endpoint) {
    let died_not = worker(&endpoint).run(|task| if task == 0 { do_it(task) } else { std::process::exit(3) });
    died_not.unwrap();
}

#[offspring::test]
fn a_task_that_kills_its_workers_does_not_kill_all_of_them() {
    let _dog = watchdog();
    let server: Server = Server::builder().attempts(2).bind(&anywhere(), Some(key())).unwrap();
    let (tasks, results) = (server.get_task_queue(), server.get_result_queue());
    let deadly = tasks.put(&666).unwrap();
    for _ in 0..2 {
        let child = offspring::spawn(die, (server.endpoint().clone(),)).unwrap();
        assert!(child.join().is_err());
    }
    let finished = results.get().unwrap();
    assert_eq!((finished.number(), finished.result()), (deadly, Err(&TaskFailure::Lost { times: 2 })));
    tasks.put(&0).unwrap();
    let child = offspring::spawn(die, (server.endpoint().clone(),)).unwrap();
    assert_eq!(results.get().unwrap().into_result(), Ok(do_it(0)));
    server.shutdown();
    child.join().unwrap();
}

#[offspring::test]
fn who_stops_waiting_leaves_no_task_behind() {
    let _dog = watchdog();
    let server = server();
    let (one, other) = (worker(server.endpoint()), worker(server.endpoint()));
    for round in 0..20 {
        // The server may have been asked by one who waits no longer.
        assert!(one.get_task_queue().get_timeout(Duration::ZERO).unwrap_err().is_timed_out());
        let putting = {
            let tasks = server.get_task_queue();
            thread::spawn(move || tasks.put(&round).unwrap())
        };
        let soon = one.get_task_queue().get_timeout(Duration::from_micros(50));
        if let Ok(task) = soon {
            task.give_back();
        }
        let task = other.get_task_queue().get().unwrap();
        assert_eq!(*task, round);
        other.get_result_queue().put(task, &do_it(round)).unwrap();
        putting.join().unwrap();
    }
    assert_eq!(collect(&server.get_result_queue(), 20).len(), 20);
}

#[offspring::test]
fn shutdown_wakes_workers_and_who_waits_for_results() {
    let _dog = watchdog();
    let server = server();
    let worker = worker(server.endpoint());
    let waiting = {
        let worker = worker.clone();
        thread::spawn(move || worker.get_task_queue().get().unwrap_err())
    };
    let results = server.get_result_queue();
    let getting = thread::spawn(move || results.get().unwrap_err());
    server.shutdown();
    assert!(waiting.join().unwrap().is_closed());
    assert!(getting.join().unwrap().is_closed());
    assert!(worker.get_task_queue().get().unwrap_err().is_closed());
}

#[offspring::test]
fn a_server_that_does_not_come_back_is_an_error_when_the_patience_is_over() {
    let _dog = watchdog();
    let server = server();
    let impatient: Worker = TaskWorkerBuilder::new()
        .patience(Duration::from_millis(30))
        .connect(server.endpoint(), Some(&key()))
        .unwrap();
    server.get_task_queue().put(&1).unwrap();
    let task = impatient.get_task_queue().get().unwrap();
    drop(server);
    let error = impatient.get_result_queue().put(task, &do_it(1)).unwrap_err();
    assert!(matches!(error, TaskError::NoLink(_)), "{error}");
    assert!(matches!(impatient.get_task_queue().get().unwrap_err(), TaskError::NoLink(_)));
}

#[offspring::test]
fn workers_come_back_to_a_server_that_is_started_again() {
    let _dog = watchdog();
    let first = Server::bind(&for_good(), Some(key())).unwrap();
    let endpoint = first.endpoint().clone();
    let worker = worker(&endpoint);
    first.get_task_queue().put(&1).unwrap();
    let old = worker.get_task_queue().get().unwrap();
    drop(first);
    let second = Server::bind(&endpoint, Some(key())).unwrap();
    second.get_task_queue().put(&2).unwrap();
    let new = worker.get_task_queue().get().unwrap();
    assert_eq!((*old, *new, old.number(), new.number()), (1, 2, 0, 0));
    // Without a journal the second server knows nothing of the first one's tasks, and takes no result for another's.
    assert_eq!(worker.get_result_queue().put(old, &do_it(1)).unwrap(), Receipt::Unknown);
    assert_eq!(worker.get_result_queue().put(new, &do_it(2)).unwrap(), Receipt::Taken);
    assert_eq!(second.get_result_queue().get().unwrap().into_result(), Ok(do_it(2)));
}

#[offspring::test]
fn a_worker_with_another_key_or_of_other_types_is_told_so() {
    let _dog = watchdog();
    let server = server();
    let error = Worker::connect(server.endpoint(), Some(&AuthKey::random())).unwrap_err();
    assert!(matches!(error, TaskError::NoLink(RemoteError::WrongKey)), "{error}");
    let error = TaskWorker::<u32, String>::connect(server.endpoint(), Some(&key())).unwrap_err();
    assert!(matches!(&error, TaskError::OtherTypes { task, .. } if task == "u64"), "{error}");
    until("the server knows of the other key", || server.refusals().count == 1);
}

/// A certificate of `localhost` and its key, as PEM; an authority has signed it, whose certificate comes third.
fn certificate() -> [String; 3] {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let signed = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    [certificate.pem(), key.serialize_pem(), signed.pem()]
}

fn tls_server([certificate, its_key, _]: &[String; 3]) -> Server {
    let tls = TlsServer::from_pem(certificate.as_bytes(), its_key.as_bytes()).unwrap();
    Server::builder().tls(tls).bind(&anywhere(), Some(key())).unwrap()
}

/// The last who was not let in, when there are so many.
fn refusal(server: &Server, count: u64) -> RemoteError {
    until("somebody was refused", || server.refusals().count == count);
    server.refusals().latest.back().unwrap().error.clone()
}

#[offspring::test]
fn tasks_and_results_go_through_tls_also_after_the_link_was_cut() {
    let _dog = watchdog();
    let certificate = certificate();
    let server = tls_server(&certificate);
    let way = Way::to(server.endpoint());
    let known = [
        TlsClient::pinned(certificate[0].as_bytes()).unwrap(),
        TlsClient::signed_by(certificate[2].as_bytes(), "localhost").unwrap(),
    ];
    for (round, tls) in (0..).zip(known) {
        let worker: Worker = Worker::builder().tls(tls).connect(&way.endpoint, Some(&key())).unwrap();
        let long = "x".repeat(200_000);
        for cut in [false, true] {
            server.get_task_queue().put(&round).unwrap();
            let task = worker.get_task_queue().get().unwrap();
            assert_eq!(*task, round);
            if cut {
                way.cut();
            }
            assert_eq!(worker.get_result_queue().put(task, &long).unwrap(), Receipt::Taken);
            assert_eq!(server.get_result_queue().get().unwrap().into_result(), Ok(long.clone()));
        }
    }
    let tls = TlsClient::pinned(certificate[0].as_bytes()).unwrap();
    let worker: Worker = Worker::builder().tls(tls.clone()).connect(server.endpoint(), Some(&key())).unwrap();
    let producer: Client = Client::builder().tls(tls).connect(&way.endpoint, Some(&key())).unwrap();
    producer.get_task_queue().put(&1).unwrap();
    way.cut();
    work_off(&worker, 1);
    assert_eq!(producer.get_result_queue().get().unwrap().into_result(), Ok(do_it(1)));
}

#[offspring::test]
fn who_takes_another_certificate_or_no_tls_is_not_let_in_and_both_sides_say_why() {
    let _dog = watchdog();
    let (ours, other) = (certificate(), certificate());
    let server = tls_server(&ours);
    let refused = [
        TlsClient::pinned(other[0].as_bytes()).unwrap(),
        TlsClient::signed_by(other[2].as_bytes(), "localhost").unwrap(),
        TlsClient::signed_by(ours[2].as_bytes(), "elsewhere").unwrap(),
    ];
    let connect = |tls, server: &Server| {
        let connected: Result<Worker, _> =
            Worker::builder().tls(tls).connect(server.endpoint(), Some(&key()));
        connected.unwrap_err()
    };
    for (count, tls) in (1..).zip(refused) {
        let error = connect(tls, &server);
        assert!(matches!(error, TaskError::NoLink(RemoteError::Tls(_))), "{error}");
        let error = refusal(&server, count);
        assert!(matches!(error, RemoteError::Tls(_)), "{error}");
    }
    let error = Worker::connect(server.endpoint(), Some(&key())).unwrap_err();
    assert!(matches!(error, TaskError::NoLink(RemoteError::Protocol { .. })), "{error}");
    assert!(error.to_string().contains("it speaks TLS"), "{error}");
    assert!(matches!(refusal(&server, 4), RemoteError::Tls(_)));
    let plain = self::server();
    let error = connect(TlsClient::pinned(ours[0].as_bytes()).unwrap(), &plain);
    assert!(matches!(error, TaskError::NoLink(RemoteError::Tls(_))), "{error}");
    assert!(refusal(&plain, 1).to_string().contains("it speaks TLS"));
}

#[offspring::test]
fn a_value_that_cannot_travel_is_an_error_of_the_put() {
    let _dog = watchdog();
    let server: TaskServer<Sender<u8>, u8> = TaskServer::bind(&anywhere(), Some(key())).unwrap();
    let (sender, _receiver) = offspring::channel().unwrap();
    let error = server.get_task_queue().put(&sender).unwrap_err();
    assert!(matches!(error, TaskError::Encode(_)), "{error}");
    let limits = offspring::net::remote::Limits::new().max_message(1000);
    let server: TaskServer<String, u8> =
        TaskServerBuilder::new().limits(limits).bind(&anywhere(), Some(key())).unwrap();
    let error = server.get_task_queue().put(&"x".repeat(2000)).unwrap_err();
    assert!(matches!(error, TaskError::Encode(_)), "{error}");
}

/// A server with a journal, until it is killed: puts some tasks if it is the first, and says what it gets.
fn serve(
    builder: PathBuf,
    endpoint: Endpoint,
    first: bool,
    port: Sender<Endpoint>,
    said: Sender<(u64, String)>,
) {
    let server: Server = Server::builder().journal(builder).bind(&endpoint, Some(key())).unwrap();
    if first {
        server.get_task_queue().put_all(&(0..20).collect::<Vec<_>>()).unwrap();
    }
    port.send(server.endpoint().clone()).unwrap();
    let results = server.get_result_queue();
    loop {
        let finished = results.get().unwrap();
        said.send((finished.number(), finished.result().unwrap().clone())).unwrap();
    }
}

#[offspring::test]
fn a_server_that_is_killed_and_started_again_with_its_journal_has_lost_nothing() {
    let _dog = watchdog();
    let directory = Directory::new();
    let journal = directory.0.join("journal");
    let (port, ports) = offspring::channel().unwrap();
    let (said, hears): (_, Receiver<(u64, String)>) = offspring::channel().unwrap();
    let start = |endpoint, first| {
        let arguments = (journal.clone(), endpoint, first, port.clone(), said.clone());
        let server = offspring::spawn(serve, arguments).unwrap();
        (server, ports.recv().unwrap())
    };
    let (mut server, endpoint) = start(for_good(), true);
    let worker = worker(&endpoint);
    let (tasks, results) = (worker.get_task_queue(), worker.get_result_queue());
    let mut held = None;
    for round in 0..20 {
        let task = tasks.get().unwrap();
        let result = do_it(*task);
        if round % 5 == 2 {
            // Killed while a task is held, and started again.
            server.kill().unwrap();
            assert!(server.join().is_err());
            server = start(endpoint.clone(), false).0;
        }
        if round == 0 {
            held = Some((task, result)); // over all restarts
        } else {
            // It was held all the time: whichever life of the server has it.
            assert_eq!(results.put(task, &result).unwrap(), Receipt::Taken);
        }
    }
    let (task, result) = held.unwrap();
    assert_eq!(results.put(task, &result).unwrap(), Receipt::Taken);
    // One that was said and whose server was killed before it forgot it is said twice.
    let mut all = BTreeMap::new();
    while all.len() < 20 {
        let (number, result) = hears.recv().unwrap();
        assert_eq!(result, do_it(number));
        all.insert(number, result);
    }
    server.kill().unwrap();
    assert!(server.join().is_err());
}

#[offspring::test]
fn a_journal_keeps_what_is_open_and_what_nobody_got() {
    let _dog = watchdog();
    let directory = Directory::new();
    {
        let server: Server = directory.journal().bind(&anywhere(), Some(key())).unwrap();
        server.get_task_queue().put_all(&[1, 2, 3]).unwrap();
        let worker = worker(server.endpoint());
        let (tasks, results) = (worker.get_task_queue(), worker.get_result_queue());
        results.put(tasks.get().unwrap(), &do_it(1)).unwrap();
        results.put(tasks.get().unwrap(), &do_it(2)).unwrap();
        drop(server.get_result_queue().get().unwrap()); // 1 is got
        let _in_hand = tasks.get().unwrap();
        let other: Result<Server, _> = directory.journal().bind(&anywhere(), Some(key()));
        assert!(matches!(other.unwrap_err(), TaskError::Journal(_)), "it is in use");
        server.shutdown();
    }
    let other = directory.journal().bind::<u64, u64>(&anywhere(), Some(key())).unwrap_err();
    assert!(matches!(other, TaskError::OtherTypes { .. }), "{other}");
    let server: Server = directory.journal().bind(&anywhere(), Some(key())).unwrap();
    assert_eq!((server.counts().waiting, server.counts().results), (1, 1));
    let finished = server.get_result_queue().get().unwrap();
    assert_eq!((finished.number(), finished.result().unwrap()), (1, &do_it(2)));
    // A panic that drops it has not got it.
    let panicked = thread::spawn(move || {
        let _in_hand = finished;
        panic!("while a result is in hand");
    });
    assert!(panicked.join().is_err());
    assert_eq!(server.get_result_queue().get().unwrap().number(), 1);
    let worker = worker(server.endpoint());
    let task = worker.get_task_queue().get().unwrap();
    assert_eq!((*task, task.number()), (3, 2));
    assert_eq!(server.get_task_queue().put(&4).unwrap(), 3, "numbers go on");
}

fn client(endpoint: &Endpoint) -> Client {
    Client::connect(endpoint, Some(&key())).unwrap()
}

fn named(endpoint: &Endpoint, name: &str) -> Client {
    Client::builder().name(name).connect(endpoint, Some(&key())).unwrap()
}

/// Does so many tasks here.
fn work_off(worker: &Worker, count: usize) {
    for _ in 0..count {
        let task = worker.get_task_queue().get().unwrap();
        let result = do_it(*task);
        worker.get_result_queue().put(task, &result).unwrap();
    }
}

/// Puts tasks and gets their results: which tasks those were.
fn produce(endpoint: Endpoint, from: u64) -> Vec<u64> {
    let client = client(&endpoint);
    let tasks: Vec<_> = (from..from + 100).collect();
    let first = client.get_task_queue().put_all(&tasks).unwrap();
    let results = client.get_result_queue();
    let mut all = BTreeSet::new();
    for _ in &tasks {
        let finished = results.get().unwrap();
        let task = from + (finished.number() - first);
        assert_eq!(finished.result().unwrap(), &do_it(task));
        assert!(all.insert(task));
    }
    all.into_iter().collect()
}

#[offspring::test]
fn each_producer_gets_the_results_of_its_tasks_and_of_no_others() {
    let _dog = watchdog();
    let server = server();
    let workers: Vec<_> =
        (0..2).map(|_| offspring::spawn(work, (server.endpoint().clone(),)).unwrap()).collect();
    until("both are there", || server.counts().workers == 2);
    let producers: Vec<_> = (1..=3)
        .map(|which| offspring::spawn(produce, (server.endpoint().clone(), which * 1000)).unwrap())
        .collect();
    server.get_task_queue().put_all(&(0..50).collect::<Vec<_>>()).unwrap();
    let own: Vec<_> = collect(&server.get_result_queue(), 50).into_values().collect();
    assert!((0..50).all(|task| own.contains(&Ok(do_it(task)))));
    for (producer, which) in producers.into_iter().zip(1..) {
        assert_eq!(producer.join().unwrap(), (which * 1000..which * 1000 + 100).collect::<Vec<_>>());
    }
    let counts = server.counts();
    assert_eq!(
        (counts.waiting, counts.leased, counts.results, counts.kept, counts.producers),
        (0, 0, 0, 0, 0)
    );
    server.shutdown();
    assert_eq!(workers.into_iter().map(|worker| worker.join().unwrap()).sum::<u64>(), 350);
}

#[offspring::test]
fn a_producer_that_is_cut_off_again_and_again_has_each_task_once_and_each_result_once() {
    let _dog = watchdog();
    let server = server();
    let way = Way::to(server.endpoint());
    let client = client(&way.endpoint);
    let worker = worker(server.endpoint());
    thread::scope(|scope| {
        scope.spawn(|| worker.run(do_it).unwrap());
        let put = |task: u64| {
            if task % 11 == 5 {
                way.cut(); // while others get results, and may be in the middle of it
            }
            client.get_task_queue().put(&task).unwrap()
        };
        let putting = scope.spawn(move || (0..300).map(put).collect());
        let mut all = BTreeMap::new();
        for round in 0..300 {
            let finished = client.get_result_queue().get().unwrap();
            if round % 7 == 3 {
                way.cut();
            }
            let number = finished.number();
            assert!(all.insert(number, finished.into_result().unwrap()).is_none(), "{number} came twice");
        }
        let numbers: Vec<u64> = putting.join().unwrap();
        assert_eq!(numbers, (0..300).collect::<Vec<_>>());
        assert_eq!(all, (0..300).map(|number| (number, do_it(number))).collect());
        until("the server has forgotten all", || server.counts().kept == 0);
        assert_eq!(server.counts().waiting + server.counts().leased + server.counts().results, 0);
        server.shutdown();
    });
}

/// Puts tasks, gets one result, and holds it until it is killed.
fn produce_and_hang(endpoint: Endpoint, said: Sender<(u64, u64)>) {
    let client = named(&endpoint, "a name");
    let before = client.tasks_before();
    client.get_task_queue().put_all(&[10, 11, 12]).unwrap();
    let in_hand = client.get_result_queue().get().unwrap();
    said.send((before, in_hand.number())).unwrap();
    loop {
        thread::park();
    }
}

#[offspring::test]
fn a_producer_that_was_killed_finds_its_results_under_its_name() {
    let _dog = watchdog();
    let server = server();
    let worker = worker(server.endpoint());
    let (sender, receiver) = offspring::channel().unwrap();
    for life in 0..3 {
        let arguments = (server.endpoint().clone(), sender.clone());
        let child = offspring::spawn(produce_and_hang, arguments).unwrap();
        work_off(&worker, 2);
        assert_eq!(receiver.recv().unwrap().0, life * 3);
        child.kill().unwrap();
        assert!(child.join().is_err());
        work_off(&worker, 1); // its tasks go on
    }
    let client = named(server.endpoint(), "a name");
    assert_eq!(client.tasks_before(), 9);
    let results = client.get_result_queue();
    let all: BTreeMap<_, _> =
        (0..9).map(|_| results.get().unwrap()).map(|it| (it.number(), it.into_result().unwrap())).collect();
    assert_eq!(all, (0..9).map(|number| (number, do_it(10 + number % 3))).collect());
    assert!(server.get_result_queue().is_empty());
}

/// Gets the server's results: of which tasks.
fn own_results(server: &Server, count: usize) -> Vec<String> {
    let results = server.get_result_queue();
    let mut all: Vec<_> = (0..count).map(|_| results.get().unwrap().into_result().unwrap()).collect();
    all.sort();
    all
}

#[offspring::test]
fn the_results_of_a_producer_that_has_ended_come_to_the_server() {
    let _dog = watchdog();
    let server = server();
    let worker = worker(server.endpoint());
    let client = client(server.endpoint());
    client.get_task_queue().put_all(&[1, 2, 3]).unwrap();
    work_off(&worker, 2);
    let in_hand = client.get_result_queue().get().unwrap();
    drop(client);
    assert_eq!(server.counts().producers, 1, "who has a result is there");
    drop(in_hand);
    assert_eq!((server.counts().producers, server.counts().results), (0, 1));
    work_off(&worker, 1);
    assert_eq!(own_results(&server, 2), [do_it(2), do_it(3)]);
}

#[offspring::test]
fn the_results_of_a_producer_that_does_not_come_back_come_to_the_server_in_the_end() {
    let _dog = watchdog();
    let server: Server =
        Server::builder().retention(Duration::from_millis(20)).bind(&anywhere(), Some(key())).unwrap();
    let worker = worker(server.endpoint());
    let (sender, receiver) = offspring::channel().unwrap();
    let child = offspring::spawn(produce_and_hang, (server.endpoint().clone(), sender)).unwrap();
    work_off(&worker, 1);
    receiver.recv().unwrap();
    let results = server.get_result_queue();
    assert!(results.get_timeout(Duration::from_millis(40)).unwrap_err().is_timed_out(), "it lives");
    let getting = thread::spawn(move || results.get().unwrap().into_result());
    child.kill().unwrap();
    assert!(child.join().is_err());
    assert_eq!(getting.join().unwrap(), Ok(do_it(10)), "what it had in hand");
    work_off(&worker, 2);
    assert_eq!(own_results(&server, 2), [do_it(11), do_it(12)]);
    assert_eq!(named(server.endpoint(), "a name").tasks_before(), 0);
}

#[offspring::test]
fn a_server_that_is_full_takes_no_more_from_producers_until_results_are_got() {
    let _dog = watchdog();
    let server: Server = Server::builder().capacity(2).bind(&anywhere(), Some(key())).unwrap();
    let (client, worker) = (client(server.endpoint()), worker(server.endpoint()));
    let (tasks, results) = (client.get_task_queue(), client.get_result_queue());
    tasks.put_all(&[1, 2]).unwrap();
    for _ in 0..2 {
        let error = tasks.put(&3).unwrap_err();
        assert!(matches!(error, TaskError::Full), "{error}");
        work_off(&worker, usize::from(server.counts().waiting > 0));
    }
    drop(results.get().unwrap());
    until("there is room", || tasks.put(&3).is_ok());
    work_off(&worker, 1);
    let mut numbers: Vec<_> = (0..2).map(|_| results.get().unwrap().number()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2], "what was refused has no number");
}

#[offspring::test]
fn tasks_of_a_producer_that_a_restarted_server_does_not_know_have_an_outcome() {
    let _dog = watchdog();
    let first = Server::bind(&for_good(), Some(key())).unwrap();
    let endpoint = first.endpoint().clone();
    let client = client(&endpoint);
    let (tasks, results) = (client.get_task_queue(), client.get_result_queue());
    tasks.put_all(&[1, 2, 3]).unwrap();
    work_off(&worker(&endpoint), 1);
    let in_hand = results.get().unwrap();
    drop(first);
    let second = Server::bind(&endpoint, Some(key())).unwrap();
    assert_eq!(tasks.put(&4).unwrap(), 3);
    work_off(&worker(&endpoint), 1);
    assert_eq!(in_hand.into_result(), Ok(do_it(1)));
    let all: BTreeMap<_, _> =
        (0..3).map(|_| results.get().unwrap()).map(|it| (it.number(), it.into_result())).collect();
    let forgotten = || Err(TaskFailure::Forgotten);
    assert_eq!(all, BTreeMap::from([(1, forgotten()), (2, forgotten()), (3, Ok(do_it(4)))]));
    second.shutdown();
    assert!(results.get().unwrap_err().is_closed());
    assert!(tasks.put(&5).unwrap_err().is_closed());
}

#[offspring::test]
fn of_two_producers_with_one_name_the_later_has_it() {
    let _dog = watchdog();
    let server = server();
    let first = named(server.endpoint(), "a name");
    first.get_task_queue().put(&1).unwrap();
    let waiting = {
        let results = first.get_result_queue();
        thread::spawn(move || results.get().unwrap_err())
    };
    let second = named(server.endpoint(), "a name");
    let error = waiting.join().unwrap();
    assert!(matches!(error, TaskError::Replaced), "{error}");
    assert!(matches!(first.get_task_queue().put(&2).unwrap_err(), TaskError::Replaced));
    drop(first);
    assert_eq!((second.tasks_before(), second.get_task_queue().put(&2).unwrap()), (1, 1));
    work_off(&worker(server.endpoint()), 2);
    let finished: [Finished<String>; 2] = [(); 2].map(|()| second.get_result_queue().get().unwrap());
    assert_eq!(finished.map(|it| it.into_result().unwrap()), [do_it(1), do_it(2)]);
}

#[offspring::test]
fn a_panic_with_a_result_in_hand_has_not_got_it() {
    let _dog = watchdog();
    let server = server();
    let client = client(server.endpoint());
    client.get_task_queue().put(&1).unwrap();
    work_off(&worker(server.endpoint()), 1);
    let finished = client.get_result_queue().get().unwrap();
    let panicked = thread::spawn(move || {
        let _in_hand = finished;
        panic!("while a result is in hand");
    });
    assert!(panicked.join().is_err());
    assert_eq!(client.get_result_queue().get().unwrap().into_result(), Ok(do_it(1)));
}

#[offspring::test]
fn what_a_producer_cannot_take_or_send_is_an_error_of_its_call() {
    let _dog = watchdog();
    let server = server();
    let error = TaskClient::<u64, u64>::connect(server.endpoint(), Some(&key())).unwrap_err();
    assert!(matches!(&error, TaskError::OtherTypes { result, .. } if result.ends_with("String")), "{error}");
    let error = Client::connect(server.endpoint(), Some(&AuthKey::random())).unwrap_err();
    assert!(matches!(error, TaskError::NoLink(RemoteError::WrongKey)), "{error}");
    let limits = offspring::net::remote::Limits::new().max_message(1000);
    let client: Client =
        Client::builder().limits(limits.clone()).connect(server.endpoint(), Some(&key())).unwrap();
    let (tasks, results) = (client.get_task_queue(), client.get_result_queue());
    tasks.put_all(&[1, 2]).unwrap();
    let worker = worker(server.endpoint());
    let long = worker.get_task_queue().get().unwrap();
    worker.get_result_queue().put(long, &"x".repeat(2000)).unwrap();
    work_off(&worker, 1);
    let failure = results.get().unwrap().into_result().unwrap_err();
    assert!(matches!(failure, TaskFailure::TooLarge(_)), "{failure}");
    assert_eq!(results.get().unwrap().into_result(), Ok(do_it(2)));
    let server: TaskServer<String, u8> =
        TaskServerBuilder::new().limits(limits).bind(&anywhere(), Some(key())).unwrap();
    let client = TaskClient::<String, u8>::connect(server.endpoint(), Some(&key())).unwrap();
    let error = client.get_task_queue().put(&"x".repeat(2000)).unwrap_err();
    assert!(matches!(error, TaskError::Encode(_)), "{error}");
    assert_eq!(client.get_task_queue().put(&"x".to_owned()).unwrap(), 0);
}

#[offspring::test]
fn a_task_that_is_too_long_for_its_worker_is_given_up_and_the_worker_gets_the_next() {
    let _dog = watchdog();
    let server: TaskServer<String, usize> = TaskServer::bind(&anywhere(), Some(key())).unwrap();
    let limits = offspring::net::remote::Limits::new().max_message(1000);
    let worker: TaskWorker<String, usize> =
        TaskWorkerBuilder::new().limits(limits).connect(server.endpoint(), Some(&key())).unwrap();
    server.get_task_queue().put_all(&["x".repeat(2000), "x".repeat(20)]).unwrap();
    let task = worker.get_task_queue().get().unwrap();
    let length = task.len();
    assert_eq!((task.number(), length), (1, 20));
    worker.get_result_queue().put(task, &length).unwrap();
    let results = server.get_result_queue();
    let failure = results.get().unwrap().into_result().unwrap_err();
    assert!(matches!(failure, TaskFailure::TooLarge(_)), "{failure}");
    assert_eq!(results.get().unwrap().into_result(), Ok(20));
}

#[offspring::test]
fn a_producer_that_takes_next_to_nothing_learns_that_its_result_is_too_long() {
    let _dog = watchdog();
    let server = server();
    let limits = offspring::net::remote::Limits::new().max_message(60);
    let client: Client = Client::builder().limits(limits).connect(server.endpoint(), Some(&key())).unwrap();
    client.get_task_queue().put(&1).unwrap();
    let worker = worker(server.endpoint());
    let task = worker.get_task_queue().get().unwrap();
    worker.get_result_queue().put(task, &"x".repeat(2000)).unwrap();
    let failure = client.get_result_queue().get().unwrap().into_result().unwrap_err();
    assert!(matches!(failure, TaskFailure::TooLarge(_)), "{failure}");
}

#[offspring::test]
fn who_has_lost_its_name_to_another_does_not_have_it_again_from_a_server_that_is_started_again() {
    let _dog = watchdog();
    let directory = Directory::new();
    let first: Server = directory.journal().bind(&anywhere(), Some(key())).unwrap();
    let (way, other_way) = (Way::to(first.endpoint()), Way::to(first.endpoint()));
    let early = named(&way.endpoint, "a name");
    assert_eq!(early.get_task_queue().put(&1).unwrap(), 0);
    way.block(true);
    let late = named(&other_way.endpoint, "a name");
    assert_eq!(late.get_task_queue().put(&2).unwrap(), 1);
    other_way.block(true); // so that the other one is the first to come back
    drop(first);
    let second: Server = directory.journal().bind(&anywhere(), Some(key())).unwrap();
    way.lead_to(second.endpoint());
    way.block(false);
    // It would have the index of a task that is there.
    let error = early.get_task_queue().put(&3).unwrap_err();
    assert!(matches!(error, TaskError::Replaced), "{error}");
    other_way.lead_to(second.endpoint());
    other_way.block(false);
    assert_eq!(late.get_task_queue().put(&3).unwrap(), 2);
    assert_eq!(second.counts().waiting, 3);
}

#[offspring::test]
fn a_producer_that_does_not_read_holds_up_no_worker() {
    let _dog = watchdog();
    let limits = offspring::net::remote::Limits::new().peer_timeout(Duration::from_secs(3600));
    let server: Server = Server::builder().limits(limits).bind(&anywhere(), Some(key())).unwrap();
    let way = Way::to(server.endpoint());
    let client = client(&way.endpoint);
    // The server is asked for a result, and has heard of it when it takes the task.
    assert!(client.get_result_queue().get_timeout(Duration::from_millis(1)).unwrap_err().is_timed_out());
    client.get_task_queue().put(&1).unwrap();
    way.stalled.store(true, Ordering::SeqCst);
    let worker = worker(server.endpoint());
    let task = worker.get_task_queue().get().unwrap();
    // More than the sockets on the way take.
    let receipt = worker.get_result_queue().put(task, &"x".repeat(48 << 20)).unwrap();
    assert_eq!(receipt, Receipt::Taken);
    server.get_task_queue().put(&2).unwrap();
    work_off(&worker, 1);
    assert_eq!(server.get_result_queue().get().unwrap().into_result(), Ok(do_it(2)));
    way.block(true);
}

#[offspring::test]
fn what_producers_left_behind_makes_room_and_what_is_the_servers_own_does_not() {
    let _dog = watchdog();
    let directory = Directory::new();
    let start = || directory.journal().capacity(3).bind::<u64, String>(&anywhere(), Some(key())).unwrap();
    let server = start();
    server.get_task_queue().put(&0).unwrap();
    let before = client(server.endpoint());
    before.get_task_queue().put_all(&[1, 2]).unwrap();
    work_off(&worker(server.endpoint()), 2);
    drop(before);
    assert_eq!(server.counts().results, 2);
    let here = client(server.endpoint());
    here.get_task_queue().put(&3).unwrap();
    assert_eq!(server.counts().results, 1, "one made room");
    let error = here.get_task_queue().put(&4).unwrap_err();
    assert!(matches!(error, TaskError::Full), "{error}");
    work_off(&worker(server.endpoint()), 2);
    drop((here, server));
    // Also when it has been started again.
    let server = start();
    assert_eq!(server.counts().results, 3);
    let here = client(server.endpoint());
    here.get_task_queue().put_all(&[4, 5]).unwrap();
    let error = here.get_task_queue().put(&6).unwrap_err();
    assert!(matches!(error, TaskError::Full), "{error}");
    assert_eq!(server.get_result_queue().get().unwrap().into_result(), Ok(do_it(0)));
    assert!(server.get_result_queue().is_empty());
}

/// Fills the journal of a server until its disk takes no more, and does all that there is when it does again: what it had.
fn fill_up(journal: PathBuf) -> (u64, u64) {
    // Else it is a signal that ends the program. Threads of the server have it from this one.
    SigSet::from(Signal::SIGXFSZ).thread_block().unwrap();
    let (_, most) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    let room = |bytes| setrlimit(Resource::RLIMIT_FSIZE, bytes, most).unwrap();
    room(3 << 20);
    let server: TaskServer<String, String> =
        TaskServerBuilder::new().journal(&journal).bind(&Endpoint::fresh(), Some(key())).unwrap();
    let tasks = server.get_task_queue();
    let task = "x".repeat(10_000);
    let mut count = 0;
    let error = loop {
        match tasks.put(&task) {
            Ok(number) => assert_eq!(number, count),
            Err(error) => break error,
        }
        count += 1;
    };
    assert!(matches!(&error, TaskError::Journal(why) if why.contains("large")), "{error}"); // EFBIG
    assert_eq!(server.counts().waiting as u64, count);
    room(most);
    until("the disk takes it", || tasks.put(&task).is_ok());
    let worker: TaskWorker<String, String> = TaskWorker::connect(server.endpoint(), Some(&key())).unwrap();
    for _ in 0..=count {
        let task = worker.get_task_queue().get().unwrap();
        let result = format!("{} long", task.len());
        assert_eq!(worker.get_result_queue().put(task, &result).unwrap(), Receipt::Taken);
    }
    drop(server);
    let server: TaskServer<String, String> =
        TaskServerBuilder::new().journal(&journal).bind(&Endpoint::fresh(), Some(key())).unwrap();
    (count + 1, server.counts().results as u64)
}

#[offspring::test]
fn a_journal_on_a_full_disk_is_an_error_and_loses_nothing_and_goes_on_when_there_is_room() {
    let _dog = watchdog();
    let directory = Directory::new();
    let (put, done) = offspring::spawn(fill_up, (directory.0.join("journal"),)).unwrap().join().unwrap();
    assert_eq!(put, done);
}

/// A server with a journal, which does nothing but for others, until it is killed.
fn serve_others(journal: PathBuf, endpoint: Endpoint, port: Sender<Endpoint>) {
    let server: Server = Server::builder().journal(journal).bind(&endpoint, Some(key())).unwrap();
    port.send(server.endpoint().clone()).unwrap();
    loop {
        thread::park();
    }
}

#[offspring::test]
fn producers_and_workers_go_on_when_a_server_with_a_journal_is_killed_at_any_time() {
    let _dog = watchdog();
    let directory = Directory::new();
    let (port, ports) = offspring::channel().unwrap();
    let start = |endpoint| {
        let arguments = (directory.0.join("journal"), endpoint, port.clone());
        let server = offspring::spawn(serve_others, arguments).unwrap();
        (server, ports.recv().unwrap())
    };
    let (mut server, endpoint) = start(for_good());
    let (client, worker) = (client(&endpoint), worker(&endpoint));
    let (tasks, results) = (client.get_task_queue(), client.get_result_queue());
    thread::scope(|scope| {
        let working = scope.spawn(|| {
            let mut again = 0;
            for _ in 0..60 {
                let task = worker.get_task_queue().get().unwrap();
                let result = do_it(*task);
                // Killed before its receipt came, the server may have had it.
                again += usize::from(worker.get_result_queue().put(task, &result).unwrap() != Receipt::Taken);
            }
            again
        });
        scope.spawn(|| (0..60).for_each(|task| assert_eq!(tasks.put(&task).unwrap(), task)));
        let mut all = BTreeMap::new();
        for round in 0..60 {
            let finished = results.get().unwrap();
            let (number, result) = (finished.number(), finished.result().unwrap().clone());
            let killed = round % 7 == 3 && round < 56; // so that it is there at the end
            if killed {
                server.kill().unwrap();
                assert!(server.join().is_err());
            }
            drop(finished); // whether there is a server to tell or not
            if killed {
                server = start(endpoint.clone()).0;
            }
            assert!(all.insert(number, result).is_none(), "{number} came twice");
        }
        assert_eq!(all, (0..60).map(|number| (number, do_it(number))).collect());
        assert!(working.join().unwrap() <= 8, "as often as it was killed");
    });
    drop((client, tasks, results));
    server.kill().unwrap();
    assert!(server.join().is_err());
    // Nothing is left in the journal.
    let server: Server = directory.journal().bind(&anywhere(), Some(key())).unwrap();
    let counts = server.counts();
    assert_eq!(
        (counts.waiting, counts.leased, counts.results, counts.kept, counts.producers),
        (0, 0, 0, 0, 0)
    );
}
