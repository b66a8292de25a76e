//! Managers of Python, with every CPython that is found: as clients of our server, and as servers of our clients.

#![allow(clippy::doc_markdown)] // CPython is a name

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use offspring::net::python::manager::{CallError, Dict, Manager, ManagerServer, Queue};
use offspring::net::python::{Endpoint, Value};
use offspring_tests::{until, watchdog};

#[path = "python_managers/pythons.rs"]
mod pythons;

use pythons::{Directory, pythons};

/// Each CPython with each kind of endpoint.
fn each(mut test: impl FnMut(&PathBuf, Endpoint)) {
    for python in pythons() {
        let directory = Directory::new();
        for endpoint in [Endpoint::from(("127.0.0.1", 0)), directory.0.join("socket").into()] {
            println!("{} at {endpoint}", python.display());
            test(python, endpoint);
        }
    }
}

/// What every script begins with. A client registers what it uses, as the tutorials have it.
const PRELUDE: &str = r"
import os, queue, signal, sys, threading
from multiprocessing import AuthenticationError
from multiprocessing.managers import BaseManager, DictProxy, ListProxy, RemoteError, SyncManager
host, port = sys.argv[1], sys.argv[2]
address = (host, int(port)) if port else host
class QueueManager(BaseManager): pass
def client(key=b'abc'):
    for name in ('get_task_queue', 'get_result_queue', 'nothing'):
        QueueManager.register(name)
    QueueManager.register('get_dict', proxytype=DictProxy)
    QueueManager.register('get_any_dict')
    m = QueueManager(address=address, authkey=key)
    m.connect()
    return m
def serve(manager):
    server = manager(address=address, authkey=b'abc').get_server()
    print(server.address[1] if port else '', flush=True)
    server.serve_forever()
";

