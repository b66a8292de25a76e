//! Managers that others connect to, and servers in the process that asks for them.

#![allow(clippy::needless_pass_by_value)] // what a child runs owns its arguments

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use offspring::manager::{CancelToken, ManagerError, Proxy, Server, caller, is_cancelled, when_cancelled};
use offspring::net::remote::{self, AuthKey, Endpoint, Limits, RemoteError, TlsClient, TlsServer};
use offspring::{CallError, Manager, spawn};
use offspring_tests::{runs, until, watchdog};
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

    pub fn get(&self) -> u64 {
        self.value
    }

    /// Whether a process of this machine calls over a local socket, one over a port, or the server's own.
    pub fn from(&self) -> String {
        let from = match caller().unwrap().peer() {
            Some(remote::Caller::Local(_)) => "local",
            Some(_) => "tcp",
            None => "here",
        };
        from.into()
    }

    pub fn fail(&self) {
        panic!("it fails");
    }

    pub fn incr_and_die(&mut self) {
        self.value += 1;
        std::process::abort();
    }
}

/// Has proxies, and uses them.
#[derive(Default)]
struct Team(Mutex<Vec<CounterProxy>>);

#[offspring::service]
impl Team {
    pub fn join(&self, counter: CounterProxy) {
        self.0.lock().unwrap().push(counter);
    }

    pub fn member(&self, number: usize) -> CounterProxy {
        self.0.lock().unwrap()[number].clone()
    }

    pub fn sum(&self) -> Result<u64, String> {
        let members = self.0.lock().unwrap().clone();
        members.iter().map(CounterProxy::get).sum::<Result<_, _>>().map_err(|error| error.to_string())
    }

    pub fn how_members_are_reached(&self) -> Vec<String> {
        let members = self.0.lock().unwrap().clone();
        members.iter().map(|member| member.from().unwrap()).collect()
    }

    /// What a child of the server's process counts to.
    pub fn have_a_child_count(&self, number: usize) -> u64 {
        let member = self.0.lock().unwrap()[number].clone();
        spawn(|member: CounterProxy| member.incr(1).unwrap(), (member,)).unwrap().join().unwrap()
    }
}

#[derive(Default)]
struct Waiter(std::sync::Arc<(Mutex<u64>, Condvar)>);

#[offspring::service]
impl Waiter {
    pub fn wait_until_nobody_cares(&self) {
        let shared = std::sync::Arc::clone(&self.0);
        let _hook = when_cancelled(move || {
            *shared.0.lock().unwrap() += 1;
            shared.1.notify_all();
        });
        let count = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(count, |_| !is_cancelled()).unwrap());
    }

    pub fn given_up(&self) -> u64 {
        *self.0.0.lock().unwrap()
    }
}

fn key() -> AuthKey {
    AuthKey::from("a key of the tests")
}

fn anywhere() -> Endpoint {
    Endpoint::tcp("127.0.0.1", 0)
}

fn builder() -> offspring::manager::Builder {
    Manager::builder().listen(anywhere()).authkey(key())
}

/// A manager that listens, and has a counter with a name.
fn manager() -> Manager {
    let manager = builder().start().unwrap();
    manager.register("counter", &manager.serve(Counter { value: 5 }).unwrap()).unwrap();
    manager
}

/// A server of this process that listens, and has a counter with a name.
fn server() -> Server {
    let server = builder().serve().unwrap();
    server.register("counter", &server.serve(Counter { value: 5 })).unwrap();
    server
}

fn connect(there: &Endpoint) -> Manager {
    Manager::connect(there, Some(&key())).unwrap()
}

#[offspring::test]
fn who_knows_the_key_finds_objects_by_name_and_calls_them_over_a_port() {
    let _dog = watchdog();
    let manager = manager();
    assert!(matches!(manager.endpoint(), Endpoint::Tcp { port, .. } if *port != 0));
    let client = |there: Endpoint| {
        let manager = connect(&there);
        let counter: CounterProxy = manager.get("counter").unwrap();
        assert_eq!(counter.from().unwrap(), "tcp");
        assert!(matches!(manager.get::<CounterProxy>("that"), Err(CallError::UnknownName(_))));
        assert!(matches!(manager.get::<TeamProxy>("counter"), Err(CallError::OtherService)));
        assert!(manager.process().is_none());
        counter.incr(1).unwrap()
    };
    for value in [6, 7] {
        let child = spawn(client, (manager.endpoint().clone(),)).unwrap();
        assert_eq!(child.join().unwrap(), value);
    }
    assert_eq!(manager.get::<CounterProxy>("counter").unwrap().from().unwrap(), "local");
}