/// A program in Python, with an endpoint.
fn start(python: &PathBuf, endpoint: &Endpoint, script: &str) -> Child {
    let (host, port) = match endpoint {
        Endpoint::Tcp(host, port) => (host.clone(), port.to_string()),
        Endpoint::Path(path) => (path.display().to_string(), String::new()),
        _ => unreachable!("no other kind"),
    };
    let mut command = Command::new(python);
    command.arg("-c").arg(format!("{PRELUDE}{script}")).args([host, port]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits for a program that has to succeed: what it printed.
fn succeed(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

/// A line that a program prints.
fn line(child: &mut Child) -> String {
    let mut line = String::new();
    // Nothing beyond the line may be taken from it.
    BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

struct Master {
    tasks: Queue,
    results: Queue,
    dict: Dict,
    server: ManagerServer,
}

fn master(endpoint: Endpoint) -> Master {
    let (tasks, results, dict) = (Queue::new(0), Queue::new(2), Dict::new());
    let server = ManagerServer::builder(endpoint, "abc")
        .queue("get_task_queue", &tasks)
        .queue("get_result_queue", &results)
        .dict("get_dict", &dict)
        .dict("get_any_dict", &dict)
        .start()
        .unwrap();
    Master { tasks, results, dict, server }
}

#[offspring::test]
fn the_worker_of_the_tutorial_works_for_our_master() {
    let _dog = watchdog();
    let worker = r"
m = client()
task, result = m.get_task_queue(), m.get_result_queue()
for i in range(10):
    n = task.get(timeout=10)
    result.put('%d * %d = %d' % (n, n, n * n))
try:
    task.get(timeout=0.01)
except queue.Empty:
    print('task queue is empty.')
";
    each(|python, endpoint| {
        let Master { tasks, results, server, .. } = master(endpoint);
        for number in 0..10 {
            tasks.put(&number).unwrap();
        }
        let worker = start(python, server.endpoint(), worker);
        for number in 0..10 {
            let expected = format!("{number} * {number} = {}", number * number);
            assert_eq!(results.get::<String>().unwrap(), expected);
        }
        assert_eq!(succeed(worker), "task queue is empty.");
    });
}

#[offspring::test]
fn every_method_of_a_queue_does_what_it_does_in_python() {
    let _dog = watchdog();
    let script = r"
def raises(kind, function, *args, **kwds):
    try:
        function(*args, **kwds)
    except kind as error:
        return str(error)
    raise AssertionError('nothing was raised')
m = client()
q = m.get_result_queue()
assert q.empty() and not q.full() and q.qsize() == 0
raises(queue.Empty, q.get, False)
raises(queue.Empty, q.get, block=False)
raises(queue.Empty, q.get, True, 0.01)
raises(queue.Empty, q.get, timeout=0)
raises(queue.Empty, q.get_nowait)
q.put({'a': (1, None)})
q.put_nowait([b'x', 2.5])
assert q.full() and q.qsize() == 2
raises(queue.Full, q.put_nowait, 3)
raises(queue.Full, q.put, 3, block=False)
raises(queue.Full, q.put, 3, True, 0.01)
raises(queue.Full, q.put, item=3, timeout=0.01)
assert q.get() == {'a': (1, None)}
assert q.get(block=True, timeout=None) == [b'x', 2.5]
q.task_done()
waiting = threading.Thread(target=q.join)
waiting.start()
q.task_done()
waiting.join()
assert 'too many times' in raises(ValueError, q.task_done)
assert 'non-negative' in raises(ValueError, q.get, timeout=-1)
raises(TypeError, q.put)
raises(TypeError, q.get, 1, 2, 3)
raises(TypeError, q.get, nonsense=1)
assert 'Queue' in str(q)
assert 'KeyError' in raises(RemoteError, m.nothing)
assert 'AttributeError' in raises(RemoteError, q._callmethod, 'mutex')
raises(RemoteError, q._callmethod, '__init__')
raises(RemoteError, q._getvalue)
raises(RemoteError, q.put, raises)
assert m._number_of_objects() == 1
d = m.get_dict()
assert m._number_of_objects() == 2
del d
assert m._number_of_objects() == 1
assert 'refcount' in m._debug_info()
from multiprocessing.managers import dispatch, AutoProxy
conn = m._Client(address, authkey=b'abc')
raises(RemoteError, dispatch, conn, None, 'shutdown')
again = AutoProxy(q._token, 'pickle', authkey=b'abc')
assert again.empty()
";
    each(|python, endpoint| {
        let Master { server, .. } = master(endpoint);
        succeed(start(python, server.endpoint(), script));
        until("the client's connections have ended", || server.connections() == 0);
    });
}

#[offspring::test]
fn a_dictionary_is_shared_with_python() {
    let _dog = watchdog();
    let script = r"
m = client()
for d in (m.get_dict(), m.get_any_dict()):
    assert d['here'] == [1, 2], d['here']
    d['there'] = {'x': None}
    assert 'there' in d and 'nowhere' not in d and len(d) == 2
    try:
        d[('no', 1)]
        raise AssertionError('no KeyError')
    except KeyError as error:
        assert error.args == (('no', 1),), error.args
    assert d.get('no') is None and d.get('no', 5) == 5
    assert sorted(d.keys()) == ['here', 'there'] and len(d.values()) == 2
    assert sorted(d.items())[0] == ('here', [1, 2])
    d.update({1: 'one'}, two=2)
    d.update([(3, 4)])
    assert d.pop(1) == 'one' and d.pop(1, 'gone') == 'gone' and d.pop('two') == 2 and d.setdefault(3, 0) == 4
    del d[3]
    assert d.copy() == d._getvalue() == {'here': [1, 2], 'there': {'x': None}}
    assert 'here' in str(d)
try:
    d[[]] = 1
    raise AssertionError('no TypeError')
except TypeError: pass
";
    each(|python, endpoint| {
        let Master { dict, server, .. } = master(endpoint);
        dict.insert("here", &vec![1, 2]).unwrap();
        succeed(start(python, server.endpoint(), script));
        assert_eq!(dict.len(), 2);
        let there = dict.get::<std::collections::BTreeMap<String, Option<u8>>>("there").unwrap().unwrap();
        assert_eq!(there["x"], None);
    });
}

#[offspring::test]
fn a_manager_in_python_with_another_key_does_not_get_in() {
    let _dog = watchdog();
    let script = r"
try:
    client(key=b'other')
except AuthenticationError:
    print('refused')
";
    each(|python, endpoint| {
        let Master { server, .. } = master(endpoint);
        assert_eq!(succeed(start(python, server.endpoint(), script)), "refused");
        until("it is counted", || server.refusals() == 1);
    });
}

#[offspring::test]
fn a_worker_that_is_killed_while_it_waits_takes_nothing() {
    let _dog = watchdog();
    let script = r"
q = client().get_task_queue()
assert q.empty()
print('waits', flush=True)
q.get()
";
    each(|python, endpoint| {
        let Master { tasks, server, .. } = master(endpoint);
        let mut worker = start(python, server.endpoint(), script);
        assert_eq!(line(&mut worker), "waits");
        worker.kill().unwrap();
        worker.wait().unwrap();
        // It may have been killed before it asked, or in the middle of it; the value is there either way, and at once.
        tasks.put(&7).unwrap();
        until("its connection has ended", || server.connections() == 0);
        assert_eq!(tasks.get_timeout::<i64>(Duration::ZERO).unwrap(), 7);
    });
}

#[offspring::test]
fn of_two_waiting_workers_one_is_killed_and_the_other_gets_it() {
    let _dog = watchdog();
    let script = r"
q = client().get_task_queue()
assert q.empty()
print('waits', flush=True)
print(q.get())
";
    each(|python, endpoint| {
        let Master { tasks, server, .. } = master(endpoint);
        let workers = [0, 1].map(|_| {
            let mut worker = start(python, server.endpoint(), script);
            assert_eq!(line(&mut worker), "waits");
            worker
        });
        let [killed, other] = workers;
        kill(killed);
        tasks.put(&7).unwrap();
        assert_eq!(succeed(other), "7");
    });
}

#[offspring::test]
fn what_cannot_be_sent_goes_back_to_the_front() {
    let _dog = watchdog();
    let script = r"
q = client().get_task_queue()
assert q.qsize() == 2
q._tls.connection.send((q._id, 'get', (), {}))  # and nobody reads the answer
signal.pause()
";
    each(|python, endpoint| {
        let Master { tasks, server, .. } = master(endpoint);
        let large = offspring::Bytes::from(vec![7; 32 << 20]);
        tasks.put(&large).unwrap();
        tasks.put("next").unwrap();
        let worker = start(python, server.endpoint(), script);
        until("it is taken", || tasks.len() == 1);
        kill(worker);
        until("it is back", || tasks.len() == 2);
        assert_eq!(tasks.get::<offspring::Bytes>().unwrap().len(), large.len());
        assert_eq!(tasks.get::<String>().unwrap(), "next");
    });
}

#[offspring::test]
fn a_server_that_ends_ends_its_clients_and_keeps_what_is_queued() {
    let _dog = watchdog();
    let script = r"
m = client()
q = m.get_task_queue()
assert q.empty()
print('waits', flush=True)
try:
    q.get()
except (EOFError, ConnectionError) as error:
    print('ended', flush=True)
q._close.cancel()  # what it would say to the server at the end
";
    each(|python, endpoint| {
        let Master { tasks, server, .. } = master(endpoint);
        let mut worker = start(python, server.endpoint(), script);
        assert_eq!(line(&mut worker), "waits");
        drop(server);
        tasks.put(&7).unwrap();
        assert_eq!(tasks.get_value(Some(Duration::ZERO)).unwrap(), Value::I64(7));
        assert_eq!(line(&mut worker), "ended");
        succeed(worker);
    });
}

#[offspring::test]
fn a_queue_of_this_program_works_between_its_threads() {
    let _dog = watchdog();
    let queue = Queue::new(1);
    std::thread::scope(|scope| {
        scope.spawn(|| (0..1000).for_each(|number| queue.put(&number).unwrap()));
        let takers = [0, 1].map(|_| {
            scope.spawn(|| {
                (0..500)
                    .map(|_| {
                        let got = queue.get::<i64>().unwrap();
                        queue.task_done().unwrap();
                        got
                    })
                    .sum::<i64>()
            })
        });
        assert_eq!(takers.map(|taker| taker.join().unwrap()).iter().sum::<i64>(), 999 * 1000 / 2);
    });
    queue.join().unwrap();
    queue.put("one").unwrap();
    assert!(matches!(queue.put_timeout("two", Duration::ZERO), Err(CallError::Full)));
}

/// A program in Python that serves a manager, and where.
fn start_serving(python: &PathBuf, endpoint: &Endpoint, script: &str) -> (Child, Endpoint) {
    let mut child = start(python, endpoint, script);
    let port = line(&mut child);
    let endpoint = match endpoint {
        Endpoint::Tcp(host, _) => Endpoint::Tcp(host.clone(), port.parse().expect("the script listens")),
        path => path.clone(),
    };
    (child, endpoint)
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What the master of the tutorial registers, and more.
const SERVER: &str = r"
tasks, results = queue.Queue(), queue.Queue(1)
class Odd:
    def fail(self): raise Own('a', [Own])
    def object(self): return Own('b')
    def lambda_(self): return lambda: 0
class Own(Exception): pass
QueueManager.register('get_task_queue', callable=lambda: tasks)
QueueManager.register('get_result_queue', callable=lambda: results)
QueueManager.register('own_dict', callable=dict)
QueueManager.register('odd', callable=Odd)
serve(QueueManager)
";

#[offspring::test]
fn we_work_for_the_master_of_the_tutorial() {
    let _dog = watchdog();
    let script = r"
tasks, results = queue.Queue(), queue.Queue()
QueueManager.register('get_task_queue', callable=lambda: tasks)
QueueManager.register('get_result_queue', callable=lambda: results)
for n in range(10):
    tasks.put(n)
def collect():
    print([results.get(timeout=30) for i in range(10)], flush=True)
threading.Thread(target=collect).start()
serve(QueueManager)
";
    each(|python, endpoint| {
        let (mut child, endpoint) = start_serving(python, &endpoint, script);
        let manager = Manager::connect(endpoint, "abc").unwrap();
        let (tasks, results) =
            (manager.queue("get_task_queue").unwrap(), manager.queue("get_result_queue").unwrap());
        assert_eq!(tasks.len().unwrap(), 10);
        loop {
            match tasks.get_timeout::<i64>(Duration::ZERO) {
                Ok(number) => results.put(&(number * number)).unwrap(),
                Err(CallError::Empty) => break,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(line(&mut child), "[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]");
        kill(child);
    });
}

#[offspring::test]
fn what_python_raises_arrives_as_it_is() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let (child, endpoint) = start_serving(python, &endpoint, SERVER);
        let manager = Manager::connect(endpoint, "abc").unwrap();
        let results = manager.queue("get_result_queue").unwrap();
        assert!(matches!(results.get_timeout::<i64>(Duration::ZERO), Err(CallError::Empty)));
        results.put("first").unwrap();
        assert!(matches!(results.put_timeout("second", Duration::ZERO), Err(CallError::Full)));
        assert_eq!(results.get::<String>().unwrap(), "first");
        results.task_done().unwrap();
        results.join().unwrap();
        let error = results.task_done().unwrap_err();
        assert!(error.raised("ValueError").is_some() && error.raised("Value").is_none(), "{error:?}");
        assert!(error.to_string().contains("too many times"), "{error}");

        let dict = manager.dict("own_dict").unwrap();
        let error = dict.remove::<i64>("nothing").unwrap_err();
        assert_eq!(error.raised("KeyError").unwrap().args, [Value::String("nothing".to_owned())]);

        let odd = manager.create("odd", &()).unwrap();
        let error = odd.call::<Value, _>("fail", &()).unwrap_err();
        let args = &error.raised("__main__.Own").unwrap_or_else(|| panic!("{error:?}")).args;
        assert!(matches!(&args[1], Value::String(text) if text.contains("no plain data")), "{args:?}");
        for method in ["object", "lambda_"] {
            let error = odd.call::<Value, _>(method, &()).unwrap_err();
            assert!(matches!(error, CallError::Unserializable(_)), "{error:?}");
        }
        let error = odd.call::<Value, _>("nonsense", &()).unwrap_err();
        let CallError::Remote(traceback) = &error else { panic!("{error:?}") };
        assert!(traceback.contains("Traceback") && traceback.contains("nonsense"), "{traceback}");
        let error = manager.create("nonsense", &()).unwrap_err();
        assert!(matches!(&error, CallError::Remote(_)) && error.to_string().contains("KeyError"), "{error}");
        // And the connection is as before.
        assert!(results.is_empty().unwrap());
        kill(child);
        assert!(matches!(results.is_empty(), Err(CallError::Python(error)) if error.is_disconnected()));
    });
}

#[offspring::test]
fn objects_in_python_live_as_long_as_our_proxies() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let (child, endpoint) = start_serving(python, &endpoint, "serve(SyncManager)");
        let manager = Manager::connect(endpoint, "abc").unwrap();
        assert_eq!(manager.number_of_objects().unwrap(), 0);
        let dict = manager.dict("dict").unwrap();
        dict.insert(&"answer", &42).unwrap();
        assert_eq!(dict.get("answer").unwrap(), Some(42));
        assert_eq!(dict.get::<i64>("question").unwrap(), None);
        assert_eq!(dict.keys::<String>().unwrap(), ["answer"]);
        assert_eq!(dict.items::<String, i64>().unwrap(), [("answer".to_owned(), 42)]);
        assert_eq!(dict.value::<std::collections::BTreeMap<String, i64>>().unwrap()["answer"], 42);
        let keys = dict.call_proxy("__iter__", Vec::new());
        if let Ok(keys) = &keys {
            assert_eq!(keys.call::<String, _>("__next__", &()).unwrap(), "answer");
            let error = keys.call::<String, _>("__next__", &()).unwrap_err();
            assert!(error.raised("StopIteration").is_some(), "{error:?}");
        }
        let list = manager.create("list", &([1, 2],)).map(offspring::net::python::manager::ListProxy::from);
        let list = list.unwrap();
        list.push(&3).unwrap();
        assert_eq!((list.len().unwrap(), list.get::<i64>(-1).unwrap()), (3, 3));
        assert!(list.get::<i64>(3).unwrap_err().raised("IndexError").is_some());
        assert_eq!(list.pop::<i64>().unwrap(), 3);
        assert_eq!(list.value::<Vec<i64>>().unwrap(), [1, 2]);
        assert_eq!(manager.number_of_objects().unwrap(), 2 + usize::from(keys.is_ok()));
        drop((dict, list, keys));
        assert_eq!(manager.number_of_objects().unwrap(), 0);
        kill(child);
    });
}

#[offspring::test]
fn a_manager_in_python_refuses_our_wrong_key() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let (child, endpoint) = start_serving(python, &endpoint, SERVER);
        let error = Manager::connect(&endpoint, "other").unwrap_err();
        assert!(matches!(&error, CallError::Python(error) if error.is_authentication()), "{error:?}");
        let error = Manager::connect_with(&offspring::net::python::Builder::new(), &endpoint).unwrap_err();
        assert!(matches!(&error, CallError::Python(error) if error.is_authentication()), "{error:?}");
        kill(child);
    });
}