#[offspring::test]
fn who_comes_from_elsewhere_neither_makes_objects_nor_ends_the_server_unless_it_may() {
    let _dog = watchdog();
    let manager = manager();
    let stranger = |there: Endpoint| {
        let manager = connect(&there);
        let counter: CounterProxy = manager.get("counter").unwrap();
        for error in [
            manager.serve(Counter::default()).unwrap_err(),
            manager.register("mine", &counter).unwrap_err(),
            manager.unregister("counter").unwrap_err(),
            connect(&there).shutdown().unwrap_err(),
        ] {
            assert!(matches!(error, CallError::Refused(_)) && error.was_not_done(), "{error}");
        }
        drop(manager);
        counter.get().unwrap()
    };
    assert_eq!(spawn(stranger, (manager.endpoint().clone(),)).unwrap().join().unwrap(), 5);

    let permissive = builder().allow_create(true).allow_shutdown(true).start().unwrap();
    let pid = permissive.process().unwrap().pid();
    let friend = |there: Endpoint| {
        let manager = connect(&there);
        manager.register("mine", &manager.serve(Counter { value: 3 }).unwrap()).unwrap();
        manager
    };
    let make = move |there: Endpoint| drop(friend(there));
    spawn(make, (permissive.endpoint().clone(),)).unwrap().join().unwrap();
    assert_eq!(permissive.get::<CounterProxy>("mine").unwrap().get().unwrap(), 3);
    let end = move |there: Endpoint| friend(there).shutdown().unwrap();
    assert!(permissive.unregister("mine").unwrap());
    spawn(end, (permissive.endpoint().clone(),)).unwrap().join().unwrap();
    until("the server has ended", || !runs(pid));
}

#[offspring::test]
fn who_is_not_let_in_is_told_why_and_so_is_the_server() {
    let _dog = watchdog();
    let server = server();
    let there = server.endpoint();
    let wrong = Manager::connect(there, Some(&AuthKey::from("another key"))).unwrap_err();
    assert!(matches!(wrong, ManagerError::Connect(RemoteError::WrongKey)), "{wrong}");
    let none = Manager::connect(there, None).unwrap_err();
    assert!(matches!(none, ManagerError::Connect(RemoteError::KeyNeeded)), "{none}");
    until("it is noted", || server.refusals().count > 0);
    assert!(matches!(server.refusals().latest[0].error, RemoteError::WrongKey));

    let taken = Manager::builder().listen(there.clone()).authkey(key()).start().unwrap_err();
    assert!(matches!(taken, ManagerError::Listen(_)), "{taken}");
    let open = Manager::builder().listen(anywhere()).start().unwrap_err();
    assert!(matches!(&open, ManagerError::Listen(why) if why.contains("key")), "{open}");
    let there = there.clone();
    server.shutdown();
    let nobody = Manager::connect(&there, Some(&key())).unwrap_err();
    assert!(matches!(nobody, ManagerError::Connect(RemoteError::NotListening { .. })), "{nobody}");
}

fn certificate() -> (String, String) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (certified.cert.pem(), certified.signing_key.serialize_pem())
}

#[offspring::test]
fn managers_talk_through_tls_and_children_of_their_clients_too() {
    let _dog = watchdog();
    let ((certificate, its_key), (another, _)) = (certificate(), certificate());
    let tls = TlsServer::from_pem(certificate.as_bytes(), its_key.as_bytes()).unwrap();
    let manager = builder().tls(tls).start().unwrap();
    manager.register("counter", &manager.serve(Counter::default()).unwrap()).unwrap();
    let tls = TlsClient::pinned(certificate.as_bytes()).unwrap();
    let client = |there: Endpoint, tls: TlsClient| {
        let manager = Manager::connect_tls(&there, Some(&key()), &Limits::new(), &tls).unwrap();
        let counter = manager.get::<CounterProxy>("counter").unwrap();
        counter.incr(1).unwrap();
        spawn(|counter: CounterProxy| counter.incr(1).unwrap(), (counter,)).unwrap().join().unwrap()
    };
    let child = spawn(client, (manager.endpoint().clone(), tls)).unwrap();
    assert_eq!(child.join().unwrap(), 2);

    let other = TlsClient::pinned(another.as_bytes()).unwrap();
    let refused = Manager::connect_tls(manager.endpoint(), Some(&key()), &Limits::new(), &other).unwrap_err();
    assert!(matches!(refused, ManagerError::Connect(RemoteError::Tls(_))), "{refused}");
}

#[offspring::test]
fn a_proxy_that_was_got_over_a_port_travels_to_children_with_the_key() {
    let _dog = watchdog();
    let manager = manager();
    let client = |there: Endpoint| {
        let counter: CounterProxy = connect(&there).get("counter").unwrap();
        let grandchild = |counter: CounterProxy, more: offspring::Receiver<CounterProxy>| {
            assert_eq!(counter.from().unwrap(), "tcp");
            counter.incr(1).unwrap();
            more.recv().unwrap().incr(1).unwrap()
        };
        let (sender, receiver) = offspring::channel().unwrap();
        let child = spawn(grandchild, (counter.clone(), receiver)).unwrap();
        sender.send(counter).unwrap();
        child.join().unwrap()
    };
    assert_eq!(spawn(client, (manager.endpoint().clone(),)).unwrap().join().unwrap(), 7);
}

#[offspring::test]
fn a_key_goes_neither_over_a_port_nor_into_any_other_format() {
    let _dog = watchdog();
    let (ours, theirs) = (manager(), manager());
    theirs.register("team", &theirs.create(Team::default, ()).unwrap()).unwrap();
    let client = |ours: Endpoint, theirs: Endpoint| {
        let (ours, theirs) = (connect(&ours), connect(&theirs));
        let counter: CounterProxy = ours.get("counter").unwrap();
        let text = serde_json::to_string(&counter).unwrap();
        assert!(text.contains(r#""key":null"#), "{text}");
        // This process has the key already.
        assert_eq!(serde_json::from_str::<CounterProxy>(&text).unwrap().get().unwrap(), 5);
        let team: TeamProxy = theirs.get("team").unwrap();
        team.join(counter).unwrap();
        team.sum().unwrap().unwrap_err()
    };
    let (ours, theirs) = (ours.endpoint().clone(), theirs.endpoint().clone());
    let error = spawn(client, (ours, theirs)).unwrap().join().unwrap();
    assert!(error.contains("key"), "{error}");
}

#[offspring::test]
fn objects_of_one_server_reach_each_other_on_the_spot() {
    let _dog = watchdog();
    let manager = manager();
    manager.register("team", &manager.create(Team::default, ()).unwrap()).unwrap();
    let client = |there: Endpoint| {
        let manager = connect(&there);
        let team: TeamProxy = manager.get("team").unwrap();
        let counter: CounterProxy = manager.get("counter").unwrap();
        team.join(counter.clone()).unwrap();
        team.join(counter).unwrap();
        assert_eq!(team.sum().unwrap().unwrap(), 10);
        assert_eq!(team.how_members_are_reached().unwrap(), ["here", "here"]);
        let member = team.member(1).unwrap();
        assert_eq!(member.from().unwrap(), "tcp");
        assert_eq!(team.have_a_child_count(0).unwrap(), 6);
        member.get().unwrap()
    };
    assert_eq!(spawn(client, (manager.endpoint().clone(),)).unwrap().join().unwrap(), 6);
}

#[offspring::test]
fn a_manager_is_connected_to_at_its_local_socket_by_the_same_user_without_a_key() {
    let _dog = watchdog();
    let manager = Manager::start().unwrap();
    manager.register("counter", &manager.serve(Counter { value: 5 }).unwrap()).unwrap();
    let client = |there: Endpoint| Manager::connect(&there, None).unwrap().get::<CounterProxy>("counter");
    let client = move |there: Endpoint| client(there).unwrap().incr(1).unwrap();
    assert_eq!(spawn(client, (manager.endpoint().clone(),)).unwrap().join().unwrap(), 6);
}

#[offspring::test]
fn a_server_of_this_process_is_used_on_the_spot_and_by_others() {
    let _dog = watchdog();
    let server = server();
    let counter: CounterProxy = server.get("counter").unwrap();
    assert_eq!(counter.from().unwrap(), "here");
    assert!(matches!(counter.fail(), Err(CallError::Panicked(panic)) if panic.message == "it fails"));
    // It need not be what serde can encode.
    let waiter = server.serve(Waiter::default());
    let limited = waiter.with_timeout(Duration::from_millis(2));
    until("one that had begun was told", || {
        assert!(limited.wait_until_nobody_cares().unwrap_err().is_timed_out());
        waiter.given_up().unwrap() > 0
    });

    let child = |counter: CounterProxy| {
        assert_eq!(counter.from().unwrap(), "local");
        counter.incr(1).unwrap();
    };
    spawn(child, (counter.clone(),)).unwrap().join().unwrap();
    let client = |there: Endpoint| connect(&there).get::<CounterProxy>("counter").unwrap().incr(1).unwrap();
    spawn(client, (server.endpoint().clone(),)).unwrap().join().unwrap();
    assert_eq!(counter.get().unwrap(), 7);
    assert_eq!(server.objects(), 2);
    // Who connects to it from here stays here.
    assert_eq!(connect(server.endpoint()).get::<CounterProxy>("counter").unwrap().from().unwrap(), "here");
}

#[offspring::test]
fn the_end_of_a_server_of_this_process_is_an_error_for_all_and_its_place_is_free() {
    let _dog = watchdog();
    let server = server();
    let there = server.endpoint().clone();
    let counter: CounterProxy = server.get("counter").unwrap();
    let client = |there: Endpoint, ready: offspring::Sender<()>| {
        let manager = connect(&there);
        let counter: CounterProxy = manager.get("counter").unwrap();
        let waiter: WaiterProxy = manager.get("waiter").unwrap();
        ready.send(()).unwrap();
        assert!(waiter.wait_until_nobody_cares().unwrap_err().is_server_gone());
        assert!(counter.get().unwrap_err().is_server_gone());
    };
    let waiter = server.serve(Waiter::default());
    server.register("waiter", &waiter).unwrap();
    let (ready, is_ready) = offspring::channel().unwrap();
    let child = spawn(client, (there.clone(), ready)).unwrap();
    is_ready.recv().unwrap();
    drop(server);
    child.join().unwrap();
    assert!(counter.get().unwrap_err().is_server_gone());
    assert!(waiter.given_up().unwrap_err().is_server_gone());

    let again = Manager::builder().listen(there.clone()).authkey(key()).serve().unwrap();
    assert_eq!(again.endpoint(), &there);
    assert!(counter.get().unwrap_err().is_server_gone());
}

const LONG: Duration = Duration::from_secs(3600);

#[offspring::test]
fn a_reconnecting_proxy_finds_its_object_at_the_server_that_was_started_anew() {
    let _dog = watchdog();
    let server = server();
    let there = server.endpoint().clone();
    let client = |there: Endpoint, ready: offspring::Sender<()>, go: offspring::Receiver<()>| {
        let manager = connect(&there);
        let plain: CounterProxy = manager.get("counter").unwrap();
        let counter: CounterProxy = manager.get_reconnecting("counter", LONG).unwrap();
        assert_eq!(counter.incr(1).unwrap(), 6);
        ready.send(()).unwrap();
        go.recv().unwrap();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let counter = counter.clone();
                std::thread::spawn(move || counter.incr(1).unwrap())
            })
            .collect();
        for thread in threads {
            assert!(thread.join().unwrap() > 5);
        }
        assert!(plain.get().unwrap_err().is_server_gone());
        // It is one in other processes, too, and so is what is made of it.
        let limited = counter.with_timeout(LONG);
        spawn(|counter: CounterProxy| counter.incr(1).unwrap(), (limited,)).unwrap().join().unwrap()
    };
    let (ready, is_ready) = offspring::channel().unwrap();
    let (go, may_go) = offspring::channel().unwrap();
    let child = spawn(client, (there.clone(), ready, may_go)).unwrap();
    is_ready.recv().unwrap();
    drop(server);
    let again = Manager::builder().listen(there).authkey(key()).serve().unwrap();
    // The child may come before the name is there.
    go.send(()).unwrap();
    again.register("counter", &again.serve(Counter { value: 5 })).unwrap();
    assert_eq!(child.join().unwrap(), 10);
}