#[offspring::test]
fn our_client_talks_to_our_server() {
    let _dog = watchdog();
    let Master { tasks, server, .. } = master(("127.0.0.1", 0).into());
    let manager = Manager::connect(server.endpoint(), "abc").unwrap();
    let proxy = manager.queue("get_task_queue").unwrap();
    std::thread::scope(|scope| {
        // One waits, and the other one is not held up.
        let waiting = scope.spawn(|| proxy.get::<(i64, String)>().unwrap());
        until("it waits", || server.connections() > 0);
        assert_eq!(proxy.len().unwrap(), 0);
        tasks.put(&(1, "one")).unwrap();
        assert_eq!(waiting.join().unwrap(), (1, "one".to_owned()));
    });
    drop(server);
    assert!(matches!(proxy.len(), Err(CallError::Python(_))));
}

#[offspring::test]
fn who_says_nothing_does_not_keep_out_who_knows_the_key() {
    let _dog = watchdog();
    let queue = Queue::new(0);
    let server = ManagerServer::builder(("127.0.0.1", 0), "abc")
        .queue("q", &queue)
        .handshake_timeout(Duration::from_secs(3600))
        .max_handshakes(4)
        .max_connections(2)
        .start()
        .unwrap();
    let Endpoint::Tcp(host, port) = server.endpoint() else { unreachable!("a port") };
    let silent: Vec<_> =
        (0..20).map(|_| std::net::TcpStream::connect((host.as_str(), *port)).unwrap()).collect();
    until("the first are given up", || server.refusals() >= 16);
    // Each question to the server itself has a connection, which it leaves a little later.
    let alone = || until("nobody else is there", || server.connections() == 0);
    let managers = [(); 3].map(|()| (Manager::connect(server.endpoint(), "abc").unwrap(), alone()).0);
    let proxies = managers.map(|manager| (manager.queue("q").unwrap(), alone()).0);
    assert_eq!([proxies[0].len().unwrap(), proxies[1].len().unwrap()], [0, 0]);
    let before = server.refusals();
    let error = proxies[2].len().unwrap_err();
    assert!(matches!(&error, CallError::Python(error) if error.is_disconnected()), "{error:?}");
    assert!(server.refusals() > before);
    // It does not wait for those in their handshake.
    let waiting = std::net::TcpStream::connect((host.as_str(), *port)).unwrap();
    drop(server);
    drop((silent, waiting));
}