#[offspring::test]
fn a_call_that_may_have_been_done_is_not_done_again() {
    let _dog = watchdog();
    let first = manager();
    let there = first.endpoint().clone();
    let client = |there: Endpoint, ready: offspring::Sender<()>, go: offspring::Receiver<()>| {
        let counter: CounterProxy = connect(&there).get_reconnecting("counter", LONG).unwrap();
        let error = counter.incr_and_die().unwrap_err();
        assert!(matches!(error, CallError::ServerGone(_)) && !error.was_not_done(), "{error}");
        ready.send(()).unwrap();
        go.recv().unwrap();
        counter.get().unwrap()
    };
    let (ready, is_ready) = offspring::channel().unwrap();
    let (go, may_go) = offspring::channel().unwrap();
    let child = spawn(client, (there.clone(), ready, may_go)).unwrap();
    is_ready.recv().unwrap();
    drop(first);
    let again = Manager::builder().listen(there).authkey(key()).start().unwrap();
    again.register("counter", &again.serve(Counter { value: 5 }).unwrap()).unwrap();
    go.send(()).unwrap();
    assert_eq!(child.join().unwrap(), 5);
}

/// Forwards connections to a server, and cuts them.
struct Way {
    endpoint: Endpoint,
    streams: std::sync::Arc<Mutex<Vec<TcpStream>>>,
}