#[offspring::test]
fn arguments_are_a_tuple_or_an_array_and_all_else_is_one() {
    let _dog = watchdog();
    let server = r"
QueueManager.register('get_list', callable=list, proxytype=ListProxy)
serve(QueueManager)
";
    each(|python, endpoint| {
        let (child, endpoint) = start_serving(python, &endpoint, server);
        let list = Manager::connect(&endpoint, "abc").unwrap().create("get_list", &()).unwrap();
        list.call::<(), _>("insert", &[0, 7]).unwrap();
        list.call::<(), _>("insert", &(1, 8)).unwrap();
        list.call::<(), _>("append", &vec![1, 2]).unwrap();
        list.call::<(), _>("append", "one").unwrap();
        list.call::<(), _>("reverse", &None::<u8>).unwrap();
        assert_eq!(list.value::<(String, Vec<i64>, i64, i64)>().unwrap(), ("one".into(), vec![1, 2], 8, 7));
        kill(child);
    });
}

#[offspring::test]
fn a_server_that_is_stopped_does_not_hold_up_a_call_for_longer_than_it_may_take() {
    let _dog = watchdog();
    let server = r"
tasks = queue.Queue()
QueueManager.register('get_task_queue', callable=lambda: tasks)
serve(QueueManager)
";
    each(|python, endpoint| {
        let (mut child, endpoint) = start_serving(python, &endpoint, server);
        let settings = offspring::net::python::Builder::new().authkey("abc");
        let manager = Manager::connect_with(&settings, &endpoint).unwrap();
        let soon = Duration::from_millis(50);
        let proxy = manager.queue("get_task_queue").unwrap().with_timeout(Some(soon));
        let error = proxy.get::<i64>().unwrap_err();
        assert!(matches!(error, CallError::TimedOut), "{error:?}");
        // Nobody takes the answer to an earlier call for its own.
        let proxy = proxy.with_timeout(None);
        proxy.put(&1).unwrap();
        assert!(proxy.len().unwrap() <= 1);
        let proxy = proxy.with_timeout(Some(soon));
        let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
        let stopped = nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::WUNTRACED)).unwrap();
        assert!(matches!(stopped, nix::sys::wait::WaitStatus::Stopped(..)), "{stopped:?}");
        for _ in 0..2 {
            let error = proxy.len().unwrap_err();
            assert!(matches!(error, CallError::TimedOut), "{error:?}");
        }
        let error = Manager::connect_with(&settings.clone().call_timeout(soon), &endpoint);
        let error = error.unwrap_err();
        assert!(matches!(error, CallError::TimedOut), "{error:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    });
}