impl Way {
    fn to(there: &Endpoint) -> Self {
        let Endpoint::Tcp { port, .. } = there else { panic!("a port") };
        let (port, streams) = (*port, std::sync::Arc::new(Mutex::new(Vec::new())));
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let endpoint = Endpoint::tcp("127.0.0.1", listener.local_addr().unwrap().port());
        let known = std::sync::Arc::clone(&streams);
        std::thread::spawn(move || {
            for client in listener.incoming().map(Result::unwrap) {
                let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
                for (mut from, mut to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server.try_clone().unwrap(), client.try_clone().unwrap()),
                ] {
                    std::thread::spawn(move || {
                        let _cut_or_over = std::io::copy(&mut from, &mut to);
                        let _was_over = to.shutdown(Shutdown::Both);
                    });
                }
                known.lock().unwrap().extend([client, server]);
            }
        });
        Self { endpoint, streams }
    }

    fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _was_over = stream.shutdown(Shutdown::Both);
        }
    }
}

#[offspring::test]
fn a_reconnecting_proxy_finds_its_object_when_the_link_was_cut() {
    let _dog = watchdog();
    let manager = manager();
    let way = Way::to(manager.endpoint());
    let client = |there: Endpoint, ready: offspring::Sender<()>, go: offspring::Receiver<()>| {
        let manager = connect(&there);
        let plain: CounterProxy = manager.get("counter").unwrap();
        let counter: CounterProxy = manager.get_reconnecting("counter", LONG).unwrap();
        for value in 6..9 {
            assert_eq!(counter.incr(1).unwrap(), value);
            ready.send(()).unwrap();
            go.recv().unwrap();
        }
        assert!(plain.get().unwrap_err().is_server_gone());
        counter.get().unwrap()
    };
    let (ready, is_ready) = offspring::channel().unwrap();
    let (go, may_go) = offspring::channel().unwrap();
    let child = spawn(client, (way.endpoint.clone(), ready, may_go)).unwrap();
    for _ in 0..3 {
        is_ready.recv().unwrap();
        way.cut();
        go.send(()).unwrap();
    }
    assert_eq!(child.join().unwrap(), 8);
}

#[offspring::test]
fn a_reconnecting_proxy_gives_up_when_its_time_is_over_or_it_is_cancelled() {
    let _dog = watchdog();
    let server = server();
    let there = server.endpoint().clone();
    let client = |there: Endpoint, ready: offspring::Sender<()>, go: offspring::Receiver<()>| {
        let manager = connect(&there);
        let short: CounterProxy = manager.get_reconnecting("counter", Duration::from_millis(30)).unwrap();
        let long: CounterProxy = manager.get_reconnecting("counter", LONG).unwrap();
        ready.send(()).unwrap();
        go.recv().unwrap();
        let error = short.get().unwrap_err();
        assert!(error.is_server_gone() && error.was_not_done(), "{error}");
        let token = CancelToken::new();
        let waits = long.with_cancel(&token);
        let waiting = std::thread::spawn(move || waits.get());
        assert!(short.get().is_err());
        token.cancel();
        let error = waiting.join().unwrap().unwrap_err();
        assert!(error.is_cancelled() && error.was_not_done(), "{error}");
    };
    let (ready, is_ready) = offspring::channel().unwrap();
    let (go, may_go) = offspring::channel().unwrap();
    let child = spawn(client, (there, ready, may_go)).unwrap();
    is_ready.recv().unwrap();
    drop(server);
    go.send(()).unwrap();
    child.join().unwrap();
}
